//! Threads that come and go with the work, and work that waits for them.

use super::*;
use std::sync::Barrier;
use std::sync::mpsc::channel;

const PATIENCE: Duration = Duration::from_secs(20);

fn workers(most: usize) -> Workers {
    Workers::new("test", NonZeroUsize::new(most).unwrap(), None).unwrap()
}

#[test]
fn as_many_threads_as_there_is_work_up_to_the_bound() {
    let workers = workers(9);
    // Ends only if all nine run at the same time.
    let barrier = Arc::new(Barrier::new(9));
    let (sender, done) = channel();
    for _ in 0..9 {
        let (barrier, sender) = (Arc::clone(&barrier), sender.clone());
        let submitted = workers.submit((), Urgency::Ordinary, move |(), _| {
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
    let first = workers.submit(0, Urgency::Ordinary, move |_, _| {
        started.send(()).unwrap();
        let _ = released.recv();
    });
    assert!(first.is_ok());
    starting.recv_timeout(PATIENCE).unwrap();
    assert!(!workers.has_waiting());
    for number in 1..=MAX_QUEUED {
        let finished = finished.clone();
        let queued = workers.submit(number, Urgency::Ordinary, move |number, _| {
            finished.send(number).unwrap()
        });
        assert!(queued.is_ok(), "{number}");
    }
    assert!(workers.has_waiting());
    let Err(Full(number)) = workers.submit(4711, Urgency::Ordinary, |_, _| {}) else {
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
fn work_that_waits_too_long_is_ended_while_all_threads_are_busy() {
    const SHORT: Duration = Duration::from_millis(50);
    let workers = Workers::new("test", NonZeroUsize::MIN, Some(SHORT)).unwrap();
    let (release, released) = channel::<()>();
    let (sender, done) = channel();
    let (begun, beginning) = channel();
    workers.submit_first(move || {
        begun.send(()).unwrap();
        let _ = released.recv();
    });
    beginning.recv_timeout(PATIENCE).unwrap();
    let submit = |name: &'static str| {
        let sender = sender.clone();
        let submitted = workers.submit(name, Urgency::Ordinary, move |name, waited| {
            let thread = thread::current().name().unwrap_or_default().to_owned();
            sender.send((name, thread, waited >= SHORT)).unwrap();
            assert_ne!(name, "panics", "on purpose");
        });
        assert!(submitted.is_ok());
    };
    // Twice, so that the thread is woken anew when it has slept.
    for _ in 0..2 {
        for name in ["first", "panics", "last"] {
            submit(name);
        }
        for name in ["first", "panics", "last"] {
            let ended = done.recv_timeout(PATIENCE).unwrap();
            assert_eq!(ended, (name, "test-count".to_owned(), true));
        }
        assert!(!workers.has_waiting());
    }
    let begun = sender.clone();
    workers.submit_first(move || begun.send(("begun", String::new(), true)).unwrap());
    submit("after it");
    assert_eq!(done.recv_timeout(PATIENCE).unwrap().0, "after it");
    assert!(done.try_recv().is_err(), "what was begun waits as long as it takes");
    drop(release);
    assert_eq!(done.recv_timeout(PATIENCE).unwrap().0, "begun");
}

#[test]
fn work_that_finds_a_thread_in_time_is_carried_out_by_it() {
    let workers = Workers::new("test", NonZeroUsize::MIN, Some(PATIENCE)).unwrap();
    let (sender, done) = channel();
    for _ in 0..20 {
        let sender = sender.clone();
        let submitted = workers.submit((), Urgency::Ordinary, move |(), waited| {
            thread::sleep(TICK);
            let thread = thread::current().name().unwrap_or_default().to_owned();
            sender.send((thread, waited < PATIENCE)).unwrap();
        });
        assert!(submitted.is_ok());
    }
    for _ in 0..20 {
        assert_eq!(done.recv_timeout(PATIENCE).unwrap(), ("test".to_owned(), true));
    }
}

#[test]
fn a_panic_costs_no_thread() {
    let workers = workers(1);
    let (sender, done) = channel();
    assert!(
        workers
            .submit((), Urgency::Ordinary, |(), _| panic!("on purpose"))
            .is_ok()
    );
    assert!(
        workers
            .submit((), Urgency::Ordinary, move |(), _| sender.send(()).unwrap())
            .is_ok()
    );
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
        let submitted = workers.submit(number, Urgency::Ordinary, move |number, _| {
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
        assert!(
            one.submit((), Urgency::Ordinary, move |(), _| sender.send(number).unwrap())
                .is_ok()
        );
    }
    drop(one);
    for number in 0..3 {
        assert_eq!(done.recv_timeout(PATIENCE), Ok(number));
    }
}
