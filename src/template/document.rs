//! The documents of a template: reads each file once, and keeps account of which ones were read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::store::Fingerprint;
use crate::platform::files;
use crate::template::message::Messages;
use crate::template::node::{Content, Key, Node};
use crate::template::place::Place;
use crate::template::yaml::{MAX_NODES, parse_json, parse_yaml};

/// Most bytes of a document.
pub(super) const MAX_LENGTH: u64 = 10 * 1024 * 1024;

/// What editors on Windows put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A document, or where and why it cannot be read.
pub(super) type ReadDocument = Result<Arc<Node>, (Place, String)>;

/// Every document that was read, by its path.
#[derive(Debug, Default)]
pub(super) struct Documents {
    read: RefCell<HashMap<PathBuf, ReadDocument>>,
    nodes: Cell<usize>,
    /// Files and folders that decide what the template means, each as it was before it was read.
    watched: RefCell<Fingerprint>,
}

impl Documents {
    /// A document. The name is what messages call the file.
    ///
    /// # Errors
    /// The file cannot be read, is too long, or is no YAML or JSON: a place in it and a sentence.
    pub(super) fn read(&self, path: &Path, name: &str) -> ReadDocument {
        self.watch(path);
        let known = self.read.borrow().get(path).cloned();
        let document = match known {
            Some(document) => document,
            None => {
                let document = read(path, name);
                self.read.borrow_mut().insert(path.to_owned(), document.clone());
                document
            }
        }?;
        // Each use of an included document counts, since each is evaluated.
        self.nodes.set(self.nodes.get().saturating_add(document.size));
        if self.nodes.get() > MAX_NODES {
            let text = format!("the documents have more than {MAX_NODES} values, includes expanded");
            return Err((Place::file(name), text));
        }
        Ok(document)
    }

    /// Notes that a change at a path changes what the template means. To be called before it is read, so that a write in
    /// between is seen.
    pub(super) fn watch(&self, path: &Path) {
        self.watched.borrow_mut().note(path);
    }

    /// What was noted.
    pub(super) fn watched(&self) -> Fingerprint {
        self.watched.borrow().clone()
    }

    /// Notes each key that occurs twice in what was read of the documents but not of the template's meaning.
    pub(super) fn note_duplicates(&self, messages: &Messages, is_known: impl Fn(&Key) -> bool) {
        for document in self.read.borrow().values().flatten() {
            document.walk(&mut |node| {
                if let Content::Map(map) = &node.content {
                    for key in map.duplicates.iter().filter(|key| !is_known(key)) {
                        let text = format!("the key {:?} occurs twice; it is not read here", key.name);
                        messages.note(&key.place, text);
                    }
                }
            });
        }
    }
}

/// A text file, without the mark that some editors put first.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = files::read_at_most(path, MAX_LENGTH).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => "is not a regular file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(format!("is larger than {MAX_LENGTH} bytes"));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8: {}", error.utf8_error()))
}

fn read(path: &Path, name: &str) -> ReadDocument {
    let file: Arc<str> = name.into();
    let text = read_text(path).map_err(|why| (Place::file(&file), format!("the file {why}")))?;
    let parsed = match path.extension().is_some_and(|extension| extension == "json") {
        true => parse_json(&file, &text),
        false => parse_yaml(&file, &text),
    };
    parsed.map_err(|error| (error.place, error.text))
}
