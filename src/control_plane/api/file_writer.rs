//! Puts changed files in place: all of a call, or none.
//!
//! One file is written beside its place under a hidden name, and renamed. Where a call changes several, a journal says
//! first what is to become of each; a crash behind that leaves the journal, and the next start carries it out
//! (`recovery`). The order of the edits is such that the files are without errors in between, too.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::ids;
use crate::definition::json::Json;
use crate::platform::files;

/// How the names of files end that are not in their place yet. They begin with a dot, so that none is a resource.
pub const TEMPORARY_SUFFIX: &str = ".apigateway-new";

/// How the names of journals end.
pub const JOURNAL_SUFFIX: &str = ".apigateway-journal";

/// How the names of APIs' directories end that are being deleted.
pub const DELETED_SUFFIX: &str = ".apigateway-deleted";

/// The permissions of a new file.
const PERMISSIONS: u32 = 0o644;

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Its path below the root.
    pub path: String,
    /// What it says before; none where it is not there.
    pub before: Option<String>,
    /// What it is to say; none where it is to go.
    pub after: Option<String>,
}

/// Writes below a root.
#[derive(Clone, Debug)]
pub struct FileWriter {
    root: PathBuf,
}

/// An edit whose new content is on disk.
struct Prepared<'a> {
    edit: &'a Edit,
    temporary: Option<String>,
}

impl FileWriter {
    /// Writes below that directory.
    pub fn at(root: &Path) -> FileWriter {
        FileWriter { root: root.to_owned() }
    }

    /// Carries edits out, in their order.
    ///
    /// # Errors
    /// A file cannot be written; nothing has changed then.
    pub fn write(&self, edits: &[Edit]) -> Result<(), ApiError> {
        let mut prepared = Vec::new();
        let outcome = self.prepare(edits, &mut prepared).and_then(|()| match edits {
            [] => Ok(()),
            [_] => self.apply(&prepared),
            [first, ..] => self.apply_with_journal(first, &prepared),
        });
        if outcome.is_err() {
            for temporary in prepared.iter().filter_map(|prepared| prepared.temporary.as_ref()) {
                // What was renamed is gone; what cannot be removed now is at the next start.
                let _ = files::remove(&self.root.join(temporary));
            }
        }
        outcome
    }

    /// Makes the directory of an API with these files, whose paths begin in it.
    ///
    /// # Errors
    /// It cannot be written; nothing is there then but what the next start removes.
    pub fn create_directory(&self, directory: &str, content: &[(String, String)]) -> Result<(), ApiError> {
        let failed = |error: io::Error| ApiError::cannot_write(directory, &error);
        let (parent, name) = split(directory);
        self.make_parent(directory)?;
        let hidden = join(parent, &format!(".{name}"));
        let at = |path: &str| self.root.join(&hidden).join(path);
        let make = || -> io::Result<()> {
            // What a crash has left of it.
            if files::link_info(&self.root.join(&hidden)).is_ok() {
                files::remove_directory(&self.root.join(&hidden))?;
            }
            files::make_directory(&self.root.join(&hidden))?;
            let directories: BTreeSet<&str> = content.iter().map(|(path, _)| split(path).0).collect();
            for below in &directories {
                files::make_directory(&at(below))?;
            }
            for (path, text) in content {
                files::write_new(&at(path), text.as_bytes(), PERMISSIONS)?;
            }
            for below in directories.into_iter().chain([""]) {
                files::synchronise_directory(&at(below))?;
            }
            files::rename(&self.root.join(&hidden), &self.root.join(directory))?;
            files::synchronise_directory(&self.root.join(parent))
        };
        make().map_err(|error| {
            let _ = files::remove_directory(&self.root.join(&hidden));
            failed(error)
        })
    }

    /// Takes the directory of an API out of service, and removes it.
    ///
    /// # Errors
    /// It cannot be renamed; nothing has changed then.
    pub fn delete_directory(&self, directory: &str) -> Result<(), ApiError> {
        let (parent, name) = split(directory);
        let hidden = self.root.join(join(parent, &format!(".{name}{DELETED_SUFFIX}")));
        let delete = || -> io::Result<()> {
            if files::link_info(&hidden).is_ok() {
                files::remove_directory(&hidden)?;
            }
            files::rename(&self.root.join(directory), &hidden)?;
            files::synchronise_directory(&self.root.join(parent))
        };
        delete().map_err(|error| ApiError::cannot_write(directory, &error))?;
        if let Err(error) = files::remove_directory(&hidden) {
            log::warn!(
                "{}: the rest of a deleted API stays until the next start: {error}",
                hidden.display()
            );
        }
        Ok(())
    }

    /// Writes every new content to disk under a hidden name.
    fn prepare<'a>(&self, edits: &'a [Edit], prepared: &mut Vec<Prepared<'a>>) -> Result<(), ApiError> {
        for edit in edits {
            let Some(text) = &edit.after else {
                prepared.push(Prepared { edit, temporary: None });
                continue;
            };
            self.make_parent(&edit.path)?;
            let temporary = hidden_name(&edit.path, TEMPORARY_SUFFIX)?;
            let place = self.root.join(&edit.path);
            let permissions = files::info(&place).map_or(PERMISSIONS, |info| info.permissions);
            prepared.push(Prepared {
                edit,
                temporary: Some(temporary.clone()),
            });
            files::write_new(&self.root.join(&temporary), text.as_bytes(), permissions)
                .map_err(|error| ApiError::cannot_write(&edit.path, &error))?;
        }
        Ok(())
    }

    /// The directory of a file, which is made where it is not there.
    fn make_parent(&self, path: &str) -> Result<(), ApiError> {
        let (parent, _) = split(path);
        let directory = self.root.join(parent);
        if directory.is_dir() {
            return Ok(());
        }
        if parent.is_empty() {
            return files::make_directories(&self.root).map_err(|error| ApiError::cannot_write(".", &error));
        }
        self.make_parent(parent)?;
        let (above, _) = split(parent);
        files::make_directory(&directory)
            .and_then(|()| files::synchronise_directory(&self.root.join(above)))
            .map_err(|error| ApiError::cannot_write(parent, &error))
    }

    fn apply_with_journal(&self, first: &Edit, prepared: &[Prepared<'_>]) -> Result<(), ApiError> {
        let journal = self.write_journal(first, prepared)?;
        let outcome = self.apply(prepared);
        if let Err(error) = files::remove(&self.root.join(&journal)) {
            // It would be carried out again at the next start, where nothing is left to do.
            log::warn!("{journal}: a journal that is done cannot be removed: {error}");
        }
        outcome
    }

    /// Says what is to become of each file; from here on the call is carried out, whatever happens.
    fn write_journal(&self, first: &Edit, prepared: &[Prepared<'_>]) -> Result<String, ApiError> {
        let directory = journal_directory(&first.path);
        let journal = hidden_name(&join(directory, "x"), JOURNAL_SUFFIX)?;
        let unfinished = hidden_name(&join(directory, "x"), TEMPORARY_SUFFIX)?;
        let text = journal_of(prepared);
        let write = || -> io::Result<()> {
            files::write_new(&self.root.join(&unfinished), text.as_bytes(), PERMISSIONS)?;
            files::rename(&self.root.join(&unfinished), &self.root.join(&journal))?;
            files::synchronise_directory(&self.root.join(directory))
        };
        write().map_err(|error| {
            let _ = files::remove(&self.root.join(&unfinished));
            let _ = files::remove(&self.root.join(&journal));
            ApiError::cannot_write(&journal, &error)
        })?;
        Ok(journal)
    }

    /// As a crash leaves it, after so many of the edits.
    #[cfg(test)]
    pub(super) fn leave_begun(&self, edits: &[Edit], done: usize) {
        let mut prepared = Vec::new();
        self.prepare(edits, &mut prepared).unwrap();
        self.write_journal(&edits[0], &prepared).unwrap();
        for prepared in &prepared[..done] {
            self.apply_one(prepared).unwrap();
        }
    }

    /// Renames and removes; where one of them fails, what was done is undone.
    fn apply(&self, prepared: &[Prepared<'_>]) -> Result<(), ApiError> {
        let failed = |place: usize, path: &str, error: &io::Error| {
            self.undo(prepared.get(..=place).unwrap_or_default());
            ApiError::cannot_write(path, error)
        };
        for (place, prepared_edit) in prepared.iter().enumerate() {
            let outcome = self.apply_one(prepared_edit);
            outcome.map_err(|error| failed(place, &prepared_edit.edit.path, &error))?;
        }
        let parents: BTreeSet<&str> = prepared.iter().map(|prepared| split(&prepared.edit.path).0).collect();
        for parent in parents {
            let outcome = files::synchronise_directory(&self.root.join(parent));
            outcome.map_err(|error| failed(prepared.len().saturating_sub(1), parent, &error))?;
        }
        Ok(())
    }

    fn apply_one(&self, prepared: &Prepared<'_>) -> io::Result<()> {
        let place = self.root.join(&prepared.edit.path);
        match &prepared.temporary {
            Some(temporary) => match files::rename(&self.root.join(temporary), &place) {
                // Another process that started in this moment has found the journal, and done it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_done(&place, prepared.edit) => Ok(()),
                outcome => outcome,
            },
            None => match files::remove(&place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                outcome => outcome,
            },
        }
    }

    /// Writes what was there before, in the opposite order.
    fn undo(&self, done: &[Prepared<'_>]) {
        for prepared in done.iter().rev() {
            let path = &prepared.edit.path;
            let place = self.root.join(path);
            let outcome = match &prepared.edit.before {
                None => files::remove(&place),
                Some(text) => self.put_back(path, text),
            };
            match outcome {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    log::error!("{path}: what a failed call has changed cannot be undone: {error}");
                }
                _ => {}
            }
        }
    }

    fn put_back(&self, path: &str, text: &str) -> io::Result<()> {
        let temporary = hidden_name(path, TEMPORARY_SUFFIX).map_err(|error| io::Error::other(error.message))?;
        let (temporary, place) = (self.root.join(temporary), self.root.join(path));
        let permissions = files::info(&place).map_or(PERMISSIONS, |info| info.permissions);
        let outcome = files::write_new(&temporary, text.as_bytes(), permissions);
        let outcome = outcome.and_then(|()| files::rename(&temporary, &place));
        if outcome.is_err() {
            let _ = files::remove(&temporary);
        }
        outcome
    }
}

/// Whether a file says what an edit wants it to say.
fn is_done(place: &Path, edit: &Edit) -> bool {
    let length = edit.after.as_ref().map_or(0, String::len) as u64;
    files::read_at_most(place, length).is_ok_and(|now| edit.after.as_deref().map(str::as_bytes) == Some(&now))
}

/// A journal: each file with the hash of what it said, and where its new content stands.
fn journal_of(prepared: &[Prepared<'_>]) -> String {
    let text = |text: &str| Json::String(text.to_owned());
    let entry = |prepared: &Prepared<'_>| {
        let mut members = vec![("Path".to_owned(), text(&prepared.edit.path))];
        if let Some(before) = &prepared.edit.before {
            members.push(("Before".to_owned(), text(&hash(before.as_bytes()))));
        }
        if let Some(temporary) = &prepared.temporary {
            members.push(("New".to_owned(), text(temporary)));
        }
        Json::Object(members)
    };
    let edits = Json::Array(prepared.iter().map(entry).collect());
    serde_json::to_string(&Json::Object(vec![("Edits".to_owned(), edits)])).unwrap_or_default()
}

/// What tells one content from another.
pub fn hash(content: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, content);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The directory of the API or of the shared files that a file belongs to: what the same person may write.
fn journal_directory(path: &str) -> &str {
    let (parent, _) = split(path);
    match parent.split('/').next() {
        Some("apis") => {
            let api = parent.split('/').nth(1).unwrap_or_default();
            parent.get(.."apis/".len() + api.len()).unwrap_or_default()
        }
        _ => "",
    }
}

/// A new hidden name beside a file.
fn hidden_name(path: &str, suffix: &str) -> Result<String, ApiError> {
    let (parent, _) = split(path);
    let name = ids::new(12, |_| false)?;
    Ok(join(parent, &format!(".{name}{suffix}")))
}

/// The directory and the name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn join(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => format!("{directory}/{name}"),
    }
}
