//! Threads that answer requests: as many as there is work for, up to a bound, and few again afterwards.
//!
//! A worker that waits for its integration costs a stack and nothing else, so there may be many. More do not help
//! where only the processors are busy, so another is added when work has waited, and not at once. The thread that adds
//! them also ends what has waited too long, since it is the one that no work holds up.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use threadpool::ThreadPool;

pub use crate::front::job_queue::Urgency;
use crate::front::job_queue::{Queue, Queued};
use crate::platform::logging::catch_quietly;

/// Threads that are kept when there is nothing to do, if so many are allowed.
const FEWEST: usize = 4;

/// Bytes of a worker's stack. The deepest calls are in the TLS handshake, and far from it.
const STACK_SIZE: usize = 512 * 1024;

/// Requests that wait for a worker when all are busy; one more is refused. A burst of 2,000 clients finds room.
pub const MAX_QUEUED: usize = 2048;

/// How often it is looked whether waiting work needs another thread.
const TICK: Duration = Duration::from_millis(2);

/// Threads that are added at one look.
const STEP: usize = 32;

/// As much work as is done in this many ticks, 100 ms, may wait for those who do it.
const TICKS_OF_WORK: usize = 50;

/// Work that waits so long gets another thread however much is done.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// How long a thread lives without work.
const IDLE_AGE: Duration = Duration::from_secs(3);

/// How long no thread is asked for after the system refused one.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// The workers of one listener. They end when this is dropped and their work is done.
#[derive(Debug)]
pub struct Workers(Arc<Shared>);

/// No worker is free, and the queue is full; the work comes back.
#[derive(Debug)]
pub struct Full<Work>(pub Work);

struct Shared {
    most: usize,
    state: Mutex<State>,
    /// Wakes the thread that adds threads.
    needed: Condvar,
    /// The length of the queue, for a look without the lock.
    waiting: AtomicUsize,
}

struct State {
    /// The threads. Each runs one endless job, [`work`]; none once it is closed.
    pool: Option<ThreadPool>,
    threads: usize,
    /// Threads that were added and have not begun.
    starting: usize,
    queue: Queue,
    /// Threads without work. The last one goes first, so that those that are not needed are left alone, and end.
    idle: Vec<Arc<Condvar>>,
    /// How much work has been done, to see whether the threads get on.
    done: usize,
    watch: Watch,
}

/// What the thread that adds threads does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// It looks at the queue, or will do so soon.
    Awake,
    /// It sleeps until the first work has waited too long. What comes later has longer, so it is told of that only where
    /// threads can be added.
    AsleepUntilDue,
    /// It sleeps until it is woken.
    Asleep,
}

impl Workers {
    /// No more than `most` threads, named `name`. Work waits for one no longer than `patience`; without one, for ever.
    ///
    /// # Errors
    /// The system refuses even the first.
    pub fn new(name: &'static str, most: NonZeroUsize, patience: Option<Duration>) -> io::Result<Workers> {
        let fewest = most.get().min(FEWEST);
        // The pool panics where the system refuses a thread.
        let pool = catch_quietly(|| {
            threadpool::Builder::new()
                .num_threads(fewest)
                .thread_name(name.to_owned())
                .thread_stack_size(STACK_SIZE)
                .build()
        });
        let pool = pool.ok_or_else(|| io::Error::other("no thread can be started"))?;
        let shared = Arc::new(Shared {
            most: most.get(),
            state: Mutex::new(State {
                pool: Some(pool.clone()),
                threads: fewest,
                starting: fewest,
                queue: Queue::new(patience),
                idle: Vec::new(),
                done: 0,
                watch: Watch::Awake,
            }),
            needed: Condvar::new(),
            waiting: AtomicUsize::new(0),
        });
        let workers = Workers(Arc::clone(&shared));
        for _ in 0..fewest {
            let shared = Arc::clone(&shared);
            pool.execute(move || work(&shared));
        }
        thread::Builder::new()
            .name(format!("{name}-count"))
            .stack_size(STACK_SIZE)
            .spawn(move || shared.add_threads())?;
        Ok(workers)
    }

    /// Hands over work, and what to do with it, given how long it has waited. Where that is the patience or longer, there
    /// may be no worker for it: the job must not carry it out then, nor wait for anything, since all other work that has
    /// waited too long waits for it.
    ///
    /// # Errors
    /// There is too much already.
    pub fn submit<Work: Send + 'static>(
        &self,
        work: Work,
        urgency: Urgency,
        job: impl FnOnce(Work, Duration) + Send + 'static,
    ) -> Result<(), Full<Work>> {
        let mut state = self.0.lock();
        if state.queue.len() >= MAX_QUEUED {
            return Err(Full(work));
        }
        state.queue.push(Queued::new(move |waited| job(work, waited)), urgency);
        self.take_note(state);
        Ok(())
    }

    /// Hands over work that was begun by another worker. It goes before what waits, and waits as long as it takes. There
    /// must be a bound for it.
    pub fn submit_first(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        state.queue.push_begun(Queued::new(move |_| job()));
        self.take_note(state);
    }

    fn take_note(&self, mut state: MutexGuard<'_, State>) {
        self.0.waiting.store(state.queue.len(), Ordering::Relaxed);
        if let Some(seat) = state.idle.pop() {
            drop(state);
            seat.notify_one();
            return;
        }
        let may_grow = state.threads < self.0.most;
        let is_needed = match state.watch {
            Watch::Awake => false,
            Watch::AsleepUntilDue => may_grow,
            Watch::Asleep => may_grow || state.queue.next_due().is_some(),
        };
        if is_needed {
            state.watch = Watch::Awake;
            self.0.needed.notify_one();
        }
    }

    /// Whether work waits for a worker.
    pub fn has_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pool = None;
        for seat in state.idle.drain(..) {
            seat.notify_one();
        }
        self.0.needed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds threads while work waits that nobody takes, and ends what has waited too long; returns when there is no pool
    /// any more.
    fn add_threads(self: Arc<Shared>) {
        let mut was_refused = false;
        let mut state = self.lock();
        loop {
            state = self.end_waits(state);
            if state.pool.is_none() {
                return;
            }
            if state.queue.is_empty() || state.threads >= self.most {
                state = self.sleep(state);
                continue;
            }
            let before = state.done;
            state = self.wait(&self.needed, state, TICK);
            let soon = state.done.wrapping_sub(before).saturating_mul(TICKS_OF_WORK);
            let at_least = usize::from(state.queue.has_waited(LONGEST_WAIT));
            let unserved = state.queue.len().saturating_sub(state.starting);
            let wanted = unserved.saturating_sub(soon).clamp(at_least, STEP);
            let wanted = wanted.min(self.most.saturating_sub(state.threads));
            let is_refused = !(0..wanted).all(|_| self.add_thread(&mut state));
            if is_refused {
                if !was_refused {
                    log::error!("the system refuses another thread beyond {}", state.threads);
                }
                state = self.wait(&self.needed, state, REFUSED_PAUSE);
            }
            was_refused = is_refused;
        }
    }

    /// Does what is to be done with work that has waited too long, out of the lock.
    fn end_waits<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let due = state.queue.take_due(Instant::now());
        if due.is_empty() {
            return state;
        }
        self.waiting.store(state.queue.len(), Ordering::Relaxed);
        drop(state);
        for queued in due {
            // A panic is a defect of ours, and must not cost the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| queued.run()));
        }
        self.lock()
    }

    /// Waits until the first work has waited too long, or for somebody who needs a thread.
    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let due = state.queue.next_due();
        state.watch = match due {
            Some(_) => Watch::AsleepUntilDue,
            None => Watch::Asleep,
        };
        state = match due {
            Some(due) => self.wait(&self.needed, state, due.saturating_duration_since(Instant::now())),
            None => self.needed.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.watch = Watch::Awake;
        state
    }

    fn wait<'a>(&self, on: &Condvar, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        on.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    fn add_thread(self: &Arc<Shared>, state: &mut State) -> bool {
        let threads = state.threads + 1;
        let Some(pool) = &mut state.pool else {
            return true;
        };
        // The pool panics where the system refuses a thread; those that there are go on.
        if catch_quietly(|| pool.set_num_threads(threads)).is_none() {
            pool.set_num_threads(state.threads.max(1));
            return false;
        }
        let shared = Arc::clone(self);
        pool.execute(move || work(&shared));
        state.threads = threads;
        state.starting += 1;
        true
    }
}

/// What each thread does until it is not needed any more.
fn work(shared: &Shared) {
    let seat = Arc::new(Condvar::new());
    let mut state = shared.lock();
    state.starting -= 1;
    loop {
        if let Some(queued) = state.queue.pop() {
            shared.waiting.store(state.queue.len(), Ordering::Relaxed);
            drop(state);
            // A panic is a defect of ours, and must not cost the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| queued.run()));
            state = shared.lock();
            state.done = state.done.wrapping_add(1);
            continue;
        }
        if state.pool.is_none() {
            break;
        }
        let since = Instant::now();
        state.idle.push(Arc::clone(&seat));
        state = shared.wait(&seat, state, IDLE_AGE);
        let place = state.idle.iter().position(|idle| Arc::ptr_eq(idle, &seat));
        let was_left_alone = place.map(|place| state.idle.remove(place)).is_some();
        if was_left_alone && since.elapsed() >= IDLE_AGE && state.threads > shared.most.min(FEWEST) {
            break;
        }
    }
    state.threads -= 1;
    let threads = state.threads.max(1);
    // The pool ends a thread that comes back from its job while as many others as it may have are at theirs.
    if let Some(pool) = &mut state.pool {
        pool.set_num_threads(threads);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
