//! The places of the connections that wait, and when each of them is looked at.

use std::collections::BTreeSet;
use std::time::Instant;

/// What has a place.
pub(super) trait Occupant {
    /// Whether nothing is going on with it.
    fn is_idle(&self) -> bool;

    /// Since when nothing is going on with it, where it may give way to another because of that.
    fn idle_since(&self) -> Option<Instant>;
}

/// All places. No connection is dropped in here, since that would want the lot for its seat.
#[derive(Debug)]
pub(super) struct Lot<C> {
    pub(super) places: Vec<Place<C>>,
    pub(super) free: Vec<usize>,
    /// When places are looked at. A place has one entry at most, which may be too early: to move it with every request
    /// would cost more than to look in vain now and then.
    pub(super) schedule: BTreeSet<(Instant, usize)>,
    /// Since when connections here are idle, once somebody has asked for the longest. As with the schedule, a place has
    /// one entry at most, which may be too early.
    pub(super) idle: Option<BTreeSet<(Instant, usize)>>,
    /// Until when the watching thread sleeps, if it does.
    pub(super) asleep_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Place<C> {
    /// None while the connection is away.
    parked: Option<Parked<C>>,
    /// What has happened while it was away.
    note: Option<Happened>,
    /// When it was noted that no more comes.
    ended_at: Option<Instant>,
    scheduled: Option<Instant>,
    /// Its entry among the idle ones.
    listed: Option<Instant>,
}

/// What has happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happened {
    /// There may be more to read, or room to write.
    Something,
    /// No more comes behind what is here. That is told once.
    End,
}

#[derive(Debug)]
struct Parked<C> {
    connection: Box<C>,
    deadline: Instant,
}

impl<C> Default for Lot<C> {
    fn default() -> Lot<C> {
        Lot {
            places: Vec::new(),
            free: Vec::new(),
            schedule: BTreeSet::new(),
            idle: None,
            asleep_until: None,
        }
    }
}

impl<C> Default for Place<C> {
    fn default() -> Place<C> {
        Place {
            parked: None,
            note: None,
            ended_at: None,
            scheduled: None,
            listed: None,
        }
    }
}

impl<C: Occupant> Lot<C> {
    pub(super) fn claim(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        })
    }

    pub(super) fn fill(&mut self, place: usize, connection: Box<C>, deadline: Instant) {
        let idle_since = connection.idle_since();
        if let Some(place) = self.places.get_mut(place) {
            place.parked = Some(Parked { connection, deadline });
        }
        self.look_at(place, deadline);
        if let Some(since) = idle_since {
            self.list_idle(place, since);
        }
    }

    fn list_idle(&mut self, number: usize, since: Instant) {
        if let Some(idle) = &mut self.idle
            && let Some(place) = self.places.get_mut(number)
            && place.listed.is_none()
        {
            place.listed = Some(since);
            idle.insert((since, number));
        }
    }

    /// Takes out the connection that is idle for longest. The first time looks at all of them. From then on an entry is
    /// put right when it is found, so that a request leaves its connection's as it is.
    pub(super) fn take_longest_idle(&mut self) -> Option<Box<C>> {
        if self.idle.is_none() {
            self.idle = Some(BTreeSet::new());
            for number in 0..self.places.len() {
                if let Some(since) = self.idle_since(number) {
                    self.list_idle(number, since);
                }
            }
        }
        while let Some((listed, number)) = self.idle.as_mut().and_then(BTreeSet::pop_first) {
            let since = self.idle_since(number);
            let place = self.places.get_mut(number)?;
            place.listed = None;
            match since {
                // All others are idle since their entry or later, and their entries are later.
                Some(since) if since <= listed => return place.parked.take().map(|parked| parked.connection),
                Some(since) => self.list_idle(number, since),
                // It is listed again when it is here and idle.
                None => {}
            }
        }
        None
    }

    fn idle_since(&self, number: usize) -> Option<Instant> {
        self.places.get(number)?.parked.as_ref()?.connection.idle_since()
    }

    /// Takes out the connection with the least key of those that have one. That looks at all of them.
    pub(super) fn take_least<Key: Ord>(&mut self, key: impl Fn(&C) -> Option<Key>) -> Option<Box<C>> {
        let key = |place: &Place<C>| key(&place.parked.as_ref()?.connection);
        let keyed = self.places.iter_mut().filter_map(|place| Some((key(place)?, place)));
        let (_, place) = keyed.min_by(|(one, _), (other, _)| one.cmp(other))?;
        place.parked.take().map(|parked| parked.connection)
    }

    /// Nobody asks for idle connections for now.
    pub(super) fn forget_idle(&mut self) {
        self.idle = None;
        for place in &mut self.places {
            place.listed = None;
        }
    }

    /// Sees to it that a place is looked at by that time.
    fn look_at(&mut self, place: usize, deadline: Instant) {
        let Some(Place { scheduled, .. }) = self.places.get_mut(place) else {
            return;
        };
        if scheduled.is_none_or(|at| at > deadline) {
            if let Some(at) = scheduled.replace(deadline) {
                self.schedule.remove(&(at, place));
            }
            self.schedule.insert((deadline, place));
        }
    }

    /// Takes out the connection of a place where something has happened; where it is away, that is noted.
    pub(super) fn take(&mut self, place: usize, happened: Happened) -> Option<Box<C>> {
        let place = self.places.get_mut(place)?;
        match place.parked.take() {
            Some(parked) => Some(parked.connection),
            None => {
                place.note = place.note.max(Some(happened));
                if happened == Happened::End {
                    place.ended_at.get_or_insert_with(Instant::now);
                }
                None
            }
        }
    }

    /// What has happened while the connection was away; it is forgotten.
    pub(super) fn take_note(&mut self, place: usize) -> Option<Happened> {
        let place = self.places.get_mut(place)?;
        place.ended_at = None;
        place.note.take()
    }

    /// When the end of a connection that is away was noted; none where it was not.
    pub(super) fn end_noted_at(&self, place: usize) -> Option<Instant> {
        self.places.get(place)?.ended_at
    }

    /// Takes out a connection whose deadline has passed.
    pub(super) fn next_expired(&mut self, now: Instant) -> Option<Box<C>> {
        while let Some((_, number)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
            self.schedule.pop_first();
            let Some(place) = self.places.get_mut(number) else {
                continue;
            };
            place.scheduled = None;
            match place.parked.take() {
                Some(parked) if parked.deadline <= now => return Some(parked.connection),
                Some(parked) => {
                    let deadline = parked.deadline;
                    place.parked = Some(parked);
                    self.look_at(number, deadline);
                }
                None => {}
            }
        }
        None
    }

    /// Frees the place of a connection that is away, for good.
    pub(super) fn vacate(&mut self, place: usize) {
        if let Some(vacated) = self.places.get_mut(place) {
            (vacated.note, vacated.ended_at) = (None, None);
            if let Some(at) = vacated.scheduled.take() {
                self.schedule.remove(&(at, place));
            }
            if let (Some(at), Some(idle)) = (vacated.listed.take(), &mut self.idle) {
                idle.remove(&(at, place));
            }
            self.free.push(place);
        }
    }

    /// The earliest time at which a place is to be looked at.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.schedule.first().map(|(deadline, _)| *deadline)
    }

    /// Lets idle connections wait no longer than that.
    pub(super) fn hasten_idle(&mut self, latest: Instant) {
        for place in 0..self.places.len() {
            let parked = self.places.get_mut(place).and_then(|place| place.parked.as_mut());
            if let Some(parked) = parked
                && parked.deadline > latest
                && parked.connection.is_idle()
            {
                parked.deadline = latest;
                self.look_at(place, latest);
            }
        }
    }

    /// How many parked connections satisfy that.
    pub(super) fn count(&self, is_counted: impl Fn(&C) -> bool) -> usize {
        let parked = self.places.iter().filter_map(|place| place.parked.as_ref());
        parked.filter(|parked| is_counted(&parked.connection)).count()
    }
}
