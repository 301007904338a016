//! Lines on their way to where they are written. Logging never waits: where the reader takes no lines, they are lost
//! and counted.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most lines that wait to be written: a reload of 10,000 broken files finds room.
const MAX_QUEUED_LINES: usize = 16 * 1024;

/// Most bytes of lines that wait to be written. The longest lines are those of functions, and far from it.
const MAX_QUEUED_LENGTH: usize = 4 * 1024 * 1024;

/// Bytes that are written at once, and a line.
const BATCH_LENGTH: usize = 64 * 1024;

/// Lines that wait to be written.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the writer.
    filled: Condvar,
    /// Wakes the thread that waits until everything is written.
    emptied: Condvar,
}

struct State {
    lines: VecDeque<String>,
    /// Bytes of the lines.
    length: usize,
    /// Lines that were not written, and how many of them have been told.
    lost: u64,
    told: u64,
    /// Lines are out of the queue and not written yet.
    is_writing: bool,
    /// There is a thread that writes.
    has_writer: bool,
}

/// What is written at once.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: u64,
    /// The count of losses that it tells.
    told: Option<u64>,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue {
            state: Mutex::new(State {
                lines: VecDeque::new(),
                length: 0,
                lost: 0,
                told: 0,
                is_writing: false,
                has_writer: false,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or counts it as lost.
    pub(super) fn push(&self, line: String) {
        let mut state = self.lock();
        if state.lines.len() >= MAX_QUEUED_LINES || state.length + line.len() > MAX_QUEUED_LENGTH {
            state.lost += 1;
        } else {
            self.add(state, line);
        }
    }

    /// Queues what is said last, for which there is always room.
    pub(super) fn push_last(&self, text: String) {
        self.add(self.lock(), text);
    }

    fn add(&self, mut state: MutexGuard<'_, State>, line: String) {
        state.length += line.len();
        state.lines.push_back(line);
        drop(state);
        self.filled.notify_one();
    }

    /// Lines that were not written.
    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Notes that there is a thread that writes; tells whether there was one.
    pub(super) fn take_writer(&self) -> bool {
        std::mem::replace(&mut self.lock().has_writer, true)
    }

    /// Notes that there is none after all.
    pub(super) fn give_writer_back(&self) {
        self.lock().has_writer = false;
    }

    /// Waits until everything is written, at most for that time.
    pub(super) fn wait_until_written(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while state.is_writing || !state.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes for ever; `tell` makes a line of new losses and all losses.
    pub(super) fn write_on(&self, sink: &mut dyn Write, tell: impl Fn(u64, u64) -> String) {
        let mut is_broken = false;
        loop {
            let mut state = self.lock();
            while state.lines.is_empty() {
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            self.write(sink, &tell, &mut is_broken);
        }
    }

    /// Writes what there is, and ends.
    pub(super) fn write_out(&self, sink: &mut dyn Write, tell: impl Fn(u64, u64) -> String) {
        let mut is_broken = false;
        while self.write(sink, &tell, &mut is_broken) && !is_broken {}
    }

    /// Writes a part of what there is; tells whether there was something. `is_broken`: the last write failed, perhaps
    /// inside a line.
    fn write(&self, sink: &mut dyn Write, tell: impl Fn(u64, u64) -> String, is_broken: &mut bool) -> bool {
        let mut batch = Batch::default();
        if *is_broken {
            batch.bytes.push(b'\n');
        }
        {
            let mut state = self.lock();
            while batch.bytes.len() < BATCH_LENGTH
                && let Some(line) = state.lines.pop_front()
            {
                state.length -= line.len();
                batch.bytes.extend_from_slice(line.as_bytes());
                batch.lines += 1;
            }
            if batch.lines == 0 {
                return false;
            }
            state.is_writing = true;
            if state.lost > state.told {
                let line = tell(state.lost - state.told, state.lost);
                batch.bytes.extend_from_slice(line.as_bytes());
                batch.told = Some(state.lost);
            }
        }
        let written = sink.write_all(&batch.bytes).and_then(|()| sink.flush());
        *is_broken = written.is_err();
        let mut state = self.lock();
        match batch.told {
            _ if *is_broken => state.lost += batch.lines,
            Some(told) => state.told = told,
            None => {}
        }
        state.is_writing = false;
        let is_empty = state.lines.is_empty();
        drop(state);
        if is_empty {
            self.emptied.notify_all();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::logging::sinks::{Failing, Stalled};
    use std::sync::mpsc::channel;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn tell(more: u64, all: u64) -> String {
        format!("lost {more} of {all}\n")
    }

    /// A queue with a thread that writes.
    fn written_to(mut sink: impl Write + Send + 'static) -> &'static Queue {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        thread::spawn(move || queue.write_on(&mut sink, tell));
        queue
    }

    #[test]
    fn a_stalled_sink_costs_lines_and_no_time_and_the_losses_are_told_once() {
        let (release, released) = channel();
        let (sender, written) = channel();
        let queue = written_to(Stalled::new(released, sender));
        let count = 3 * MAX_QUEUED_LINES as u64;
        for _ in 0..count {
            queue.push("line\n".to_owned());
        }
        let lost = queue.lost();
        assert!(lost >= MAX_QUEUED_LINES as u64, "{lost}");
        // It is not waited for longer than asked.
        let start = Instant::now();
        queue.wait_until_written(Duration::from_millis(1));
        assert!(start.elapsed() < PATIENCE);
        drop(release);
        queue.wait_until_written(PATIENCE);
        let text = String::from_utf8(written.try_iter().collect::<Vec<_>>().concat()).unwrap();
        assert_eq!(text.matches("line\n").count() as u64, count - lost);
        assert_eq!(text.matches("lost").count(), 1, "{text}");
        assert!(text.contains(&format!("lost {lost} of {lost}\n")), "{text}");
    }

    #[test]
    fn long_lines_are_bounded_together_and_the_last_words_find_room() {
        let queue = Queue::new();
        for _ in 0..100 {
            queue.push("x".repeat(MAX_QUEUED_LENGTH / 10));
        }
        assert_eq!(queue.lost(), 90);
        queue.push_last("the end\n".to_owned());
        let mut written = Vec::new();
        queue.write_out(&mut written, tell);
        assert!(written.ends_with(b"the end\n"));
    }

    #[test]
    fn after_a_failure_a_line_begins_anew_and_the_loss_is_told() {
        let (sender, written) = channel();
        let queue = written_to(Failing::once(sender));
        queue.push("one\n".to_owned());
        queue.wait_until_written(PATIENCE);
        assert_eq!(queue.lost(), 1);
        queue.push("two\n".to_owned());
        queue.wait_until_written(PATIENCE);
        assert_eq!(written.try_iter().collect::<Vec<_>>().concat(), b"\ntwo\nlost 1 of 1\n");
    }
}
