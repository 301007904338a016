//! The last requests, within a number and a size: the oldest go first.

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
    /// Each at its number modulo [`MAX_ENTRIES`].
    slots: Vec<Entry>,
    /// The number of the oldest one.
    first: u64,
    next: u64,
    size: usize,
}

impl Ring {
    /// Puts in a request, whose summary is filled in; its number, and the detail of the one whose place it takes, which the
    /// caller drops when it has time.
    pub fn begin(
        &mut self,
        detail: Option<Box<Detail>>,
        fill: impl FnOnce(&mut Summary),
    ) -> (u64, Option<Box<Detail>>) {
        let number = self.next;
        self.next += 1;
        self.first = self.first.max(self.next.saturating_sub(MAX_ENTRIES as u64));
        let place = place(number);
        while self.slots.len() <= place {
            self.slots.push(Entry::default());
        }
        let Some(entry) = self.slots.get_mut(place) else {
            return (number, detail);
        };
        entry.number = number;
        entry.summary.clear();
        fill(&mut entry.summary);
        let before = std::mem::replace(&mut entry.detail, detail);
        self.measure(number);
        (number, before)
    }

    /// A request by its number; none where it is gone.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let is_there = (self.first..self.next).contains(&number);
        self.slots.get_mut(place(number)).filter(|_| is_there)
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
    pub fn measure(&mut self, number: u64) {
        let Some(entry) = self.slots.get_mut(place(number)) else {
            return;
        };
        let size = entry.summary.size() + entry.detail.as_ref().map_or(0, |detail| detail.size());
        let before = std::mem::replace(&mut entry.size, size);
        self.size = (self.size + size).saturating_sub(before);
        while self.size > MAX_SIZE && self.first < self.next {
            if let Some(oldest) = self.slots.get_mut(place(self.first)) {
                self.size = self.size.saturating_sub(oldest.size);
                *oldest = Entry::default();
            }
            self.first += 1;
        }
    }

    /// All of them, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Entry> {
        let numbers = (self.first..self.next).rev();
        numbers.filter_map(|number| self.slots.get(place(number)))
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let numbers = self.first..self.next;
        self.slots
            .iter_mut()
            .filter(move |entry| numbers.contains(&entry.number))
    }

    /// The one with that id.
    pub fn find(&self, request_id: &str) -> Option<&Entry> {
        self.newest_first().find(|entry| entry.summary.request_id == request_id)
    }

    /// Forgets all of them. Those that are under way are not entered again.
    pub fn clear(&mut self) {
        self.slots = Vec::new();
        self.first = self.next;
        self.size = 0;
    }

    /// Forgets heads and bodies.
    pub fn clear_details(&mut self) {
        self.size = 0;
        for entry in &mut self.slots {
            entry.detail = None;
            entry.size = entry.summary.size();
            self.size += entry.size;
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.next - self.first).unwrap_or(usize::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first == self.next
    }

    /// Bytes that they take.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Where a request stands.
fn place(number: u64) -> usize {
    usize::try_from(number % MAX_ENTRIES as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ring: &mut Ring, id: &str, path: usize) -> u64 {
        let (number, _) = ring.begin(None, |summary| {
            summary.request_id = id.to_owned();
            summary.path = "p".repeat(path);
        });
        number
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
        assert_eq!(ring.size(), MAX_ENTRIES);
        ring.clear();
        assert!(ring.change(numbers[200], |_| ()).is_none());
        let next = named(&mut ring, "x", 3);
        assert_eq!((next, ring.size()), (201, 3));
    }

    #[test]
    fn all_of_them_together_have_a_bound() {
        let mut ring = Ring::default();
        for at in 0..33 {
            named(&mut ring, &format!("{at:02}"), 1024 * 1024);
        }
        assert_eq!((ring.len(), ring.size()), (32, MAX_SIZE));
        assert!(ring.find("00").is_none());
        let newest = named(&mut ring, "newest", 0);
        assert_eq!(ring.len(), 33);
        ring.change(newest, |entry| entry.summary.path = "p".repeat(1024 * 1024 + 1));
        assert_eq!(ring.len(), 31, "two give way to one byte more than one");
        assert!(ring.find("newest").is_some());
    }
}
