//! Terminals: whether a stream is one that shows colours, and the colours.

use std::ffi::OsStr;
use std::io::IsTerminal;

/// A colour of a word on a terminal (ECMA-48 §8.3.117, SGR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Of what failed.
    Red,
    /// Of what is to be looked at.
    Yellow,
    /// Of what is well.
    Green,
    /// Of what stands by itself, such as a redirection.
    Cyan,
    /// Of what is of little interest.
    Dim,
}

impl Colour {
    /// What begins it.
    pub fn start(self) -> &'static str {
        match self {
            Colour::Red => "\x1b[31m",
            Colour::Yellow => "\x1b[33m",
            Colour::Green => "\x1b[32m",
            Colour::Cyan => "\x1b[36m",
            Colour::Dim => "\x1b[2m",
        }
    }

    /// What ends any of them.
    pub const END: &'static str = "\x1b[0m";
}

/// Whether colours are shown: only on a terminal that is not dumb, and not where `NO_COLOR` is set and not empty
/// (<https://no-color.org>).
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    let variable = std::env::var_os;
    wants_colours(
        stream.is_terminal(),
        variable("NO_COLOR").as_deref(),
        variable("TERM").as_deref(),
    )
}

fn wants_colours(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_without_no_color_has_colours() {
        for (is_terminal, no_color, term, expected) in [
            (true, None, Some("xterm"), true),
            (true, Some(""), Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            (true, None, Some("dumb"), false),
            (true, None, None, false),
            (false, None, Some("xterm"), false),
        ] {
            let wanted = wants_colours(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new));
            assert_eq!(wanted, expected, "{is_terminal} {no_color:?} {term:?}");
        }
    }
}
