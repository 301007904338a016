//! Long answers take turns, so that many of them at once leave the processors to ordinary requests.
//!
//! Bytes are moved by few workers at a time; other long answers wait without a worker. One whose integration or
//! client lets it wait does not count, since it needs no processor: another may begin then, as long as workers are
//! left.
//!
//! Who waits gives back its destination's slot, and takes it again when its turn begins with a worker: a slot that
//! waited for a worker would be refused to those that have one. No destination has all turns: one that hangs never
//! stops the answers of others.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::platform::concurrency::{self, ConcurrencyLimit, ConcurrencyPermit};

/// The streams that take turns, and those that wait for one.
#[derive(Debug)]
pub struct StreamScheduler<T> {
    most: Most,
    state: Mutex<State<T>>,
}

/// What takes turns.
pub trait Task {
    /// What it holds of its destination while it has a worker, if there is a bound for that.
    fn slot(&mut self) -> Option<&mut ConcurrencyPermit>;
}

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// So many move bytes at the same time.
    pub moving: usize,
    /// So many have a turn, those too that move nothing; of one destination, its [`share`](concurrency::share) of them.
    pub turns: NonZeroUsize,
    /// So many wait for a turn.
    pub waiting: usize,
    /// A stream that has moved nothing for this long waits for a peer.
    pub step_time: Duration,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    has: Holders,
}

/// Those that have a turn.
#[derive(Debug, Default)]
struct Holders(Vec<Arc<Holder>>);

#[derive(Debug)]
struct Holder {
    destination: Option<Arc<ConcurrencyLimit>>,
    begun: Instant,
    /// Milliseconds from there to when it has moved something last.
    last: AtomicU64,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Permit(Arc<Holder>);

/// What becomes of a task that asks for a turn.
#[derive(Debug)]
pub enum Asked<T> {
    /// It has one.
    Has(T, Permit),
    /// It waits.
    Waits,
}

impl Permit {
    /// Something was moved.
    pub fn step(&self) {
        let passed = self.0.begun.elapsed().as_millis();
        self.0
            .last
            .store(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Holder {
    fn is_moving(&self, step_time: Duration) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.begun.elapsed() < last + step_time
    }

    fn is_of(&self, destination: &Arc<ConcurrencyLimit>) -> bool {
        self.destination
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, destination))
    }
}

impl<T: Task> StreamScheduler<T> {
    /// Turns within these bounds.
    pub fn new(most: Most) -> StreamScheduler<T> {
        StreamScheduler {
            most,
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                has: Holders::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a turn. Where too many wait, it is given all the same: then the worker is what is short.
    pub fn ask(&self, mut task: T) -> Asked<T> {
        let mut state = self.state();
        let has_room = state.waiting.len() < self.most.waiting;
        let waits = has_room && {
            let slot = task.slot();
            let may = state.has.are_left(&self.most) && state.has.are_left_for(slot.as_deref(), &self.most);
            !may || !state.waiting.is_empty()
        };
        if waits {
            if let Some(slot) = task.slot() {
                slot.give_back();
            }
            state.waiting.push_back(task);
            return Asked::Waits;
        }
        let turn = state.has.begin(&mut task);
        Asked::Has(task, turn)
    }

    /// Begins a turn for which there is a worker now. Where the destination's last slot has gone to another
    /// meanwhile, the task waits on, as the first.
    pub fn begin(&self, mut task: T, turn: Permit) -> Asked<T> {
        if task.slot().is_none_or(ConcurrencyPermit::take_again) {
            return Asked::Has(task, turn);
        }
        drop(turn);
        self.state().waiting.push_front(task);
        Asked::Waits
    }

    /// Of the tasks that may begin, the one that has waited longest, if there is a turn for it.
    pub fn next(&self) -> Option<(T, Permit)> {
        let mut state = self.state();
        let State { waiting, has } = &mut *state;
        if waiting.is_empty() || !has.are_left(&self.most) {
            return None;
        }
        // Many may wait for the same one.
        let mut full: Vec<Arc<ConcurrencyLimit>> = Vec::new();
        let first = waiting.iter_mut().position(|task| {
            let Some(slot) = task.slot() else { return true };
            if full.iter().any(|slots| Arc::ptr_eq(slots, slot.slots())) {
                return false;
            }
            let may = has.are_left_for(Some(slot), &self.most) && slot.slots().has_free();
            if !may {
                full.push(Arc::clone(slot.slots()));
            }
            may
        })?;
        let mut task = waiting.remove(first)?;
        let turn = has.begin(&mut task);
        Some((task, turn))
    }

    /// Takes out those that wait and that are wanted no more.
    pub fn take_out(&self, mut is_unwanted: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.state();
        let (unwanted, waiting) = state.waiting.drain(..).partition(|task| is_unwanted(task));
        state.waiting = waiting;
        Vec::from(unwanted)
    }

    /// Whether somebody waits.
    pub fn has_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }
}

impl Holders {
    fn begin(&mut self, task: &mut impl Task) -> Permit {
        let holder = Arc::new(Holder {
            destination: task.slot().map(|slot| Arc::clone(slot.slots())),
            begun: Instant::now(),
            // It counts until it could begin.
            last: AtomicU64::new(u64::MAX),
        });
        self.0.push(Arc::clone(&holder));
        Permit(holder)
    }

    /// Whether there is a turn left.
    fn are_left(&mut self, most: &Most) -> bool {
        // Whose turn is dropped has ended.
        self.0.retain(|holder| Arc::strong_count(holder) > 1);
        let moving = self.0.iter().filter(|holder| holder.is_moving(most.step_time));
        self.0.len() < most.turns.get() && moving.count() < most.moving
    }

    /// Whether there is one left for the destination of that slot.
    fn are_left_for(&self, slot: Option<&ConcurrencyPermit>, most: &Most) -> bool {
        slot.is_none_or(|slot| {
            let same = self.0.iter().filter(|holder| holder.is_of(slot.slots()));
            same.count() < concurrency::share(most.turns).get()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(3600);

    #[derive(Debug)]
    struct Numbered(i32, Option<ConcurrencyPermit>);

    impl Task for Numbered {
        fn slot(&mut self) -> Option<&mut ConcurrencyPermit> {
            self.1.as_mut()
        }
    }

    fn begin(turns: &StreamScheduler<Numbered>, number: i32, slot: Option<ConcurrencyPermit>) -> (Numbered, Permit) {
        match turns.ask(Numbered(number, slot)) {
            Asked::Has(task, turn) => (task, turn),
            Asked::Waits => panic!("there is a turn"),
        }
    }

    fn waits(turns: &StreamScheduler<Numbered>, number: i32, slot: Option<ConcurrencyPermit>) -> bool {
        matches!(turns.ask(Numbered(number, slot)), Asked::Waits)
    }

    fn next(turns: &StreamScheduler<Numbered>) -> Option<(i32, (Numbered, Permit))> {
        turns.next().map(|(task, turn)| (task.0, (task, turn)))
    }

    fn number(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    fn turns(moving: usize, turns: usize, step_time: Duration) -> StreamScheduler<Numbered> {
        StreamScheduler::new(Most {
            moving,
            turns: number(turns),
            waiting: 2,
            step_time,
        })
    }

    #[test]
    fn as_many_have_a_turn_as_may_and_the_others_wait_in_order() {
        let turns = turns(2, 9, LONG);
        let (first, _second) = (begin(&turns, 1, None), begin(&turns, 2, None));
        assert!(waits(&turns, 3, None));
        assert!(waits(&turns, 4, None));
        // As many wait as may.
        let fifth = begin(&turns, 5, None);
        assert!(next(&turns).is_none());
        drop((first, fifth));
        let (number, third) = next(&turns).unwrap();
        assert_eq!(number, 3);
        assert!(next(&turns).is_none());
        drop(third);
        // Who comes later does not pass who waits.
        assert!(waits(&turns, 6, None));
        let (number, _fourth) = next(&turns).unwrap();
        assert_eq!(number, 4);
        assert!(next(&turns).is_none());
    }

    #[test]
    fn who_is_not_wanted_any_more_is_taken_out_and_the_others_keep_their_order() {
        let turns = turns(1, 9, LONG);
        let first = begin(&turns, 1, None);
        assert!(waits(&turns, 2, None) && waits(&turns, 3, None));
        let out = |number| turns.take_out(|task| task.0 == number).len();
        assert_eq!((out(2), out(2)), (1, 0));
        assert!(waits(&turns, 4, None));
        drop(first);
        let (number, _third) = next(&turns).unwrap();
        assert_eq!(number, 3);
    }

    #[test]
    fn who_has_begun_and_moves_nothing_counts_as_a_turn_only() {
        let turns = turns(1, 2, Duration::ZERO);
        let (_, first) = begin(&turns, 1, None);
        assert!(waits(&turns, 2, None), "the first has not begun");
        first.step();
        let (_, (_, second)) = next(&turns).unwrap();
        second.step();
        assert!(waits(&turns, 3, None));
        assert!(turns.has_waiting());
        drop(first);
        assert!(next(&turns).is_some());
    }

    #[test]
    fn the_first_whose_destination_has_a_slot_passes_those_whose_has_none() {
        let turns = turns(9, 9, LONG);
        let (hung, healthy) = (ConcurrencyLimit::new(number(1)), ConcurrencyLimit::new(number(1)));
        let turn = begin(&turns, 0, None);
        // Who waits has given back its slot, so that others may have it.
        let all = (0..8).map(|_| begin(&turns, 0, None)).collect::<Vec<_>>();
        assert!(waits(&turns, 1, hung.take()) && waits(&turns, 2, healthy.take()));
        let slot = hung.take().unwrap();
        drop(all);
        let (number, (task, second)) = next(&turns).unwrap();
        assert_eq!(number, 2);
        let Asked::Has(task, second) = turns.begin(task, second) else {
            panic!("it has its slot");
        };
        assert!(healthy.take().is_none(), "it has its slot again");
        assert!(next(&turns).is_none() && turns.has_waiting());
        drop(slot);
        // Where it is gone once more when there is a worker, it waits on.
        let (number, (first, third)) = next(&turns).unwrap();
        assert_eq!(number, 1);
        let slot = hung.take().unwrap();
        assert!(matches!(turns.begin(first, third), Asked::Waits));
        assert!(next(&turns).is_none() && turns.has_waiting());
        drop(slot);
        assert_eq!(next(&turns).unwrap().0, 1);
        drop((turn, task, second));
    }

    #[test]
    fn no_destination_has_all_turns() {
        let turns = turns(9, 3, Duration::ZERO);
        let (hung, healthy) = (ConcurrencyLimit::new(number(9)), ConcurrencyLimit::new(number(9)));
        let has = (begin(&turns, 1, hung.take()), begin(&turns, 2, hung.take()));
        has.0.1.step();
        has.1.1.step();
        assert!(waits(&turns, 3, hung.take()) && waits(&turns, 4, healthy.take()));
        let (number, fourth) = next(&turns).unwrap();
        assert_eq!(number, 4);
        drop(fourth);
        assert!(next(&turns).is_none(), "that one is left to others");
        drop(has);
        assert_eq!(next(&turns).unwrap().0, 3);
    }
}
