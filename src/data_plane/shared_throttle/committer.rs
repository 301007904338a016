//! The thread that has the connection: it asks for the tokens of all buckets at once, and tells that this gateway lives.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};

use crate::data_plane::shared_throttle::common::{Common, Settings};
use crate::data_plane::shared_throttle::outage::{Backoff, Outage};
use crate::deployment::route_state::RouteState;
use crate::deployment::shared_bucket::{Demand, Taken};
use crate::outbound::valkey::script::{Answer, Call};
use crate::outbound::valkey::{CallError, Connection};

/// Longest time that a connect takes, with all that is asked before limits are shared.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often this gateway tells that it lives.
const PRESENCE_EVERY: Duration = Duration::from_secs(1);

/// How often tokens that are held are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Most buckets in one round trip.
const MAX_BUCKETS: usize = 256;

/// The thread's own values.
pub(super) struct Committer {
    settings: Settings,
    common: Arc<Common>,
    /// This gateway among the others.
    id: String,
    connection: Option<Connection>,
    outage: Option<Outage>,
    backoff: Backoff,
    shared_since: Instant,
    /// Buckets that are asked for next.
    pending: VecDeque<Arc<RouteState>>,
    /// Buckets of which tokens are held, by their address.
    holding: BTreeMap<usize, Arc<RouteState>>,
    look_at: Instant,
    presence_at: Instant,
}

impl Committer {
    pub(super) fn new(settings: Settings, common: Arc<Common>) -> io::Result<Committer> {
        let mut bytes = [0; 16];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| io::Error::other("it has no random bytes"))?;
        let now = Instant::now();
        Ok(Committer {
            settings,
            common,
            id: format!("{:032x}", u128::from_be_bytes(bytes)),
            connection: None,
            outage: Some(Outage::before_the_first_try(now)),
            backoff: Backoff::new(),
            shared_since: now,
            pending: VecDeque::new(),
            holding: BTreeMap::new(),
            look_at: now,
            presence_at: now,
        })
    }

    /// Goes on until it is told to stop. `tried` gets a word after the first try.
    pub(super) fn run(mut self, tried: &Sender<()>) {
        let mut is_first = true;
        loop {
            let is_stopping = self.wait();
            let now = Instant::now();
            if is_stopping {
                return self.leave(now);
            }
            if self.outage.is_some() {
                self.release_all();
                self.try_again(now);
                if std::mem::take(&mut is_first) {
                    let _ = tried.send(());
                }
            } else {
                self.commit(now);
            }
        }
    }

    /// Waits until there is something to do, and takes what there is; tells whether it is the end.
    fn wait(&mut self) -> bool {
        let due = match &self.outage {
            Some(outage) => outage.next_try,
            None if self.holding.is_empty() => self.presence_at,
            None => self.presence_at.min(self.look_at),
        };
        let mut queue = self.common.lock();
        loop {
            let left = due.saturating_duration_since(Instant::now());
            let has_work = self.outage.is_none() && (!queue.is_open || !self.pending.is_empty());
            if queue.is_stopping || has_work || !queue.buckets.is_empty() || left.is_zero() {
                self.pending.extend(queue.buckets.drain(..));
                return queue.is_stopping;
            }
            let waited = self.common.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Asks for all that is wanted, in one round trip.
    fn commit(&mut self, now: Instant) {
        let mut states: Vec<Arc<RouteState>> = Vec::new();
        if !self.holding.is_empty() && now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            states.extend(self.holding.values().cloned());
        }
        states.extend(self.pending.drain(..));
        let rest = states.split_off(states.len().min(MAX_BUCKETS));
        self.pending.extend(rest);
        let mut asked = Vec::new();
        for state in states {
            let demand = state.shared.gather(now, false);
            match demand.want {
                0 if state.shared.held() == 0 => drop(self.holding.remove(&address_of(&state))),
                0 => {}
                _ => asked.push((state, demand)),
            }
        }
        let mut calls: Vec<Call> = asked
            .iter()
            .map(|(state, demand)| self.call_of(state, demand))
            .collect();
        let is_present = now >= self.presence_at;
        if is_present {
            self.presence_at = now + PRESENCE_EVERY;
            calls.push(self.presence());
        }
        let mut failure = None;
        if !calls.is_empty() {
            match self.round_trip(&calls, now + self.settings.timeout) {
                Ok(answers) => failure = self.settle(asked, answers),
                Err(error) => {
                    asked
                        .into_iter()
                        .for_each(|(state, demand)| state.shared.release(Some(demand)));
                    failure = Some(error.to_string());
                }
            }
        }
        if failure.is_some() {
            self.connection = None;
        } else if self.common.is_closed() {
            // A request has waited in vain, and sees to the others.
            failure = Some(format!("no answer within {} ms", self.settings.timeout.as_millis()));
        }
        if let Some(cause) = failure {
            self.begin_outage(cause);
        }
    }

    /// Hands answers out; tells what is wrong with one of them.
    fn settle(&mut self, asked: Vec<(Arc<RouteState>, Demand)>, answers: Vec<Answer>) -> Option<String> {
        let (now, gateways) = (Instant::now(), self.gateways());
        let mut answers = answers.into_iter();
        let mut failure = None;
        for (state, demand) in asked {
            match answers.next().ok_or(NO_ANSWER).and_then(taken_of) {
                Ok(taken) => {
                    state.shared.settle(demand, taken, gateways, now, chance());
                    if state.shared.is_unsettled() {
                        self.pending.push_back(Arc::clone(&state));
                    }
                    match state.shared.held() {
                        0 => drop(self.holding.remove(&address_of(&state))),
                        _ => drop(self.holding.insert(address_of(&state), state)),
                    }
                }
                Err(error) => {
                    state.shared.release(Some(demand));
                    failure = Some(error.to_string());
                }
            }
        }
        // What is left is the answer to the gateway's presence.
        for answer in answers {
            if let Err(error) = self.note_gateways(answer) {
                failure = Some(error.to_string());
            }
        }
        failure
    }

    fn note_gateways(&self, answer: Answer) -> Result<(), CallError> {
        let gateways = match answer {
            Answer::Numbers(numbers) => numbers.first().and_then(|count| u64::try_from(*count).ok()),
            Answer::Refused(error) => return Err(error),
            Answer::NoScript => None,
        };
        let gateways = gateways.filter(|count| *count > 0).ok_or(NO_ANSWER)?;
        self.common.gateways.store(gateways, Ordering::Relaxed);
        Ok(())
    }

    /// Connects where there is no connection, and tries to get a write through (`F9`).
    fn try_again(&mut self, now: Instant) {
        let Some(mut outage) = self.outage.take() else {
            return;
        };
        let gateways = self.gateways();
        if now < outage.next_try {
            self.outage = Some(outage);
            return;
        }
        let outcome = self.get_through(now + CONNECT_TIMEOUT);
        let now = Instant::now();
        match outcome {
            Ok(()) => {
                (self.shared_since, self.presence_at) = (now, now + PRESENCE_EVERY);
                self.common.open();
                outage.tell_end(now);
            }
            Err(error) => {
                self.connection = None;
                outage.go_on(error.to_string(), now, &mut self.backoff, chance());
                outage.tell(gateways, now);
                self.outage = Some(outage);
            }
        }
    }

    fn get_through(&mut self, until: Instant) -> Result<(), CallError> {
        if self.connection.is_none() {
            let opened = Connection::open(&self.settings.valkey, until);
            if let Err(error) = &opened {
                self.count_failure(error);
            }
            self.connection = Some(opened?);
        }
        let answers = self.round_trip(&[self.presence()], until)?;
        answers.into_iter().try_for_each(|answer| self.note_gateways(answer))
    }

    fn begin_outage(&mut self, cause: String) {
        self.common.close();
        let now = Instant::now();
        self.backoff
            .note_shared(now.saturating_duration_since(self.shared_since));
        let mut outage = Outage::new(cause, now, &mut self.backoff, chance());
        outage.tell(self.gateways(), now);
        self.outage = Some(outage);
        self.release_all();
    }

    /// Nothing that waits is answered.
    fn release_all(&mut self) {
        let queued = std::mem::take(&mut self.common.lock().buckets);
        for state in self.pending.drain(..).chain(queued) {
            state.shared.release(None);
        }
    }

    /// Gives back what is held, and is no longer among the gateways.
    fn leave(&mut self, now: Instant) {
        self.release_all();
        if self.outage.is_some() || self.connection.is_none() {
            return;
        }
        let mut calls = Vec::new();
        for state in self.holding.values() {
            let demand = state.shared.gather(now, true);
            if demand.want < 0 {
                calls.push(self.call_of(state, &demand));
            }
            state.shared.release(Some(demand));
        }
        calls.push(Call::Leave {
            key: self.presence_key(),
            id: self.id.clone(),
        });
        let _ = self.round_trip(&calls, now + self.settings.timeout);
    }

    fn round_trip(&mut self, calls: &[Call], until: Instant) -> Result<Vec<Answer>, CallError> {
        let began = Instant::now();
        let connection = self.connection.as_mut().ok_or(NO_ANSWER)?;
        let answers = connection.call(calls, until);
        let metrics = &self.common.metrics;
        match &answers {
            Ok(answers) => {
                metrics.latency.observe(began.elapsed());
                match answers.iter().all(|answer| matches!(answer, Answer::Numbers(_))) {
                    true => metrics.ok.add_one(),
                    false => metrics.errors.add_one(),
                }
            }
            Err(error) => self.count_failure(error),
        }
        answers
    }

    fn count_failure(&self, error: &CallError) {
        match error.is_timeout() {
            true => self.common.metrics.timeouts.add_one(),
            false => self.common.metrics.errors.add_one(),
        }
    }

    fn gateways(&self) -> u64 {
        self.common.gateways.load(Ordering::Relaxed)
    }

    fn call_of(&self, state: &RouteState, demand: &Demand) -> Call {
        let RouteState {
            api, stage, route_key, ..
        } = state;
        Call::Tokens {
            // F3: the braces keep a stage's keys in one slot of a cluster.
            key: format!("{}{{{api}/{stage}}}:throttle:{route_key}", self.settings.prefix),
            step: demand.limits.step_micros(),
            burst: demand.limits.burst(),
            want: demand.want,
        }
    }

    fn presence(&self) -> Call {
        Call::Presence {
            key: self.presence_key(),
            id: self.id.clone(),
        }
    }

    fn presence_key(&self) -> String {
        format!("{}replicas", self.settings.prefix)
    }
}

const NO_ANSWER: CallError = CallError::Garbage("the server answers what it was not asked for");

/// What a call for tokens answers.
fn taken_of(answer: Answer) -> Result<Taken, CallError> {
    let numbers = match answer {
        Answer::Numbers(numbers) => numbers,
        Answer::Refused(error) => return Err(error),
        Answer::NoScript => return Err(NO_ANSWER),
    };
    let &[taken, free, wait] = numbers.as_slice() else {
        return Err(NO_ANSWER);
    };
    #[expect(clippy::cast_precision_loss, reason = "it is bounded where it is used")]
    let wait = wait as f64;
    Ok(Taken {
        // Below 0 where tokens were given back.
        taken: u64::try_from(taken).unwrap_or(0),
        free: u64::try_from(free).map_err(|_| NO_ANSWER)?,
        wait,
    })
}

fn address_of(state: &Arc<RouteState>) -> usize {
    Arc::as_ptr(state).addr()
}

/// A number from 0 to 1 that differs from gateway to gateway and from call to call.
fn chance() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}
