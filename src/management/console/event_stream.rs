//! What one page is told, in the form of `text/event-stream`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::data_plane::capture::Capture;
use crate::data_plane::capture::events::{Event, Pace};
use crate::management::console::answer::escaped;
use crate::management::console::requests;

/// How often a page is told at least that the stream lives.
pub(super) const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// A page that watches; it does so until this is dropped.
#[derive(Debug)]
pub(super) struct EventStream {
    capture: Arc<Capture>,
    /// The number of the last event that was told, or left out.
    last: u64,
    pace: Pace,
    /// Events that are lost, and were not told of.
    dropped: u64,
    told_at: Instant,
    is_new: bool,
}

impl EventStream {
    /// A page that knows the events up to that one, if it says so. None where too many watch.
    pub(super) fn open(capture: &Arc<Capture>, known: Option<u64>) -> Option<EventStream> {
        let last = capture.open_stream()?;
        Some(EventStream {
            capture: Arc::clone(capture),
            // A number of another process is none of ours.
            last: known.filter(|known| *known <= last).unwrap_or(last),
            pace: Pace::default(),
            dropped: 0,
            told_at: Instant::now(),
            is_new: true,
        })
    }

    /// The number of the last event that is not to be told any more.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// When there is something to say, whatever happens.
    pub(super) fn due(&self) -> Instant {
        let comment = self.told_at + COMMENT_INTERVAL;
        self.pace.due().map_or(comment, |due| due.min(comment))
    }

    /// Waits until there may be something to say.
    pub(super) fn wait(&self) {
        self.capture.wait_for_events(self.last, self.due());
    }

    /// What is to be said now; nothing where there is nothing. While there is no room for so many bytes, the page loses
    /// events.
    pub(super) fn next(&mut self, room: usize) -> String {
        let takes_more = room > 0;
        let (events, missed) = self.capture.events_after(self.last);
        self.dropped += missed;
        let now = Instant::now();
        let mut text = String::new();
        if std::mem::take(&mut self.is_new) {
            text.push_str(": the events of this gateway\n\n");
        }
        for (number, event) in events {
            self.last = number;
            match text.len() < room {
                true => self.tell(&mut text, number, &event, now),
                false => self.dropped += told_by(&event),
            }
        }
        if takes_more && self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            event(&mut text, None, "dropped", &json!({"dropped": dropped}));
        }
        if let Some(count) = self.pace.take_left_out(now).filter(|_| takes_more) {
            event(&mut text, None, "burst", &json!({"burst": count}));
        }
        if text.is_empty() && takes_more && now.saturating_duration_since(self.told_at) >= COMMENT_INTERVAL {
            text.push_str(": nothing new\n\n");
        }
        if !text.is_empty() {
            self.told_at = now;
        }
        text
    }

    fn tell(&mut self, text: &mut String, number: u64, told: &Event, now: Instant) {
        match told {
            Event::Request(summary) => {
                if self.pace.allows(now) {
                    event(text, Some(number), "request", &requests::summary(summary));
                }
            }
            Event::Burst(count) => event(text, Some(number), "burst", &json!({"burst": count})),
            Event::Deployment(hash) => event(text, Some(number), "deployment", &json!({"hash": hash})),
            Event::Problems => event(text, Some(number), "problems", &json!({})),
        }
    }
}

/// How many events of its own one stands for.
fn told_by(event: &Event) -> u64 {
    match event {
        Event::Burst(count) => *count,
        Event::Request(_) | Event::Deployment(_) | Event::Problems => 1,
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.capture.close_stream(Instant::now());
    }
}

/// An event, whose data is one line of JSON.
fn event(text: &mut String, number: Option<u64>, name: &str, data: &serde_json::Value) {
    // Writing to a string cannot fail.
    if let Some(number) = number {
        let _ = writeln!(text, "id: {number}");
    }
    let _ = write!(text, "event: {name}\ndata: {}\n\n", escaped(data));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::capture::Mode;
    use crate::deployment::configuration::Configuration;

    #[test]
    fn a_page_that_takes_nothing_loses_events_and_is_told_so() {
        let capture = Arc::new(Capture::new(Mode::Auto, false, |_, _, _, _| json!(null)));
        let mut stream = EventStream::open(&capture, None).unwrap();
        assert_eq!(stream.next(100), ": the events of this gateway\n\n");
        let configuration = Arc::new(Configuration::default());
        // Each is an event: the files may have other problems.
        for _ in 0..2 {
            capture.note_deployment(&configuration, &configuration);
        }
        assert_eq!(stream.next(0), "");
        assert_eq!(stream.next(100), "event: dropped\ndata: {\"dropped\":2}\n\n");
        for _ in 0..2 {
            capture.note_deployment(&configuration, &configuration);
        }
        let one = "id: 3\nevent: problems\ndata: {}\n\nevent: dropped\ndata: {\"dropped\":1}\n\n";
        assert_eq!(stream.next(1), one);
        assert_eq!(stream.next(100), "");
    }
}
