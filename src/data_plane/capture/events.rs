//! What pages are told while they watch: a bounded list of events, and a bound on how many there are in a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data_plane::capture::entry::Summary;

/// Events that are kept for streams that are slow or that come back.
pub const MAX_EVENTS: usize = 256;

/// Requests that are told in a second; the others are counted.
pub const MAX_REQUESTS_A_SECOND: u32 = 50;

/// The second in which requests are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request has begun or ended.
    Request(Arc<Summary>),
    /// So many more have, that are not told.
    Burst(u64),
    /// Other files are served, with that hash.
    Deployment(String),
    /// The problems of the files may be others.
    Problems,
}

/// How many requests were told in this second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    begun: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Pace {
    /// Whether another request may be told now. One that may not is counted.
    pub fn allows(&mut self, now: Instant) -> bool {
        if self.is_over(now) {
            self.begun = Some(now);
            self.told = 0;
        }
        if self.told < MAX_REQUESTS_A_SECOND {
            self.told += 1;
            return true;
        }
        self.left_out += 1;
        false
    }

    /// How many were left out, once the second is over.
    pub fn take_left_out(&mut self, now: Instant) -> Option<u64> {
        (self.left_out > 0 && self.is_over(now)).then(|| std::mem::take(&mut self.left_out))
    }

    /// When [`Pace::take_left_out`] has something to say.
    pub fn due(&self) -> Option<Instant> {
        self.begun.filter(|_| self.left_out > 0).map(|begun| begun + WINDOW)
    }

    fn is_over(&self, now: Instant) -> bool {
        self.begun
            .is_none_or(|begun| now.saturating_duration_since(begun) >= WINDOW)
    }
}

/// The last events.
#[derive(Debug, Default)]
pub struct Events {
    all: VecDeque<Event>,
    /// The bursts that are gone, as far as they are remembered: their numbers, and how many requests each stood for.
    gone: VecDeque<(u64, u64)>,
    /// The number of the last one; the first of all is 1.
    last: u64,
    pace: Pace,
}

impl Events {
    /// Tells of a request, unless there are too many; whether it did.
    pub fn request(&mut self, summary: &Summary, now: Instant) -> bool {
        self.end_burst(now);
        let is_told = self.pace.allows(now);
        if is_told {
            self.push(Event::Request(Arc::new(summary.clone())));
        }
        is_told
    }

    /// Tells how many requests were not told, once their second is over.
    pub fn end_burst(&mut self, now: Instant) {
        if let Some(count) = self.pace.take_left_out(now) {
            self.push(Event::Burst(count));
        }
    }

    /// Tells of something.
    pub fn push(&mut self, event: Event) {
        if self.all.len() >= MAX_EVENTS
            && let Some(Event::Burst(count)) = self.all.pop_front()
        {
            if self.gone.len() >= MAX_EVENTS {
                self.gone.pop_front();
            }
            self.gone.push_back((self.last + 1 - MAX_EVENTS as u64, count));
        }
        self.all.push_back(event);
        self.last += 1;
    }

    /// When a burst ends that is to be told.
    pub fn due(&self) -> Option<Instant> {
        self.pace.due()
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The events behind one, with their numbers, and how many of them are gone. A burst is as many as it stands for.
    pub fn after(&self, number: u64) -> (Vec<(u64, Event)>, u64) {
        let first = self.last - self.all.len() as u64 + 1;
        let bursts = self.gone.iter().filter(|(of, _)| *of > number);
        let in_bursts: u64 = bursts.map(|(_, count)| count - 1).sum();
        let missed = first.saturating_sub(number.saturating_add(1)) + in_bursts;
        let numbered = (first..).zip(self.all.iter());
        let wanted = numbered.filter(|(of, _)| *of > number);
        (wanted.map(|(of, event)| (of, event.clone())).collect(), missed)
    }

    /// Forgets them; their numbers go on.
    pub fn clear(&mut self) {
        self.all = VecDeque::new();
        self.gone = VecDeque::new();
        self.pace = Pace::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_a_second_and_the_others_in_one() {
        let mut events = Events::default();
        let begun = Instant::now();
        for _ in 0..120 {
            events.request(&Summary::default(), begun);
        }
        assert_eq!(events.last(), 50);
        assert_eq!(events.due(), Some(begun + WINDOW));
        events.end_burst(begun + WINDOW / 2);
        assert_eq!(events.last(), 50);
        events.request(&Summary::default(), begun + WINDOW);
        let (after, missed) = events.after(50);
        assert!(
            matches!(after.as_slice(), [(51, Event::Burst(70)), (52, Event::Request(_))]),
            "{after:?}"
        );
        assert_eq!((missed, events.due()), (0, None));
    }

    #[test]
    fn events_that_are_gone_are_counted() {
        let mut events = Events::default();
        for _ in 0..MAX_EVENTS + 10 {
            events.push(Event::Problems);
        }
        let (after, missed) = events.after(4);
        assert_eq!((after.len(), missed), (MAX_EVENTS, 6));
        assert_eq!(after[0].0, 11);
        assert_eq!(events.after(events.last()).0.len(), 0);
        assert_eq!(events.after(u64::MAX).1, 0);
        // A burst that is gone is as many as it stands for.
        events.push(Event::Burst(70));
        let number = events.last();
        for _ in 0..MAX_EVENTS {
            events.push(Event::Problems);
        }
        assert_eq!(events.after(number - 1).1, 70);
        assert_eq!(events.after(number).1, 0);
    }
}
