//! The last requests, within a number and a size: the oldest go first.

use std::collections::VecDeque;

use crate::data_plane::capture::entry::{Detail, Summary};

/// Requests that are kept.
pub const MAX_ENTRIES: usize = 200;

/// Bytes that are kept of all of them.
pub const MAX_SIZE: usize = 32 * 1024 * 1024;

/// A request in the ring.
#[derive(Debug, Default)]
pub struct Entry {
    /// Its place in the order of all requests.
    pub number: u64,
    /// What is always kept.
    pub summary: Summary,
    /// What is kept where somebody watches.
    pub detail: Option<Box<Detail>>,
    /// Bytes that it takes.
    size: usize,
}

/// The last requests.
#[derive(Debug, Default)]
pub struct Ring {
    /// By their numbers, which follow one another.
    entries: VecDeque<Entry>,
    next: u64,
    size: usize,
}

impl Ring {
    /// Puts in a request, whose summary is filled in; its number.
    pub fn begin(&mut self, detail: Option<Box<Detail>>, fill: impl FnOnce(&mut Summary)) -> u64 {
        let mut entry = match self.entries.len() >= MAX_ENTRIES {
            true => self.take_oldest().unwrap_or_default(),
            false => Entry::default(),
        };
        entry.number = self.next;
        self.next += 1;
        entry.summary.clear();
        fill(&mut entry.summary);
        entry.detail = detail;
        entry.size = 0;
        let number = entry.number;
        self.entries.push_back(entry);
        self.measure(number);
        number
    }

    fn take_oldest(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.size -= entry.size;
        Some(entry)
    }

    /// A request by its number; none where it is gone.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.entries.get_mut(at)
    }

    /// Changes a request, if it is there still, and makes room for what it takes more.
    pub fn change<T>(&mut self, number: u64, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let changed = self.get_mut(number).map(change);
        if changed.is_some() {
            self.measure(number);
        }
        changed
    }

    /// Counts what a request takes, and drops the oldest ones where that is too much.
    fn measure(&mut self, number: u64) {
        let Some(entry) = self.get_mut(number) else { return };
        let size = entry.summary.size() + entry.detail.as_ref().map_or(0, |detail| detail.size());
        let before = std::mem::replace(&mut entry.size, size);
        self.size = (self.size + size).saturating_sub(before);
        while self.size > MAX_SIZE && self.take_oldest().is_some() {}
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// The one with that id.
    pub fn find(&self, request_id: &str) -> Option<&Entry> {
        self.newest_first().find(|entry| entry.summary.request_id == request_id)
    }

    /// Forgets all of them. Those that are under way are not entered again.
    pub fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.size = 0;
    }

    /// Forgets heads and bodies.
    pub fn clear_details(&mut self) {
        self.size = 0;
        for entry in &mut self.entries {
            entry.detail = None;
            entry.size = entry.summary.size();
            self.size += entry.size;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that they take.
    pub fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ring: &mut Ring, id: &str, path: usize) -> u64 {
        ring.begin(None, |summary| {
            summary.request_id = id.to_owned();
            summary.path = "p".repeat(path);
        })
    }

    #[test]
    fn the_oldest_go_first() {
        let mut ring = Ring::default();
        let numbers: Vec<u64> = (0..=MAX_ENTRIES)
            .map(|at| named(&mut ring, &at.to_string(), 1))
            .collect();
        assert_eq!(ring.len(), MAX_ENTRIES);
        assert!(ring.find("0").is_none());
        assert!(ring.find("1").is_some());
        assert!(ring.change(numbers[0], |_| ()).is_none());
        assert!(
            ring.change(numbers[1], |entry| assert_eq!(entry.summary.request_id, "1"))
                .is_some()
        );
        let lengths: usize = (1..=MAX_ENTRIES).map(|at| at.to_string().len() + 1).sum();
        assert_eq!(ring.size(), lengths);
        ring.clear();
        assert!(ring.change(numbers[200], |_| ()).is_none());
        let next = named(&mut ring, "x", 3);
        assert_eq!((next, ring.size()), (201, 4));
    }

    #[test]
    fn all_of_them_together_have_a_bound() {
        let mut ring = Ring::default();
        for at in 0..33 {
            named(&mut ring, &format!("{at:02}"), 1024 * 1024 - 2);
        }
        assert_eq!((ring.len(), ring.size()), (32, MAX_SIZE));
        assert!(ring.find("00").is_none());
        let newest = named(&mut ring, "newest", 0);
        assert_eq!(ring.len(), 32);
        ring.change(newest, |entry| entry.summary.path = "p".repeat(1024 * 1024));
        assert_eq!(ring.len(), 31, "two give way to one byte more than one");
        assert!(ring.find("newest").is_some());
    }
}
