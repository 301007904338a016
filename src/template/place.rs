//! Where something stands in a document: its file, line, column and JSON pointer.

use std::fmt;
use std::sync::Arc;

/// A JSON pointer (RFC 6901), of which each member shares the beginning with its siblings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointer(Option<Arc<Link>>);

#[derive(Debug, PartialEq, Eq)]
struct Link {
    parent: Pointer,
    segment: Box<str>,
}

impl Pointer {
    /// The pointer to a member of what this one leads to.
    #[must_use]
    pub fn member(&self, name: &str) -> Pointer {
        Pointer(Some(Arc::new(Link {
            parent: self.clone(),
            segment: name.into(),
        })))
    }

    /// The pointer to an item of the list that this one leads to.
    #[must_use]
    pub fn item(&self, at: usize) -> Pointer {
        self.member(&at.to_string())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The nesting of a document is bounded, and so is this list.
        let mut segments = Vec::new();
        let mut link = self.0.as_deref();
        while let Some(here) = link {
            segments.push(&here.segment);
            link = here.parent.0.as_deref();
        }
        for segment in segments.into_iter().rev() {
            write!(f, "/{}", segment.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

/// Where a value or a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as the command line or the including document names it.
    pub file: Arc<str>,
    /// The line, from 1; 0 where the reader of the document does not tell it, as of JSON.
    pub line: u32,
    /// The character in the line, from 1; 0 where the line is.
    pub column: u32,
    /// The value in the document.
    pub pointer: Pointer,
}

impl Place {
    /// The whole file.
    pub fn file(name: &str) -> Place {
        Place {
            file: name.into(),
            line: 0,
            column: 0,
            pointer: Pointer::default(),
        }
    }

    /// The same line and column, for a member that has none of its own.
    #[must_use]
    pub fn member(&self, name: &str) -> Place {
        Place {
            pointer: self.pointer.member(name),
            ..self.clone()
        }
    }

    /// `FILE:LINE:COLUMN`, or the file alone where the line is not known.
    pub fn position(&self) -> String {
        match self.line {
            0 => self.file.to_string(),
            line => format!("{}:{line}:{}", self.file, self.column),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.position(), self.pointer)
    }
}
