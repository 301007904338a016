//! Threads that answer requests: as many as there is work for, up to a bound, and few again afterwards.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use threadpool::ThreadPool;

/// Threads that are kept when there is nothing to do, if so many are allowed.
const FEWEST: usize = 4;

/// Bytes of a worker's stack. The deepest calls are in the TLS handshake, and far from it.
const STACK_SIZE: usize = 512 * 1024;

/// Requests that wait for a worker when all are busy; one more is refused.
const MAX_QUEUED: usize = 1024;

/// How long the number of threads stays after the last time that one was added for a request.
const SHRINK_AFTER: Duration = Duration::from_secs(10);

/// The workers of one listener. One thread hands them their work.
#[derive(Debug)]
pub struct Workers {
    pool: ThreadPool,
    name: &'static str,
    most: NonZeroUsize,
    busy: Arc<AtomicUsize>,
    needed_at: Instant,
}

/// No worker is free, and the queue is full; the work comes back.
#[derive(Debug)]
pub struct Full<Work>(pub Work);

/// Counts a request for as long as it lives, also where it panics.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Workers {
    /// No more than `most` threads, named `name`.
    pub fn new(name: &'static str, most: NonZeroUsize) -> Workers {
        Workers {
            pool: pool(name, most.get().min(FEWEST)),
            name,
            most,
            busy: Arc::default(),
            needed_at: Instant::now(),
        }
    }

    /// Requests that are being answered or wait for it; it outlives the workers.
    pub fn busy(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.busy)
    }

    /// Hands over work, and what to do with it.
    ///
    /// # Errors
    /// There is too much already.
    pub fn submit<Work: Send + 'static>(
        &mut self,
        work: Work,
        job: impl FnOnce(Work) + Send + 'static,
    ) -> Result<(), Full<Work>> {
        if self.pool.queued_count() >= MAX_QUEUED {
            return Err(Full(work));
        }
        let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        let guard = Busy(Arc::clone(&self.busy));
        self.grow(busy);
        self.pool.execute(move || {
            let _guard = guard;
            // The pool would replace the thread, at the price of one; the job's own answer is lost either way.
            let _ = catch_unwind(AssertUnwindSafe(|| job(work)));
        });
        Ok(())
    }

    fn grow(&mut self, busy: usize) {
        let threads = self.pool.max_count();
        if busy > FEWEST {
            self.needed_at = Instant::now();
        }
        if busy > threads && threads < self.most.get() {
            // The pool panics where the system refuses a thread; those that there are go on.
            let grown = catch_unwind(AssertUnwindSafe(|| self.pool.set_num_threads(threads + 1)));
            if grown.is_err() {
                log::error!("the system refuses another thread beyond {threads}");
            }
        }
    }

    /// Ends threads that have not been needed for a while. To be called now and then.
    pub fn shrink(&mut self) {
        let is_idle = self.busy.load(Ordering::SeqCst) == 0;
        if is_idle && self.pool.max_count() > FEWEST && self.needed_at.elapsed() > SHRINK_AFTER {
            // Idle threads of a pool wait for work without an end, but those of a dropped pool end. Only when all are
            // idle: the bound must hold for old and new threads together.
            let smaller = catch_unwind(|| pool(self.name, FEWEST));
            if let Ok(smaller) = smaller {
                self.pool = smaller;
            }
        }
    }
}

fn pool(name: &str, threads: usize) -> ThreadPool {
    threadpool::Builder::new()
        .num_threads(threads)
        .thread_name(name.to_owned())
        .thread_stack_size(STACK_SIZE)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    fn most(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn as_many_threads_as_there_is_work_up_to_the_bound() {
        let mut workers = Workers::new("test", most(9));
        // Ends only if all nine run at the same time.
        let barrier = Arc::new(Barrier::new(9));
        let (sender, done) = channel();
        for _ in 0..9 {
            let (barrier, sender) = (Arc::clone(&barrier), sender.clone());
            let submitted = workers.submit((), move |()| {
                barrier.wait();
                sender.send(()).unwrap();
            });
            assert!(submitted.is_ok());
        }
        for _ in 0..9 {
            done.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        assert_eq!(workers.pool.max_count(), 9);
        let more = workers.submit((), |()| {});
        assert!(more.is_ok());
        assert_eq!(workers.pool.max_count(), 9);
    }

    #[test]
    fn a_full_queue_gives_the_work_back() {
        let mut workers = Workers::new("test", most(1));
        let (release, released) = channel::<()>();
        let (started, starting) = channel();
        let first = workers.submit(0, move |_| {
            started.send(()).unwrap();
            let _ = released.recv();
        });
        assert!(first.is_ok());
        starting.recv().unwrap();
        for number in 1..=MAX_QUEUED {
            assert!(workers.submit(number, |_| {}).is_ok(), "{number}");
        }
        let Err(Full(number)) = workers.submit(4711, |_| {}) else {
            panic!("the queue has no end");
        };
        assert_eq!(number, 4711);
        assert_eq!(workers.busy().load(Ordering::SeqCst), 1 + MAX_QUEUED);
        drop(release);
        workers.pool.join();
        assert_eq!(workers.busy().load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_panic_costs_no_thread_and_is_not_counted_for_ever() {
        let mut workers = Workers::new("test", most(1));
        assert!(workers.submit((), |()| panic!("on purpose")).is_ok());
        workers.pool.join();
        assert_eq!(workers.pool.panic_count(), 0);
        assert_eq!(workers.busy().load(Ordering::SeqCst), 0);
    }

    #[test]
    fn threads_go_when_they_are_not_needed_and_only_then() {
        let mut workers = Workers::new("test", most(64));
        workers.pool.set_num_threads(20);
        workers.shrink();
        assert_eq!(workers.pool.max_count(), 20, "too early");
        workers.needed_at = Instant::now().checked_sub(2 * SHRINK_AFTER).unwrap();
        let (release, released) = channel::<()>();
        let held = workers.submit((), move |()| released.recv().unwrap_or_default());
        assert!(held.is_ok());
        workers.shrink();
        assert_eq!(workers.pool.max_count(), 20, "a request is under way");
        drop(release);
        workers.pool.join();
        workers.shrink();
        assert_eq!(workers.pool.max_count(), FEWEST);
    }
}
