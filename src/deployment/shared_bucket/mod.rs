//! A gateway's share of a bucket that all gateways have in common: the requests that wait for tokens, tokens that are held
//! ahead, a no that is remembered, and a bucket of its own for the time when the others cannot be asked.
//!
//! It knows no sockets: it says what to ask for, and is told the answer.

mod waiter;
mod local;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deployment::shared_bucket::local::{Local, parts};
pub use crate::deployment::shared_bucket::waiter::{Decision, Waiter};
use crate::deployment::token_bucket::Limits;

/// Tokens are held ahead for this part of a second of the bucket's demand.
const AHEAD: f64 = 0.010;

/// The part of a full bucket that a gateway holds at most is one of this many.
const PARTS: u64 = 200;

/// Tokens that are held and not used for so long are given back.
pub const HELD_FOR: Duration = Duration::from_millis(500);

/// The demand is counted over so long at least.
const WINDOW: Duration = Duration::from_millis(20);

/// Shortest and longest time that a no is remembered, in µs.
const REMEMBERED: (f64, f64) = (5_000.0, 50_000.0);

/// The part of chance in times, so that gateways do not ask at the same moments.
pub const CHANCE: f64 = 0.2;

/// A gateway's share of a bucket.
#[derive(Debug)]
pub struct SharedBucket(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Those of the last request.
    limits: Limits,
    waiting: VecDeque<Arc<Waiter>>,
    /// Whether the bucket is among those that are asked for next.
    is_queued: bool,
    /// Tokens that are taken and not spent.
    held: u64,
    used_at: Instant,
    denied_until: Option<Instant>,
    /// Requests since `window`.
    arrivals: u32,
    window: Instant,
    /// Requests a second.
    demand: f64,
    /// Tokens that were spent while nothing was shared, and that the others' bucket is still to lose.
    owed: u64,
    /// For the time when nothing is shared; none before the first answer.
    local: Option<Local>,
}

/// What a request does.
#[derive(Debug)]
pub enum Step {
    /// It goes on.
    Decided(Decision),
    /// It waits.
    Wait(Arc<Waiter>),
}

/// What a bucket wants.
#[derive(Debug)]
pub struct Demand {
    /// Those that wait for the answer.
    waiters: Vec<Arc<Waiter>>,
    /// The limits.
    pub limits: Limits,
    /// Tokens of `want` that are spent already.
    owed: u64,
    /// Tokens; below 0 they are given back.
    pub want: i64,
}

/// What is answered: tokens that were taken, tokens that are left, µs until there is one.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Tokens that were taken.
    pub taken: u64,
    /// Tokens that are left.
    pub free: u64,
    /// µs until there is a token.
    pub wait: f64,
}

impl SharedBucket {
    /// Of a route. It holds nothing.
    pub fn new() -> SharedBucket {
        let now = Instant::now();
        SharedBucket(Mutex::new(State {
            limits: Limits::new(0.0, 0),
            waiting: VecDeque::new(),
            is_queued: false,
            held: 0,
            used_at: now,
            denied_until: None,
            arrivals: 0,
            window: now,
            demand: 0.0,
            owed: 0,
            local: None,
        }))
    }

    /// A request comes. `enqueue` puts the bucket among those that are asked for next; it fails where nothing is shared.
    pub fn begin(&self, limits: Limits, now: Instant, is_shared: bool, enqueue: impl FnOnce() -> bool) -> Step {
        let mut state = self.lock();
        state.limits = limits;
        state.arrivals = state.arrivals.saturating_add(1);
        if state.held > 0 {
            state.held -= 1;
            state.used_at = now;
            // So early that the next request need not wait either.
            if is_shared && !state.is_queued && state.held * 2 <= state.ahead() {
                state.is_queued = enqueue();
            }
            return Step::Decided(Decision::Held);
        }
        if !is_shared {
            return Step::Decided(Decision::Local);
        }
        if state.denied_until.is_some_and(|until| now < until) {
            return Step::Decided(Decision::DeniedHere);
        }
        if !state.is_queued {
            if !enqueue() {
                return Step::Decided(Decision::Local);
            }
            state.is_queued = true;
        }
        let waiter = Waiter::new();
        state.waiting.push_back(Arc::clone(&waiter));
        Step::Wait(waiter)
    }

    /// Takes a token of the bucket that is this gateway's alone, which has its part of rate and burst (`F8`).
    pub fn take_local(&self, limits: Limits, gateways: u64, now: Instant) -> bool {
        let mut state = self.lock();
        let full = || Local::full(limits, gateways, now);
        state.local.get_or_insert_with(full).take(limits, gateways, now)
    }

    /// What the bucket wants now. It is no longer among those that are asked for.
    pub fn gather(&self, now: Instant, is_stopping: bool) -> Demand {
        let mut state = self.lock();
        state.is_queued = false;
        let since = now.saturating_duration_since(state.window);
        if since >= WINDOW {
            let rate = f64::from(state.arrivals) / since.as_secs_f64();
            state.demand = f64::midpoint(state.demand, rate);
            (state.arrivals, state.window) = (0, now);
        }
        // What was answered too late for those that asked is there for the next ones.
        while state.held > 0 {
            let Some(waiter) = state.waiting.pop_front() else {
                break;
            };
            if waiter.decide(Decision::Held) {
                (state.held, state.used_at) = (state.held - 1, now);
            }
        }
        let waiters: Vec<_> = state.waiting.drain(..).collect();
        let is_idle = now.saturating_duration_since(state.used_at) >= HELD_FOR;
        let is_denied = state.denied_until.is_some_and(|until| now < until);
        let most = if is_stopping || (is_idle && waiters.is_empty()) {
            0
        } else {
            most_ahead(state.limits)
        };
        let surplus = state.held.saturating_sub(most);
        let want = if surplus > 0 {
            state.held -= surplus;
            -i64::try_from(surplus).unwrap_or(i64::MAX)
        } else {
            // What is short is not taken ahead.
            let ahead = if is_denied { 0 } else { state.ahead().min(most) };
            let ahead = ahead.saturating_sub(state.held).saturating_add(state.owed);
            i64::try_from(ahead.saturating_add(waiters.len() as u64)).unwrap_or(i64::MAX)
        };
        let owed = if want > 0 { std::mem::take(&mut state.owed) } else { 0 };
        Demand {
            waiters,
            limits: state.limits,
            owed,
            want,
        }
    }

    /// The answer has come, and those that wait have it. `chance` is from 0 to 1.
    pub fn settle(&self, demand: Demand, answer: Taken, gateways: u64, now: Instant, chance: f64) {
        let mut state = self.lock();
        #[expect(clippy::cast_precision_loss, reason = "buckets are far smaller")]
        let free = answer.free as f64;
        let owed = state.local.map_or(0, |local| local.owes(demand.limits, free, now));
        state.owed = state.owed.saturating_add(owed);
        #[expect(clippy::cast_precision_loss, reason = "buckets are far smaller")]
        let part = (free - state.owed as f64).max(0.0) / parts(gateways);
        state.local = Some(Local::holding(part, demand.limits, gateways, now));
        if demand.want < 0 {
            return;
        }
        let asked_for = u64::try_from(demand.want).unwrap_or(0);
        let (mut left, mut is_denied) = (answer.taken.min(asked_for), false);
        left -= left.min(demand.owed);
        let mut denied = Vec::new();
        for waiter in demand.waiters {
            if left == 0 {
                is_denied = true;
                denied.push(waiter);
            } else if waiter.decide(Decision::Passed) {
                left -= 1;
            }
        }
        // What those that are gone did not take is held, and what of it is too much is given back.
        if left > 0 {
            state.held = state.held.saturating_add(left);
            state.used_at = now;
        }
        if is_denied {
            let longest_use = f64::from(u32::try_from(demand.limits.burst()).unwrap_or(u32::MAX)) / 2.0;
            let shortest = REMEMBERED.0.min(demand.limits.step_micros() * longest_use);
            let micros = answer.wait.clamp(shortest, REMEMBERED.1) * (1.0 + CHANCE * chance);
            state.denied_until = Some(now + Duration::from_secs_f64(micros / 1e6));
            // Those that came meanwhile would be told the same.
            for waiter in state.waiting.drain(..) {
                waiter.decide(Decision::DeniedHere);
            }
        }
        drop(state);
        for waiter in denied {
            waiter.decide(Decision::Denied);
        }
    }

    /// No answer comes: those that wait, and those that came meanwhile, decide by themselves.
    pub fn release(&self, demand: Option<Demand>) {
        let mut state = self.lock();
        state.is_queued = false;
        let waiting: Vec<_> = state.waiting.drain(..).collect();
        drop(state);
        for waiter in demand.into_iter().flat_map(|demand| demand.waiters).chain(waiting) {
            waiter.decide(Decision::Local);
        }
    }

    /// Tokens that are held.
    pub fn held(&self) -> u64 {
        self.lock().held
    }

    /// Whether there is something to give back, or to make good.
    pub fn is_unsettled(&self) -> bool {
        let state = self.lock();
        state.held > most_ahead(state.limits) || state.owed > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SharedBucket {
    fn default() -> SharedBucket {
        SharedBucket::new()
    }
}

impl State {
    /// How many tokens are to be held: 10 ms of the demand, of a large bucket.
    fn ahead(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and the cast stops at the largest number"
        )]
        let wanted = (self.demand * AHEAD) as u64;
        wanted.min(most_ahead(self.limits))
    }
}

/// Most tokens that are held.
fn most_ahead(limits: Limits) -> u64 {
    limits.burst() / PARTS
}

#[cfg(test)]
mod tests;
