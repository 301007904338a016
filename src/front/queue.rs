//! Work that waits for a worker: the order in which it is taken, and how long it may wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Gets how long it has waited.
pub(super) type Job = Box<dyn FnOnce(Duration) + Send>;

/// Work that waits.
pub(super) struct Queued {
    since: Instant,
    job: Job,
}

impl Queued {
    pub(super) fn new(job: impl FnOnce(Duration) + Send + 'static) -> Queued {
        Queued {
            since: Instant::now(),
            job: Box::new(job),
        }
    }

    pub(super) fn run(self) {
        (self.job)(self.since.elapsed());
    }
}

/// All work that waits.
pub(super) struct Queue {
    /// What another worker has begun. It goes first, and waits as long as it takes.
    begun: VecDeque<Queued>,
    /// What nobody has begun, in the order in which it came, so that what is due is in front.
    fresh: VecDeque<Queued>,
    /// How long fresh work waits at most; none is for ever.
    patience: Option<Duration>,
}

impl Queue {
    pub(super) fn new(patience: Option<Duration>) -> Queue {
        Queue {
            begun: VecDeque::new(),
            fresh: VecDeque::new(),
            patience,
        }
    }

    pub(super) fn push(&mut self, queued: Queued) {
        self.fresh.push_back(queued);
    }

    pub(super) fn push_begun(&mut self, queued: Queued) {
        self.begun.push_back(queued);
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        self.begun.pop_front().or_else(|| self.fresh.pop_front())
    }

    pub(super) fn len(&self) -> usize {
        self.begun.len() + self.fresh.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some of it has waited longer than that.
    pub(super) fn has_waited(&self, time: Duration) -> bool {
        let mut fronts = [&self.begun, &self.fresh].into_iter().filter_map(VecDeque::front);
        fronts.any(|queued| queued.since.elapsed() > time)
    }

    /// When the first of it has waited as long as it may.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due(&self.fresh)
    }

    fn due(&self, queue: &VecDeque<Queued>) -> Option<Instant> {
        queue.front()?.since.checked_add(self.patience?)
    }

    /// Takes out what has waited as long as it may.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Queued> {
        let mut due = Vec::new();
        while self.due(&self.fresh).is_some_and(|at| at <= now) {
            due.extend(self.fresh.pop_front());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    fn queued(name: &'static str, done: &Sender<&'static str>) -> Queued {
        let done = done.clone();
        Queued::new(move |_| done.send(name).unwrap())
    }

    #[test]
    fn what_was_begun_goes_first_and_is_never_due() {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (sender, done) = channel();
        let mut queue = Queue::new(Some(PATIENCE));
        assert!(queue.is_empty() && queue.next_due().is_none());
        for name in ["one", "two", "three"] {
            queue.push(queued(name, &sender));
        }
        for name in ["begun first", "begun second"] {
            queue.push_begun(queued(name, &sender));
        }
        let due = queue.next_due().unwrap();
        assert!(queue.take_due(due - Duration::from_millis(1)).is_empty());
        assert_eq!(queue.take_due(due).len(), 1);
        for _ in 0..2 {
            queue.pop().unwrap().run();
        }
        assert_eq!(queue.take_due(Instant::now() + 2 * PATIENCE).len(), 2);
        assert!(queue.is_empty());
        queue.push_begun(queued("begun third", &sender));
        assert!(queue.next_due().is_none());
        assert!(queue.take_due(Instant::now() + 2 * PATIENCE).is_empty());
        queue.pop().unwrap().run();
        let names: Vec<_> = done.try_iter().collect();
        assert_eq!(names, ["begun first", "begun second", "begun third"]);
    }

    #[test]
    fn without_a_bound_nothing_is_due() {
        let (sender, _done) = channel();
        let mut queue = Queue::new(None);
        queue.push(queued("one", &sender));
        assert!(queue.next_due().is_none());
        assert!(queue.take_due(Instant::now() + Duration::from_secs(3600)).is_empty());
        assert_eq!(queue.len(), 1);
    }
}
