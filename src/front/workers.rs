//! Threads that answer requests: as many as there is work for, up to a bound, and few again afterwards.
//!
//! A worker that waits for its integration costs a stack and nothing else, so there may be many. More do not help
//! where only the processors are busy, so another is added when work has waited, and not at once.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use threadpool::ThreadPool;

use crate::operational_log::catch_quietly;

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
    queue: VecDeque<Queued>,
    /// Threads without work. The last one goes first, so that those that are not needed are left alone, and end.
    idle: Vec<Arc<Condvar>>,
    /// How much work has been done, to see whether the threads get on.
    done: usize,
    /// Nobody looks whether threads are needed.
    is_unwatched: bool,
}

struct Queued {
    since: Instant,
    job: Job,
}

/// Gets how long it has waited.
type Job = Box<dyn FnOnce(Duration) + Send>;

impl Workers {
    /// No more than `most` threads, named `name`.
    ///
    /// # Errors
    /// The system refuses even the first.
    pub fn new(name: &'static str, most: NonZeroUsize) -> io::Result<Workers> {
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
                queue: VecDeque::new(),
                idle: Vec::new(),
                done: 0,
                is_unwatched: false,
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

    /// Hands over work, and what to do with it, given how long it has waited.
    ///
    /// # Errors
    /// There is too much already.
    pub fn submit<Work: Send + 'static>(
        &self,
        work: Work,
        job: impl FnOnce(Work, Duration) + Send + 'static,
    ) -> Result<(), Full<Work>> {
        let mut state = self.0.lock();
        if state.queue.len() >= MAX_QUEUED {
            return Err(Full(work));
        }
        let job = Box::new(move |waited| job(work, waited));
        let since = Instant::now();
        state.queue.push_back(Queued { since, job });
        self.take_note(state);
        Ok(())
    }

    /// Hands over work that was begun by another worker, and goes before what waits. There must be a bound for it.
    pub fn submit_first(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        let since = Instant::now();
        let job = Box::new(move |_| job());
        state.queue.push_front(Queued { since, job });
        self.take_note(state);
    }

    fn take_note(&self, mut state: MutexGuard<'_, State>) {
        self.0.waiting.store(state.queue.len(), Ordering::Relaxed);
        if let Some(seat) = state.idle.pop() {
            drop(state);
            seat.notify_one();
        } else if state.is_unwatched && state.threads < self.0.most {
            state.is_unwatched = false;
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

    /// Adds threads while work waits that nobody takes; returns when there is no pool any more.
    fn add_threads(self: Arc<Shared>) {
        let mut was_refused = false;
        let mut state = self.lock();
        while state.pool.is_some() {
            if state.queue.is_empty() || state.threads >= self.most {
                state.is_unwatched = true;
                state = self.needed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let before = state.done;
            state = self.wait(&self.needed, state, TICK);
            let soon = state.done.wrapping_sub(before).saturating_mul(TICKS_OF_WORK);
            let has_waited = |queued: &Queued| queued.since.elapsed() > LONGEST_WAIT;
            let at_least = usize::from(state.queue.front().is_some_and(has_waited));
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
        if let Some(Queued { since, job }) = state.queue.pop_front() {
            shared.waiting.store(state.queue.len(), Ordering::Relaxed);
            drop(state);
            // A panic is a defect of ours, and must not cost the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| job(since.elapsed())));
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
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn workers(most: usize) -> Workers {
        Workers::new("test", NonZeroUsize::new(most).unwrap()).unwrap()
    }

    #[test]
    fn as_many_threads_as_there_is_work_up_to_the_bound() {
        let workers = workers(9);
        // Ends only if all nine run at the same time.
        let barrier = Arc::new(Barrier::new(9));
        let (sender, done) = channel();
        for _ in 0..9 {
            let (barrier, sender) = (Arc::clone(&barrier), sender.clone());
            let submitted = workers.submit((), move |(), _| {
                barrier.wait();
                sender.send(()).unwrap();
            });
            assert!(submitted.is_ok());
        }
        for _ in 0..9 {
            done.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(workers.0.lock().threads, 9);
    }

    #[test]
    fn a_full_queue_gives_the_work_back() {
        let workers = workers(1);
        let (release, released) = channel::<()>();
        let (started, starting) = channel();
        let (finished, finishing) = channel();
        let first = workers.submit(0, move |_, _| {
            started.send(()).unwrap();
            let _ = released.recv();
        });
        assert!(first.is_ok());
        starting.recv_timeout(PATIENCE).unwrap();
        assert!(!workers.has_waiting());
        for number in 1..=MAX_QUEUED {
            let finished = finished.clone();
            let queued = workers.submit(number, move |number, _| finished.send(number).unwrap());
            assert!(queued.is_ok(), "{number}");
        }
        assert!(workers.has_waiting());
        let Err(Full(number)) = workers.submit(4711, |_, _| {}) else {
            panic!("the queue has no end");
        };
        assert_eq!(number, 4711);
        drop(release);
        for number in 1..=MAX_QUEUED {
            assert_eq!(
                finishing.recv_timeout(PATIENCE),
                Ok(number),
                "in the order in which they came"
            );
        }
    }

    #[test]
    fn a_panic_costs_no_thread() {
        let workers = workers(1);
        let (sender, done) = channel();
        assert!(workers.submit((), |(), _| panic!("on purpose")).is_ok());
        assert!(workers.submit((), move |(), _| sender.send(()).unwrap()).is_ok());
        done.recv_timeout(PATIENCE).unwrap();
        let state = workers.0.lock();
        assert_eq!((state.threads, state.pool.as_ref().unwrap().panic_count()), (1, 0));
    }

    #[test]
    fn threads_that_are_not_needed_end_while_others_work() {
        let workers = workers(20);
        let barrier = Arc::new(Barrier::new(20));
        let (hold, held) = channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for number in 0..20 {
            let (barrier, held) = (Arc::clone(&barrier), Arc::clone(&held));
            let submitted = workers.submit(number, move |number, _| {
                barrier.wait();
                if number == 0 {
                    let _ = held.lock().unwrap().recv();
                }
            });
            assert!(submitted.is_ok());
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let state = workers.0.lock();
            let pool = state.pool.as_ref().unwrap();
            // The threads of the pool itself are as many.
            if (state.threads, pool.max_count(), pool.active_count()) == (FEWEST, FEWEST, FEWEST) {
                break;
            }
            assert!(Instant::now() < until, "{} threads", state.threads);
            drop(state);
            thread::sleep(TICK);
        }
        drop(hold);
    }

    #[test]
    fn work_is_done_also_when_nobody_waits_for_it() {
        let (sender, done) = channel();
        let one = workers(1);
        for number in 0..3 {
            let sender = sender.clone();
            assert!(one.submit((), move |(), _| sender.send(number).unwrap()).is_ok());
        }
        drop(one);
        for number in 0..3 {
            assert_eq!(done.recv_timeout(PATIENCE), Ok(number));
        }
    }
}
