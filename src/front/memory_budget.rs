//! The memory that all connections of a listener share for messages that are not through yet.
//!
//! Large bodies and large answers each have a bound of their own, and both together leave a part to small messages, so
//! that few clients with much to send or to take cannot keep out the many with little.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A message that holds no more than this is small: most messages of most APIs are.
pub const SMALL: usize = 64 * 1024;

/// What a reservation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Bodies of requests.
    Body,
    /// Answers that clients have not taken.
    Answer,
}

/// Bytes that may be held, and how many are.
#[derive(Debug)]
pub struct MemoryBudget {
    all: Pool,
    /// What is not small, of either class: seven eighths of all.
    large: Pool,
    /// Bodies that are not small: five eighths.
    bodies: Pool,
    /// Answers that are not small: a half.
    answers: Pool,
}

#[derive(Debug)]
struct Pool {
    limit: usize,
    held: AtomicUsize,
}

/// A part of a budget; it goes back when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    class: Class,
    /// Bytes that it has, for whatever they are.
    held: usize,
    /// How many of them are not for a buffer, see [`Reservation::set_apart`].
    apart: usize,
}

impl Pool {
    fn of(limit: usize) -> Pool {
        let held = AtomicUsize::new(0);
        Pool { limit, held }
    }

    /// Makes one part of it larger or smaller; tells whether it can be had.
    fn resize(&self, from: usize, to: usize) -> bool {
        if to == from {
            return true;
        }
        if to < from {
            self.held.fetch_sub(from - to, Ordering::Relaxed);
            return true;
        }
        let before = self.held.fetch_add(to - from, Ordering::Relaxed);
        let is_had = before.saturating_add(to - from) <= self.limit;
        if !is_had {
            self.held.fetch_sub(to - from, Ordering::Relaxed);
        }
        is_had
    }

    fn is_half_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.limit / 2
    }
}

impl MemoryBudget {
    /// A budget of that many bytes.
    pub fn of(limit: usize) -> Arc<MemoryBudget> {
        let eighths = |count| Pool::of(limit / 8 * count);
        Arc::new(MemoryBudget {
            all: Pool::of(limit),
            large: eighths(7),
            bodies: eighths(5),
            answers: eighths(4),
        })
    }

    /// A reservation of it, empty at first.
    pub fn reserve(self: &Arc<MemoryBudget>, class: Class) -> Reservation {
        Reservation {
            budget: Arc::clone(self),
            class,
            held: 0,
            apart: 0,
        }
    }

    /// Whether more than half of what a class may have is held, or of all: connections that hold some are given less
    /// time then.
    pub fn is_scarce(&self, class: Class) -> bool {
        self.all.is_half_held() || self.class(class).is_half_held()
    }

    fn class(&self, class: Class) -> &Pool {
        match class {
            Class::Body => &self.bodies,
            Class::Answer => &self.answers,
        }
    }
}

/// What counts as large of so many bytes.
fn large(bytes: usize) -> usize {
    if bytes > SMALL { bytes } else { 0 }
}

impl Reservation {
    /// Bytes that it has.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes so many bytes that are not a buffer's, before all others; tells whether the budget has them.
    #[must_use]
    pub fn set_apart(&mut self, bytes: usize) -> bool {
        let is_had = self.resize(bytes);
        self.apart = self.held;
        is_had
    }

    /// Makes room for `more` bytes behind those that are in the buffer, which grows by doubling, but not past `most`
    /// without need, and by as little as it may when the budget is nearly spent. Tells whether the budget has them; if
    /// not, nothing has changed.
    #[must_use]
    pub fn make_room(&mut self, buffer: &mut Vec<u8>, more: usize, most: usize) -> bool {
        let needed = buffer.len() + more;
        if needed > buffer.capacity() {
            let doubled = needed.max((buffer.capacity() * 2).min(most));
            if !self.resize(self.apart + doubled) && !self.resize(self.apart + needed) {
                return false;
            }
            buffer.reserve_exact(self.held - self.apart - buffer.len());
        }
        true
    }

    /// Makes the reservation that many bytes; tells whether the budget has them, and changes nothing if not.
    #[must_use]
    pub fn resize(&mut self, bytes: usize) -> bool {
        let (from, to) = (self.held, bytes);
        let all = &self.budget.all;
        if !all.resize(from, to) {
            return false;
        }
        let pools = [&self.budget.large, self.budget.class(self.class)];
        for (tried, pool) in pools.iter().enumerate() {
            if !pool.resize(large(from), large(to)) {
                // Going back is always had.
                for pool in pools.iter().take(tried) {
                    let _ = pool.resize(large(to), large(from));
                }
                let _ = all.resize(to, from);
                return false;
            }
        }
        self.held = bytes;
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let _ = self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &MemoryBudget) -> [usize; 4] {
        [&budget.all, &budget.large, &budget.bodies, &budget.answers].map(|pool| pool.held.load(Ordering::Relaxed))
    }

    #[test]
    fn what_is_held_is_never_more_than_the_budget() {
        let budget = MemoryBudget::of(100);
        let (mut one, mut other) = (budget.reserve(Class::Body), budget.reserve(Class::Answer));
        assert!(one.resize(60));
        assert!(!other.resize(41));
        assert!(other.resize(40));
        assert!(!one.resize(61));
        assert!(one.resize(10));
        assert!(other.resize(90));
        drop(other);
        assert!(one.resize(100));
        drop(one);
        assert_eq!(held(&budget), [0; 4]);
    }

    #[test]
    fn large_messages_leave_room_for_others() {
        const M: usize = 1_000_000;
        let budget = MemoryBudget::of(8 * M);
        let reservation = |class| budget.reserve(class);
        let mut body = reservation(Class::Body);
        assert!(!budget.is_scarce(Class::Body));
        assert!(!body.resize(5 * M + 1));
        assert_eq!(held(&budget), [0; 4]);
        assert!(body.resize(5 * M));
        assert!(budget.is_scarce(Class::Body) && budget.is_scarce(Class::Answer));
        assert_eq!(held(&budget), [5 * M, 5 * M, 5 * M, 0]);
        // Small at first, it does not grow to what is not there.
        let mut second = reservation(Class::Body);
        assert!(second.resize(SMALL));
        assert!(!second.resize(SMALL + 1));
        drop(second);
        let mut answer = reservation(Class::Answer);
        assert!(answer.resize(2 * M));
        // Both together leave an eighth.
        assert!(!answer.resize(2 * M + 1));
        assert_eq!(held(&budget), [7 * M, 7 * M, 5 * M, 2 * M]);
        let mut small: Vec<Reservation> = Vec::new();
        while small.len() < M / SMALL {
            small.push(reservation(Class::Answer));
            assert!(small.last_mut().unwrap().resize(SMALL));
        }
        drop(body);
        assert!(answer.resize(4 * M));
        assert!(!answer.resize(4 * M + 1));
        assert!(budget.is_scarce(Class::Answer));
        assert!(answer.resize(2 * M));
        assert!(!budget.is_scarce(Class::Answer));
        drop((answer, small));
        assert_eq!(held(&budget), [0; 4]);
    }

    #[test]
    fn what_is_set_apart_is_no_room_for_a_buffer() {
        let budget = MemoryBudget::of(1_000);
        let mut reservation = budget.reserve(Class::Body);
        assert!(!reservation.set_apart(1_001));
        assert!(reservation.set_apart(900));
        let mut buffer = Vec::new();
        assert!(reservation.make_room(&mut buffer, 40, 300));
        buffer.resize(40, 0);
        assert!(!reservation.make_room(&mut buffer, 61, 300));
        assert!(reservation.make_room(&mut buffer, 60, 300));
        assert_eq!((buffer.capacity(), reservation.held), (100, 1_000));
        drop(reservation);
        assert_eq!(held(&budget), [0; 4]);
    }

    #[test]
    fn a_buffer_grows_with_what_comes_and_not_past_its_end() {
        let budget = MemoryBudget::of(1_000);
        let mut reservation = budget.reserve(Class::Body);
        let mut buffer = Vec::new();
        assert!(reservation.make_room(&mut buffer, 10, 300));
        assert_eq!(buffer.capacity(), 10);
        for length in [10, 20, 40, 80, 160] {
            buffer.resize(length, 0);
            assert!(reservation.make_room(&mut buffer, 1, 300));
        }
        assert_eq!((buffer.capacity(), reservation.held), (300, 300));
        assert!(!reservation.make_room(&mut buffer, 2_000, 3_000));
        assert_eq!((buffer.capacity(), reservation.held), (300, 300));
        buffer.resize(300, 0);
        assert!(reservation.make_room(&mut buffer, 1, 3_000));
        buffer.resize(600, 0);
        // Not by doubling, which the budget does not have.
        assert!(reservation.make_room(&mut buffer, 1, 3_000));
        assert_eq!((buffer.capacity(), reservation.held), (601, 601));
    }
}
