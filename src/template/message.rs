//! What is to be told of a template: errors, warnings and notes, each with its place.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use crate::template::place::Place;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The template cannot be served.
    Error,
    /// It can be served, but probably not as it was meant.
    Warning,
    /// Something of it is not run here.
    Note,
}

impl Level {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub place: Place,
    /// How much it matters.
    pub level: Level,
    /// One sentence.
    pub text: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}: {}", self.place, self.level.as_str(), self.text);
        // One line a message, whatever a document holds.
        for character in line.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

impl Message {
    /// As JSON, for programs.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({
            "file": &*self.place.file,
            "pointer": self.place.pointer.to_string(),
            "severity": self.level.as_str(),
            "text": self.text,
        });
        if let (Some(object), 1..) = (json.as_object_mut(), self.place.line) {
            object.insert("line".to_owned(), self.place.line.into());
            object.insert("column".to_owned(), self.place.column.into());
        }
        json
    }
}

/// The messages of one reading, in the order in which they came up.
#[derive(Debug, Default)]
pub struct Messages {
    all: RefCell<Vec<Message>>,
    /// The lines of all, since a value that is read twice is wrong once.
    lines: RefCell<HashSet<String>>,
}

impl Messages {
    /// Adds something that keeps the template from being served.
    pub fn error(&self, place: &Place, text: impl Into<String>) {
        self.add(place, Level::Error, text.into());
    }

    /// Adds a warning.
    pub fn warning(&self, place: &Place, text: impl Into<String>) {
        self.add(place, Level::Warning, text.into());
    }

    /// Adds a note.
    pub fn note(&self, place: &Place, text: impl Into<String>) {
        self.add(place, Level::Note, text.into());
    }

    fn add(&self, place: &Place, level: Level, text: String) {
        let message = Message {
            place: place.clone(),
            level,
            text,
        };
        if self.lines.borrow_mut().insert(message.to_string()) {
            self.all.borrow_mut().push(message);
        }
    }

    /// Takes over the messages of a part; its warnings are errors where that is wanted.
    pub fn take(&self, part: Messages, warnings_are_errors: bool) {
        for message in part.all.into_inner() {
            let level = match message.level {
                Level::Warning if warnings_are_errors => Level::Error,
                level => level,
            };
            self.add(&message.place, level, message.text);
        }
    }

    /// Whether something keeps the template from being served.
    pub fn has_errors(&self) -> bool {
        has_errors(&self.all.borrow())
    }

    /// All of them, by file, line, column and pointer.
    pub fn into_sorted(self) -> Vec<Message> {
        sorted(self.all.into_inner())
    }
}

/// Messages by file, line, column and pointer, each once.
pub fn sorted(mut all: Vec<Message>) -> Vec<Message> {
    all.sort_by_cached_key(|message| {
        let place = &message.place;
        (
            place.file.clone(),
            place.line,
            place.column,
            place.pointer.to_string(),
            message.level,
        )
    });
    all.dedup();
    all
}

/// Whether one of them is an error.
pub fn has_errors(messages: &[Message]) -> bool {
    messages.iter().any(|message| message.level == Level::Error)
}
