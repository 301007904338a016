//! Long answers take turns, so that many of them at once leave the processors to ordinary requests.
//!
//! Bytes are moved by few workers at a time; other long answers wait without a worker. One whose integration or
//! client lets it wait does not count, since it needs no processor: another may begin then, as long as workers are left.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who takes turns, and who waits for one.
#[derive(Debug)]
pub struct Turns<Task> {
    most: Most,
    state: Mutex<State<Task>>,
}

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// So many move bytes at the same time.
    pub moving: usize,
    /// So many have a turn, those too that move nothing.
    pub turns: usize,
    /// So many wait for a turn.
    pub waiting: usize,
    /// Who has moved nothing for this long waits for somebody.
    pub step_time: Duration,
}

#[derive(Debug)]
struct State<Task> {
    waiting: VecDeque<Task>,
    /// When each of those that have a turn has moved something last.
    steps: Vec<Arc<Steps>>,
}

#[derive(Debug)]
struct Steps {
    begun: Instant,
    /// Milliseconds from there to the last step.
    last: AtomicU64,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn(Arc<Steps>);

/// What becomes of a task that asks for a turn.
#[derive(Debug)]
pub enum Asked<Task> {
    /// It has one.
    Has(Task, Turn),
    /// It waits.
    Waits,
}

impl Turn {
    fn begin() -> Turn {
        Turn(Arc::new(Steps {
            begun: Instant::now(),
            // It counts until it could begin.
            last: AtomicU64::new(u64::MAX),
        }))
    }

    /// Something was moved.
    pub fn step(&self) {
        let passed = self.0.begun.elapsed().as_millis();
        self.0
            .last
            .store(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Steps {
    fn is_moving(&self, step_time: Duration) -> bool {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.begun.elapsed() < last + step_time
    }
}

impl<Task> Turns<Task> {
    /// Turns within these bounds.
    pub fn new(most: Most) -> Turns<Task> {
        Turns {
            most,
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                steps: Vec::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<Task>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a turn. Where too many wait, it is given all the same: then the worker is what is short.
    pub fn ask(&self, task: Task) -> Asked<Task> {
        let mut state = self.state();
        let has_room = state.waiting.len() < self.most.waiting;
        if has_room && (!state.waiting.is_empty() || !state.has_turn(&self.most)) {
            state.waiting.push_back(task);
            return Asked::Waits;
        }
        Asked::Has(task, state.begin())
    }

    /// The task that has waited longest, if there is a turn for it.
    pub fn next(&self) -> Option<(Task, Turn)> {
        let mut state = self.state();
        if state.waiting.is_empty() || !state.has_turn(&self.most) {
            return None;
        }
        let task = state.waiting.pop_front()?;
        Some((task, state.begin()))
    }

    /// Takes out those that wait and that are wanted no more.
    pub fn take_out(&self, mut is_unwanted: impl FnMut(&Task) -> bool) -> Vec<Task> {
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

impl<Task> State<Task> {
    fn begin(&mut self) -> Turn {
        let turn = Turn::begin();
        self.steps.push(Arc::clone(&turn.0));
        turn
    }

    fn has_turn(&mut self, most: &Most) -> bool {
        // Whose turn is dropped has ended.
        self.steps.retain(|steps| Arc::strong_count(steps) > 1);
        let moving = self.steps.iter().filter(|steps| steps.is_moving(most.step_time));
        self.steps.len() < most.turns && moving.count() < most.moving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(3600);

    fn begin<Task>(turns: &Turns<Task>, task: Task) -> Turn {
        match turns.ask(task) {
            Asked::Has(_, turn) => turn,
            Asked::Waits => panic!("there is a turn"),
        }
    }

    fn turns(moving: usize, turns: usize, step_time: Duration) -> Turns<i32> {
        Turns::new(Most {
            moving,
            turns,
            waiting: 2,
            step_time,
        })
    }

    #[test]
    fn as_many_have_a_turn_as_may_and_the_others_wait_in_order() {
        let turns = turns(2, 9, LONG);
        let (first, _second) = (begin(&turns, 1), begin(&turns, 2));
        assert!(matches!(turns.ask(3), Asked::Waits));
        assert!(matches!(turns.ask(4), Asked::Waits));
        // As many wait as may.
        let fifth = begin(&turns, 5);
        assert!(turns.next().is_none());
        drop((first, fifth));
        let (task, third) = turns.next().unwrap();
        assert_eq!(task, 3);
        assert!(turns.next().is_none());
        drop(third);
        // Who comes later does not pass who waits.
        assert!(matches!(turns.ask(6), Asked::Waits));
        let (task, _fourth) = turns.next().unwrap();
        assert_eq!(task, 4);
        assert!(turns.next().is_none());
    }

    #[test]
    fn who_is_not_wanted_any_more_is_taken_out_and_the_others_keep_their_order() {
        let turns = turns(1, 9, LONG);
        let first = begin(&turns, 1);
        assert!(matches!(turns.ask(2), Asked::Waits));
        assert!(matches!(turns.ask(3), Asked::Waits));
        assert_eq!(turns.take_out(|task| *task == 2), [2]);
        assert!(matches!(turns.ask(4), Asked::Waits));
        assert!(turns.take_out(|task| *task == 2).is_empty());
        drop(first);
        let (task, _turn) = turns.next().unwrap();
        assert_eq!(task, 3);
    }

    #[test]
    fn who_has_begun_and_moves_nothing_counts_as_a_turn_only() {
        let turns = turns(1, 2, Duration::ZERO);
        let first = begin(&turns, 1);
        assert!(matches!(turns.ask(2), Asked::Waits), "the first has not begun");
        first.step();
        let (_, second) = turns.next().unwrap();
        second.step();
        assert!(matches!(turns.ask(3), Asked::Waits));
        assert!(turns.has_waiting());
        drop(first);
        assert!(turns.next().is_some());
    }
}
