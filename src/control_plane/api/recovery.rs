//! What a crash has left in the middle of a call: journals are carried out, and hidden files removed. To be done before
//! the files are read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::control_plane::api::file_writer::{DELETED_SUFFIX, JOURNAL_SUFFIX, TEMPORARY_SUFFIX, hash};
use crate::definition::json::Json;
use crate::definition::store::MAX_FILE_LENGTH;
use crate::definition::unit::{API_DIRECTORIES, APIS_DIRECTORY, DOMAINS_DIRECTORY, is_api_id};
use crate::platform::files::{self, FileKind};

/// Most bytes of a journal: a line for each file of an API.
const MAX_JOURNAL_LENGTH: u64 = 16 * 1024 * 1024;

/// Where an import writes functions, and their code below it.
const FUNCTIONS_DIRECTORY: &str = "functions";

/// The directories in which calls and imports write besides those of APIs.
const OTHER_DIRECTORIES: [&str; 3] = [DOMAINS_DIRECTORY, "vpclinks", FUNCTIONS_DIRECTORY];

/// What stands in the directory of an API that a call makes.
const CONTENT: [&str; 5] = ["api.json", "stages", "routes", "integrations", "authorizers"];

/// Finishes what a crash has interrupted, as far as the files can be written.
pub fn recover(root: &Path) {
    let mut directories = vec![root.to_owned()];
    for (name, kind) in entries(&root.join(APIS_DIRECTORY)) {
        let Some(name) = name.to_str().filter(|_| kind == FileKind::Directory) else {
            continue;
        };
        let path = root.join(APIS_DIRECTORY).join(name);
        match name.strip_prefix('.') {
            None => directories.push(path),
            Some(hidden) if hidden.ends_with(DELETED_SUFFIX) || is_unfinished_api(hidden, &path) => {
                tell(&path, files::remove_directory(&path));
            }
            Some(_) => {}
        }
    }
    finish(root);
    for (name, kind) in entries(&root.join(FUNCTIONS_DIRECTORY)) {
        if kind == FileKind::Directory {
            directories.push(root.join(FUNCTIONS_DIRECTORY).join(name));
        }
    }
    for directory in &directories {
        let below = API_DIRECTORIES
            .iter()
            .chain(&OTHER_DIRECTORIES)
            .map(|name| directory.join(name));
        for directory in below.chain([directory.clone()]) {
            for path in hidden_files(&directory, TEMPORARY_SUFFIX) {
                tell(&path, files::remove(&path));
            }
        }
    }
}

/// Carries journals out. Nothing else is touched, so that a gateway which is at work below the root is not disturbed.
pub fn finish(root: &Path) {
    for path in journals(root) {
        carry_out(root, &path);
        tell(&path, files::remove(&path));
    }
}

/// The journals of changes that are under way, or were when a process ended.
pub fn journals(root: &Path) -> Vec<PathBuf> {
    let of_apis = entries(&root.join(APIS_DIRECTORY)).into_iter();
    let of_apis = of_apis.map(|(name, _)| root.join(APIS_DIRECTORY).join(name));
    let directories = of_apis.chain([root.to_owned()]);
    directories
        .flat_map(|directory| hidden_files(&directory, JOURNAL_SUFFIX))
        .collect()
}

/// Whether it is the directory of an API that was being made, and nothing else: a hidden directory may be anybody's.
fn is_unfinished_api(name: &str, path: &Path) -> bool {
    is_api_id(name)
        && files::entries(path).is_ok_and(|found| {
            found
                .iter()
                .all(|(name, _)| name.to_str().is_some_and(|name| CONTENT.contains(&name)))
        })
}

fn hidden_files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let is_ours = |(name, kind): &(OsString, FileKind)| {
        let name = name.to_str().unwrap_or_default();
        *kind == FileKind::File && name.starts_with('.') && name.ends_with(suffix)
    };
    let found = entries(directory).into_iter().filter(is_ours);
    found.map(|(name, _)| directory.join(name)).collect()
}

fn entries(directory: &Path) -> Vec<(OsString, FileKind)> {
    files::entries(directory).unwrap_or_default()
}

/// Does what is left to do of a call. A file that was edited since is left as it is.
fn carry_out(root: &Path, journal: &Path) {
    let bytes = files::read_at_most(journal, MAX_JOURNAL_LENGTH).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    let Ok(Json::Object(members)) = Json::parse(&text) else {
        return;
    };
    let Some((_, Json::Array(edits))) = members.into_iter().find(|(name, _)| name == "Edits") else {
        return;
    };
    for edit in &edits {
        let text = |name: &str| match edit {
            Json::Object(members) => members.iter().find_map(|(member, value)| match value {
                Json::String(text) if member == name => Some(text.as_str()),
                _ => None,
            }),
            _ => None,
        };
        let Some(path) = text("Path").filter(|path| is_below(path)) else {
            continue;
        };
        let place = root.join(path);
        let now = files::read_at_most(&place, MAX_FILE_LENGTH)
            .ok()
            .map(|bytes| hash(&bytes));
        if now.as_deref() != text("Before") {
            continue;
        }
        let outcome = match text("New").filter(|new| is_below(new)) {
            Some(new) if files::link_info(&root.join(new)).is_err() => Ok(()),
            Some(new) => files::rename(&root.join(new), &place),
            None if now.is_some() => files::remove(&place),
            None => Ok(()),
        };
        let parent = place.parent().unwrap_or(root);
        tell(&place, outcome.and_then(|()| files::synchronise_directory(parent)));
    }
}

/// Whether a path leads to a file below the root.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

fn tell(path: &Path, outcome: std::io::Result<()>) {
    match outcome {
        Ok(()) => log::info!("{}: finished what a crash had interrupted", path.display()),
        Err(error) => log::warn!("{}: what a crash has left stays: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::api::file_writer::{Edit, FileWriter};
    use std::fs;

    fn root(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("apigateway-recovery-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("stages")).unwrap();
        fs::create_dir_all(root.join("routes")).unwrap();
        fs::write(root.join("stages/s.json"), "old stage").unwrap();
        fs::write(root.join("routes/r.json"), "old route").unwrap();
        root
    }

    fn edits() -> [Edit; 3] {
        let edit = |path: &str, before: Option<&str>, after: Option<&str>| Edit {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        [
            edit("stages/s.json", Some("old stage"), Some("new stage")),
            edit("deployments/d.json", None, Some("deployment")),
            edit("routes/r.json", Some("old route"), None),
        ]
    }

    fn text(root: &Path, path: &str) -> Option<String> {
        fs::read_to_string(root.join(path)).ok()
    }

    fn is_tidy(root: &Path) -> bool {
        ["", "stages", "routes", "deployments"].iter().all(|directory| {
            let found = entries(&root.join(directory));
            found.iter().all(|(name, _)| !name.as_encoded_bytes().starts_with(b"."))
        })
    }

    #[test]
    fn a_call_that_was_begun_is_finished_from_wherever_it_was() {
        for done in 0..=3 {
            let root = root("finish");
            let writer = FileWriter::at(&root);
            writer.leave_begun(&edits(), done);
            assert!(!is_tidy(&root));
            recover(&root);
            assert_eq!(text(&root, "stages/s.json").as_deref(), Some("new stage"), "{done}");
            assert_eq!(
                text(&root, "deployments/d.json").as_deref(),
                Some("deployment"),
                "{done}"
            );
            assert_eq!(text(&root, "routes/r.json"), None, "{done}");
            assert!(is_tidy(&root), "{done}");
            fs::remove_dir_all(&root).unwrap();
        }
    }

    #[test]
    fn an_edit_since_is_not_overwritten() {
        let root = root("edited");
        FileWriter::at(&root).leave_begun(&edits(), 0);
        fs::write(root.join("stages/s.json"), "by hand").unwrap();
        fs::write(root.join("routes/r.json"), "by hand").unwrap();
        recover(&root);
        assert_eq!(text(&root, "stages/s.json").as_deref(), Some("by hand"));
        assert_eq!(text(&root, "routes/r.json").as_deref(), Some("by hand"));
        assert!(is_tidy(&root));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn what_is_not_ours_stays() {
        let root = root("others");
        for directory in ["apis/.git", "apis/.a1", "apis/.b1", "apis/.c1.apigateway-deleted/x"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in [
            "apis/.git/HEAD",
            "apis/.a1/api.json",
            "routes/.swap.json",
            ".env",
            "apis/.b1/notes",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join("routes/.x.apigateway-new"), "").unwrap();
        recover(&root);
        for (place, stays) in [
            ("apis/.git/HEAD", true),
            ("apis/.a1", false),
            ("apis/.b1/notes", true),
            ("apis/.c1.apigateway-deleted", false),
            ("routes/.swap.json", true),
            (".env", true),
            ("routes/.x.apigateway-new", false),
        ] {
            assert_eq!(root.join(place).exists(), stays, "{place}");
        }
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_call_that_fails_in_the_middle_is_undone() {
        let root = root("undo");
        let mut edits = edits();
        // What is to go is no file.
        fs::remove_file(root.join("routes/r.json")).unwrap();
        fs::create_dir(root.join("routes/r.json")).unwrap();
        assert!(FileWriter::at(&root).write(&edits).is_err());
        assert_eq!(text(&root, "stages/s.json").as_deref(), Some("old stage"));
        assert_eq!(text(&root, "deployments/d.json"), None);
        fs::remove_dir(root.join("routes/r.json")).unwrap();
        edits[2].after = Some("new route".to_owned());
        FileWriter::at(&root).write(&edits).unwrap();
        assert_eq!(text(&root, "routes/r.json").as_deref(), Some("new route"));
        assert!(is_tidy(&root));
        fs::remove_dir_all(&root).unwrap();
    }
}
