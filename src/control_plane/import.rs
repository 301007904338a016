//! The command `import`: what is planned of files is one change, as a call is.

use std::path::{Component, Path};

use crate::control_plane::api::file_writer::{Edit, FileWriter};
pub use crate::control_plane::api::recovery::finish;
use crate::definition::store::MAX_FILE_LENGTH;
use crate::platform::files;
use crate::template::import::Plan;

/// Does all that is planned.
///
/// # Errors
/// A sentence: what cannot be written. Nothing has changed then.
pub fn carry_out(plan: &Plan, root: &Path) -> Result<(), String> {
    let mut edits = Vec::new();
    for (path, after) in plan.steps() {
        // Ids were checked when the document was read; nothing else may lead out of the root either.
        if !Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(format!("{path:?} is not written: it leads out of {}", root.display()));
        }
        let before = files::read_at_most(&root.join(path), MAX_FILE_LENGTH).ok();
        let before = before.and_then(|bytes| String::from_utf8(bytes).ok());
        edits.push(Edit {
            path: path.to_owned(),
            before,
            after: after.map(str::to_owned),
        });
    }
    let written = FileWriter::at(root).write(&edits);
    written.map_err(|error| format!("{}: {}", root.display(), error.message))
}
