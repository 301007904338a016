//! Work that waits for a worker: the order in which it is taken, and how long it may wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Gets how long it has waited.
pub(super) type Job = Box<dyn FnOnce(Duration) + Send>;

/// What work goes before what other work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It goes behind what is vital.
    Ordinary,
    /// It goes before what is ordinary. There must be a bound for it.
    Vital,
}

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
    vital: VecDeque<Queued>,
    ordinary: VecDeque<Queued>,
    /// How long that waits at most; none is for ever.
    patience: Option<Duration>,
}

impl Queue {
    pub(super) fn new(patience: Option<Duration>) -> Queue {
        Queue {
            begun: VecDeque::new(),
            vital: VecDeque::new(),
            ordinary: VecDeque::new(),
            patience,
        }
    }

    pub(super) fn push(&mut self, queued: Queued, urgency: Urgency) {
        match urgency {
            Urgency::Ordinary => self.ordinary.push_back(queued),
            Urgency::Vital => self.vital.push_back(queued),
        }
    }

    pub(super) fn push_begun(&mut self, queued: Queued) {
        self.begun.push_back(queued);
    }

    pub(super) fn pop(&mut self) -> Option<Queued> {
        let queues = [&mut self.begun, &mut self.vital, &mut self.ordinary];
        queues.into_iter().find_map(VecDeque::pop_front)
    }

    pub(super) fn len(&self) -> usize {
        self.begun.len() + self.vital.len() + self.ordinary.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some of it has waited longer than that.
    pub(super) fn has_waited(&self, time: Duration) -> bool {
        let queues = [&self.begun, &self.vital, &self.ordinary];
        let mut fronts = queues.into_iter().filter_map(VecDeque::front);
        fronts.any(|queued| queued.since.elapsed() > time)
    }

    /// When the first of it has waited as long as it may.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let fronts = [self.vital.front(), self.ordinary.front()];
        fronts.into_iter().filter_map(|queued| self.due(queued?)).min()
    }

    fn due(&self, queued: &Queued) -> Option<Instant> {
        queued.since.checked_add(self.patience?)
    }

    /// Takes out what has waited as long as it may.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Queued> {
        let is_due = |queued: &&Queued| self.due(queued).is_some_and(|at| at <= now);
        let vital = self.vital.iter().take_while(is_due).count();
        let ordinary = self.ordinary.iter().take_while(is_due).count();
        self.vital
            .drain(..vital)
            .chain(self.ordinary.drain(..ordinary))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    const PATIENCE: Duration = Duration::from_secs(2);

    fn queued(name: &'static str, done: &Sender<&'static str>) -> Queued {
        let done = done.clone();
        Queued::new(move |_| done.send(name).unwrap())
    }

    #[test]
    fn what_was_begun_goes_first_and_then_what_is_vital() {
        let (sender, done) = channel();
        let mut queue = Queue::new(Some(PATIENCE));
        assert!(queue.is_empty() && queue.next_due().is_none());
        for (name, urgency) in [
            ("fifth", Urgency::Ordinary),
            ("third", Urgency::Vital),
            ("sixth", Urgency::Ordinary),
            ("fourth", Urgency::Vital),
        ] {
            queue.push(queued(name, &sender), urgency);
        }
        queue.push_begun(queued("first", &sender));
        queue.push_begun(queued("second", &sender));
        assert_eq!(queue.len(), 6);
        while let Some(next) = queue.pop() {
            next.run();
        }
        let names: Vec<_> = done.try_iter().collect();
        assert_eq!(names, ["first", "second", "third", "fourth", "fifth", "sixth"]);
    }

    #[test]
    fn what_has_waited_too_long_is_due_unless_it_was_begun() {
        let (sender, _done) = channel();
        let mut queue = Queue::new(Some(PATIENCE));
        queue.push_begun(queued("begun", &sender));
        assert!(queue.next_due().is_none());
        queue.push(queued("ordinary", &sender), Urgency::Ordinary);
        queue.push(queued("vital", &sender), Urgency::Vital);
        queue.push(queued("late", &sender), Urgency::Ordinary);
        let due = queue.next_due().unwrap();
        assert!(queue.take_due(due - Duration::from_millis(1)).is_empty());
        assert_eq!(queue.take_due(due).len(), 1, "that which came first");
        assert_eq!(queue.take_due(Instant::now() + PATIENCE).len(), 2);
        assert!(queue.take_due(Instant::now() + 2 * PATIENCE).is_empty());
        assert_eq!((queue.len(), queue.next_due()), (1, None));
    }

    #[test]
    fn without_a_bound_nothing_is_due() {
        let (sender, _done) = channel();
        let mut queue = Queue::new(None);
        queue.push(queued("one", &sender), Urgency::Ordinary);
        assert!(queue.next_due().is_none());
        assert!(queue.take_due(Instant::now() + Duration::from_secs(3600)).is_empty());
        assert_eq!(queue.len(), 1);
    }
}
