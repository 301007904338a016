//! What a function prints goes to our log, line by line. It is always read, but not all of it is written.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes of a line that are logged.
const MAX_LINE_LENGTH: usize = 8 * 1024;

/// Most lines, and most bytes, that are logged in a [`PERIOD`].
const MAX_LINES: usize = 500;
const MAX_BYTES: usize = 256 * 1024;

/// After it, as many may be logged again.
const PERIOD: Duration = Duration::from_secs(1);

/// Bytes read at once: what a pipe holds.
const READ_LENGTH: usize = 64 * 1024;

/// The last line that a process has printed, for the log line on its end.
#[derive(Clone, Debug, Default)]
pub(super) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads all that a process prints and hands lines to `log`, until no process can print any more.
pub(super) fn pump(mut pipe: impl Read, last_line: &LastLine, log: impl FnMut(&str)) {
    let mut lines = Lines::new(last_line.clone(), log);
    let mut buffer = vec![0; READ_LENGTH];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => lines.take(buffer.get(..length).unwrap_or_default(), Instant::now()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    lines.finish();
}

/// Makes lines of bytes, and leaves out what is too much.
struct Lines<F> {
    line: Vec<u8>,
    /// Bytes of the line beyond those that are kept.
    cut: usize,
    /// The line before ended with a carriage return, to which a line feed may belong.
    has_returned: bool,
    last_line: LastLine,
    log: F,
    period_began: Instant,
    lines: usize,
    bytes: usize,
    left_out: usize,
}

impl<F: FnMut(&str)> Lines<F> {
    fn new(last_line: LastLine, log: F) -> Lines<F> {
        Lines {
            line: Vec::new(),
            cut: 0,
            has_returned: false,
            last_line,
            log,
            period_began: Instant::now(),
            lines: 0,
            bytes: 0,
            left_out: 0,
        }
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        if now.duration_since(self.period_began) >= PERIOD {
            self.say_what_is_left_out();
            self.period_began = now;
            (self.lines, self.bytes) = (0, 0);
        }
        // Python's runtime client puts carriage returns into what CloudWatch is to take for one message.
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let has_returned = std::mem::take(&mut self.has_returned);
            if has_returned && part == b"\n" {
                continue;
            }
            let (content, is_whole) = match part {
                [content @ .., end @ (b'\n' | b'\r')] => {
                    self.has_returned = *end == b'\r';
                    (content, true)
                }
                _ => (part, false),
            };
            let room = MAX_LINE_LENGTH.saturating_sub(self.line.len());
            let kept = content.get(..room).unwrap_or(content);
            self.line.extend_from_slice(kept);
            self.cut += content.len() - kept.len();
            if is_whole {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let is_too_much = self.lines >= MAX_LINES || self.bytes >= MAX_BYTES;
        if is_too_much {
            if self.left_out == 0 {
                (self.log)("… it prints too much: lines are left out");
            }
            self.left_out += 1;
        } else {
            let mut line = escaped(&self.line);
            if self.cut > 0 {
                line.push_str(&format!(" … {} bytes left out", self.cut));
            }
            self.lines += 1;
            self.bytes += line.len();
            (self.log)(&line);
            if !line.trim().is_empty() {
                self.last_line.set(&line);
            }
        }
        self.line.clear();
        self.cut = 0;
    }

    fn say_what_is_left_out(&mut self) {
        if self.left_out > 0 {
            (self.log)(&format!("… {} lines left out", self.left_out));
            self.left_out = 0;
        }
    }

    fn finish(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.say_what_is_left_out();
    }
}

/// A line that does nothing to the terminal that it is shown on.
pub(super) fn escaped(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for character in String::from_utf8_lossy(line).chars() {
        if character.is_control() && character != '\t' {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(output: &[u8]) -> (Vec<String>, String) {
        let mut lines = Vec::new();
        let last_line = LastLine::default();
        pump(output, &last_line, |line| lines.push(line.to_owned()));
        (lines, last_line.get())
    }

    #[test]
    fn lines_are_whole_and_harmless() {
        let (lines, last) = logged(b"one\r\n\n\x1b[31mred\tand \xff\rtwo\rno end");
        assert_eq!(lines, ["one", "", "\\u{1b}[31mred\tand \u{fffd}", "two", "no end"]);
        assert_eq!(last, "no end");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (lines, _) = logged(&[b'a'; 3 * READ_LENGTH]);
        assert_eq!(lines.len(), 1);
        let left_out = 3 * READ_LENGTH - MAX_LINE_LENGTH;
        assert!(lines[0].ends_with(&format!("a … {left_out} bytes left out")));
        assert!(lines[0].len() < MAX_LINE_LENGTH + 100);
    }

    #[test]
    fn too_many_lines_are_counted_and_not_written() {
        let mut lines = Vec::new();
        let mut pumped = Lines::new(LastLine::default(), |line: &str| lines.push(line.to_owned()));
        let began = pumped.period_began;
        pumped.take("x\n".repeat(MAX_LINES + 7).as_bytes(), began);
        pumped.take(b"y\n", began + PERIOD);
        pumped.finish();
        assert_eq!(lines.len(), MAX_LINES + 3);
        let expected = ["… it prints too much: lines are left out", "… 7 lines left out", "y"];
        assert_eq!(lines[MAX_LINES..], expected);
    }
}
