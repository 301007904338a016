//! How a call writes: it reads the files, tries the change out, looks whether the files are still the same, writes them,
//! and serves what they were compiled to. An answer without an error means that all of that is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::control_plane::api::call::Answered;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::file_writer::FileWriter;
use crate::control_plane::api::open_api;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::turn::Turns;
use crate::control_plane::reloader::{Files, Reloader};
use crate::definition::problem::{Problem, Severity};
use crate::definition::store::{MAX_FILE_LENGTH, Store};
use crate::definition::unit::{Listing, Unit, UnitName};
use crate::deployment::compiler::Compiler;
use crate::template::message::Message;

/// How long a call waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a call begins anew when files have changed under it.
const ATTEMPTS: usize = 5;

/// What came of an attempt.
enum Attempt {
    /// The call is over.
    Done(Answered),
    /// A file that it had read has changed since.
    Overtaken,
}

/// Carries a change out, once no other is under way.
///
/// # Errors
/// What the change refuses, what the files that it would leave are not valid for, or what keeps them from being written.
/// Nothing has changed then.
pub fn carry_out(reloader: &Reloader, turns: &Turns, change: impl Fn(&Root<'_>, &mut Edits) -> Answered) -> Answered {
    let Some(_turn) = turns.wait(PATIENCE) else {
        return Err(ApiError::concurrent_modification());
    };
    reloader.with_files(|files| {
        let Some(store) = files.store().cloned() else {
            return Err(ApiError::conflict("served from a template"));
        };
        for _ in 0..ATTEMPTS {
            match attempt(reloader, &store, files, &change) {
                Attempt::Done(answered) => return answered,
                Attempt::Overtaken => {}
            }
        }
        Err(ApiError::concurrent_modification())
    })
}

fn attempt(
    reloader: &Reloader,
    store: &Store,
    files: &mut Files,
    change: impl Fn(&Root<'_>, &mut Edits) -> Answered,
) -> Attempt {
    let mut edits = Edits::default();
    let root = Root::new(Some(store), files.listing());
    let answered = match change(&root, &mut edits) {
        Ok(answer) if edits.is_empty() => return Attempt::Done(Ok(answer)),
        Ok(answer) => answer,
        Err(error) => return Attempt::Done(Err(error)),
    };
    // What the compilation takes besides the API itself, and what is not there yet.
    root.unit(&UnitName::Shared);
    for unit in edits.units() {
        root.unit(&unit);
    }
    let read = root.into_read();
    if let Err(error) = check_lengths(&edits) {
        return Attempt::Done(Err(error));
    }
    let before = with_units(files.listing(), &read);
    let mut after = before.clone();
    edits.apply(&mut after);
    let (compiler, compilation) = files.try_out(&after);
    if let Some(error) = refusal(files, &before, &edits, &compiler) {
        return Attempt::Done(Err(error));
    }
    if read
        .iter()
        .any(|(name, unit)| store.load_unit(name, Some(unit)) != **unit)
    {
        return Attempt::Overtaken;
    }
    if let Err(error) = write(&FileWriter::at(store.root()), &edits) {
        return Attempt::Done(Err(error));
    }
    reloader.serve(files, after, compiler, compilation.configuration);
    Attempt::Done(Ok(answered))
}

/// A listing with the parts that were read now.
fn with_units(listing: &Listing, read: &BTreeMap<UnitName, Arc<Unit>>) -> Listing {
    let mut listing = listing.clone();
    for (name, unit) in read {
        match unit.is_there() {
            true => drop(listing.units.insert(name.clone(), Arc::clone(unit))),
            false => drop(listing.units.remove(name)),
        }
    }
    listing
}

/// Files are read up to a length; none may be written that could not be read again.
fn check_lengths(edits: &Edits) -> Result<(), ApiError> {
    let edited = edits.files().iter().map(|edit| (&edit.path, edit.after.as_ref()));
    let created = edits.created().into_iter().flat_map(|(_, files)| files);
    let created = created.map(|(path, text)| (path, Some(text)));
    for (path, text) in edited.chain(created) {
        let length = text.map_or(0, String::len);
        if length as u64 > MAX_FILE_LENGTH {
            let text = format!("{path}: the file would have {length} bytes, {MAX_FILE_LENGTH} at most");
            return Err(ApiError::bad_request(text));
        }
    }
    Ok(())
}

/// Why the files that a call would leave cannot be served; none where they can.
fn refusal(files: &Files, before: &Listing, edits: &Edits, compiler: &Compiler) -> Option<ApiError> {
    let units = edits.units();
    let problem = units.iter().find_map(|unit| first_error(compiler, unit))?;
    let (compiler_before, _) = files.try_out(before);
    let known = units.iter().find_map(|unit| first_error(&compiler_before, unit));
    Some(match known {
        Some(known) => {
            let text = format!("the files of this API have errors, first correct: {known}");
            ApiError::conflict(text)
        }
        None => match edits.origin() {
            Some(origin) => {
                let problems = units.iter().flat_map(|unit| errors(compiler, unit));
                let messages: Vec<Message> = problems.map(|problem| origin.message(problem)).collect();
                open_api::found("Errors", &open_api::told(messages.iter()))
            }
            None => ApiError::bad_request(sentence(&problem)),
        },
    })
}

fn errors<'a>(compiler: &'a Compiler, unit: &UnitName) -> impl Iterator<Item = &'a Problem> {
    let problems = compiler.problems_of(unit).into_iter().flatten();
    problems.filter(|problem| problem.severity == Severity::Error)
}

fn first_error(compiler: &Compiler, unit: &UnitName) -> Option<Problem> {
    errors(compiler, unit).next().cloned()
}

/// What is wrong with a member, which stands first.
fn sentence(problem: &Problem) -> String {
    let member = problem.pointer.split('/').nth(1).unwrap_or_default();
    match member.is_empty() || problem.text.starts_with(member) {
        true => problem.text.clone(),
        false => format!("{member}: {}", problem.text),
    }
}

fn write(writer: &FileWriter, edits: &Edits) -> Result<(), ApiError> {
    writer.write(edits.files())?;
    if let Some((directory, content)) = edits.created() {
        writer.create_directory(directory, content)?;
    }
    if let Some(api) = edits.deleted() {
        writer.delete_directory(&api.to_string())?;
    }
    Ok(())
}
