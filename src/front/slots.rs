//! The slots of the connections that wait, and when each of them is looked at.

use std::collections::BTreeSet;
use std::time::Instant;

/// What has a slot.
pub(super) trait Occupant {
    /// Whether nothing is going on with it.
    fn is_idle(&self) -> bool;

    /// Since when nothing is going on with it, where it may give way to another because of that.
    fn idle_since(&self) -> Option<Instant>;
}

/// All slots. No connection is dropped in here, since the drop of its token would lock the slots again.
#[derive(Debug)]
pub(super) struct Slots<C> {
    pub(super) slots: Vec<Slot<C>>,
    pub(super) free: Vec<usize>,
    /// When slots are looked at. A slot has one entry at most, which may be too early: to move it with every request
    /// would cost more than to look in vain now and then.
    pub(super) schedule: BTreeSet<(Instant, usize)>,
    /// Since when connections here are idle, once a thread has asked for the longest. As with the schedule, a slot has
    /// one entry at most, which may be too early.
    pub(super) idle: Option<BTreeSet<(Instant, usize)>>,
    /// Connections that are given to the watching thread to be looked at.
    pub(super) given: Vec<Box<C>>,
    /// Until when the watching thread sleeps, if it does.
    pub(super) asleep_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Slot<C> {
    /// None while the connection is away.
    waiting: Option<Waiting<C>>,
    /// What has happened while it was away.
    noted: Option<Readiness>,
    /// When it was noted that no more comes.
    ended_at: Option<Instant>,
    scheduled: Option<Instant>,
    /// Its entry among the idle ones.
    listed: Option<Instant>,
}

/// What has happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Readiness {
    /// There may be more to read, or room to write.
    Something,
    /// No more comes behind what is here. That is told once.
    End,
}

#[derive(Debug)]
struct Waiting<C> {
    connection: Box<C>,
    deadline: Instant,
}

impl<C> Default for Slots<C> {
    fn default() -> Slots<C> {
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
            schedule: BTreeSet::new(),
            idle: None,
            given: Vec::new(),
            asleep_until: None,
        }
    }
}

impl<C> Default for Slot<C> {
    fn default() -> Slot<C> {
        Slot {
            waiting: None,
            noted: None,
            ended_at: None,
            scheduled: None,
            listed: None,
        }
    }
}

impl<C: Occupant> Slots<C> {
    pub(super) fn take_free(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        })
    }

    pub(super) fn fill(&mut self, slot: usize, connection: Box<C>, deadline: Instant) {
        let idle_since = connection.idle_since();
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.waiting = Some(Waiting { connection, deadline });
        }
        self.look_at(slot, deadline);
        if let Some(since) = idle_since {
            self.list_idle(slot, since);
        }
    }

    fn list_idle(&mut self, number: usize, since: Instant) {
        if let Some(idle) = &mut self.idle
            && let Some(slot) = self.slots.get_mut(number)
            && slot.listed.is_none()
        {
            slot.listed = Some(since);
            idle.insert((since, number));
        }
    }

    /// Since when the connection is idle that is so for longest. The first time looks at all of them. From then on an
    /// entry is put right when it is found, so that a request leaves its connection's as it is.
    pub(super) fn longest_idle(&mut self) -> Option<Instant> {
        if self.idle.is_none() {
            self.idle = Some(BTreeSet::new());
            for number in 0..self.slots.len() {
                if let Some(since) = self.idle_since(number) {
                    self.list_idle(number, since);
                }
            }
        }
        while let Some((listed, number)) = self.idle.as_ref().and_then(BTreeSet::first).copied() {
            let since = self.idle_since(number);
            // All others are idle since their entry or later, and their entries are later.
            if since.is_some_and(|since| since <= listed) {
                return since;
            }
            self.unlist(number);
            // One that is not here and idle is listed again when it is.
            if let Some(since) = since {
                self.list_idle(number, since);
            }
        }
        None
    }

    /// Takes out the connection that is idle for longest.
    pub(super) fn take_longest_idle(&mut self) -> Option<Box<C>> {
        self.longest_idle()?;
        let number = self.idle.as_ref()?.first()?.1;
        self.unlist(number);
        let waiting = self.slots.get_mut(number)?.waiting.take();
        waiting.map(|waiting| waiting.connection)
    }

    fn unlist(&mut self, number: usize) {
        if let Some(slot) = self.slots.get_mut(number)
            && let (Some(at), Some(idle)) = (slot.listed.take(), &mut self.idle)
        {
            idle.remove(&(at, number));
        }
    }

    fn idle_since(&self, number: usize) -> Option<Instant> {
        self.slots.get(number)?.waiting.as_ref()?.connection.idle_since()
    }

    /// The least key of those that connections have. That looks at all of them.
    pub(super) fn least<Key: Ord>(&self, key: impl Fn(&C) -> Option<Key>) -> Option<Key> {
        let keys = self
            .slots
            .iter()
            .filter_map(|slot| key(&slot.waiting.as_ref()?.connection));
        keys.min()
    }

    /// Takes out the connection with the least key of those that have one. That looks at all of them.
    pub(super) fn take_least<Key: Ord>(&mut self, key: impl Fn(&C) -> Option<Key>) -> Option<Box<C>> {
        let key = |slot: &Slot<C>| key(&slot.waiting.as_ref()?.connection);
        let keyed = self.slots.iter_mut().filter_map(|slot| Some((key(slot)?, slot)));
        let (_, slot) = keyed.min_by(|(one, _), (other, _)| one.cmp(other))?;
        slot.waiting.take().map(|waiting| waiting.connection)
    }

    /// Nobody asks for idle connections for now.
    pub(super) fn forget_idle(&mut self) {
        self.idle = None;
        for slot in &mut self.slots {
            slot.listed = None;
        }
    }

    /// Sees to it that a slot is looked at by that time.
    fn look_at(&mut self, slot: usize, deadline: Instant) {
        let Some(Slot { scheduled, .. }) = self.slots.get_mut(slot) else {
            return;
        };
        if scheduled.is_none_or(|at| at > deadline) {
            if let Some(at) = scheduled.replace(deadline) {
                self.schedule.remove(&(at, slot));
            }
            self.schedule.insert((deadline, slot));
        }
    }

    /// Takes out the connection of a slot where something has happened; where it is away, that is noted.
    pub(super) fn take(&mut self, slot: usize, readiness: Readiness) -> Option<Box<C>> {
        let slot = self.slots.get_mut(slot)?;
        match slot.waiting.take() {
            Some(waiting) => Some(waiting.connection),
            None => {
                slot.noted = slot.noted.max(Some(readiness));
                if readiness == Readiness::End {
                    slot.ended_at.get_or_insert_with(Instant::now);
                }
                None
            }
        }
    }

    /// What has happened while the connection was away; it is forgotten.
    pub(super) fn take_readiness(&mut self, slot: usize) -> Option<Readiness> {
        let slot = self.slots.get_mut(slot)?;
        slot.ended_at = None;
        slot.noted.take()
    }

    /// When the end of a connection that is away was noted; none where it was not.
    pub(super) fn end_noted_at(&self, slot: usize) -> Option<Instant> {
        self.slots.get(slot)?.ended_at
    }

    /// Takes out a connection whose deadline has passed.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<Box<C>> {
        while let Some((_, number)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
            self.schedule.pop_first();
            let Some(slot) = self.slots.get_mut(number) else {
                continue;
            };
            slot.scheduled = None;
            match slot.waiting.take() {
                Some(waiting) if waiting.deadline <= now => return Some(waiting.connection),
                Some(waiting) => {
                    let deadline = waiting.deadline;
                    slot.waiting = Some(waiting);
                    self.look_at(number, deadline);
                }
                None => {}
            }
        }
        None
    }

    /// Frees the slot of a connection that is away, for good.
    pub(super) fn free_slot(&mut self, slot: usize) {
        if let Some(vacated) = self.slots.get_mut(slot) {
            (vacated.noted, vacated.ended_at) = (None, None);
            if let Some(at) = vacated.scheduled.take() {
                self.schedule.remove(&(at, slot));
            }
            self.unlist(slot);
            self.free.push(slot);
        }
    }

    /// The earliest time at which a slot is to be looked at.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.schedule.first().map(|(deadline, _)| *deadline)
    }

    /// Lets idle connections wait no longer than that.
    pub(super) fn expire_idle(&mut self, latest: Instant) {
        for slot in 0..self.slots.len() {
            let waiting = self.slots.get_mut(slot).and_then(|slot| slot.waiting.as_mut());
            if let Some(waiting) = waiting
                && waiting.deadline > latest
                && waiting.connection.is_idle()
            {
                waiting.deadline = latest;
                self.look_at(slot, latest);
            }
        }
    }

    /// How many waiting connections satisfy that.
    pub(super) fn count(&self, is_counted: impl Fn(&C) -> bool) -> usize {
        let waiting = self.slots.iter().filter_map(|slot| slot.waiting.as_ref());
        waiting.filter(|waiting| is_counted(&waiting.connection)).count()
    }
}
