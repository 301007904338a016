//! The waiting connections of all loops of a listener, as if they were in one table.

use std::io;
use std::time::Instant;

use crate::front::connection_table::{ConnectionTable, Poller, Watched};
use crate::front::home::{Home, Homes};

/// A table for each loop. A connection is always in that of its own.
pub(super) struct ConnectionTables<C> {
    first: ConnectionTable<C>,
    others: Box<[ConnectionTable<C>]>,
    homes: Homes,
}

impl<C: Watched> ConnectionTables<C> {
    /// Empty tables for so many loops, one at least, and what to watch each with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new(loops: usize) -> io::Result<(ConnectionTables<C>, Vec<Poller>)> {
        let (first, poller) = ConnectionTable::new()?;
        let (mut others, mut pollers) = (Vec::new(), vec![poller]);
        for _ in 1..loops {
            let (table, poller) = ConnectionTable::new()?;
            others.push(table);
            pollers.push(poller);
        }
        let homes = Homes::new(pollers.len());
        let others = others.into();
        Ok((ConnectionTables { first, others, homes }, pollers))
    }

    /// Deals a new connection to the loop that has the fewest.
    pub(super) fn deal(&self) -> Home {
        self.homes.deal()
    }

    fn all(&self) -> impl Iterator<Item = &ConnectionTable<C>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The table of a loop.
    pub(super) fn of_loop(&self, number: usize) -> &ConnectionTable<C> {
        let other = number.checked_sub(1).and_then(|other| self.others.get(other));
        other.unwrap_or(&self.first)
    }

    /// The table of a connection.
    pub(super) fn of(&self, connection: &C) -> &ConnectionTable<C> {
        self.of_loop(connection.home().number())
    }

    /// Makes all loops look up.
    pub(super) fn wake(&self) {
        for table in self.all() {
            table.wake();
        }
    }

    /// Takes out the connection that is idle for longest.
    pub(super) fn take_longest_idle(&self) -> Option<Box<C>> {
        // Another thread may take it, or give it a request, in between.
        loop {
            let mut idle: Vec<(Instant, &ConnectionTable<C>)> = Vec::new();
            idle.extend(self.all().filter_map(|table| Some((table.longest_idle()?, table))));
            let (_, table) = idle.into_iter().min_by_key(|(since, _)| *since)?;
            if let Some(connection) = table.take_longest_idle() {
                return Some(connection);
            }
        }
    }

    /// Takes out the connection with the least key of those that have one, of which there must be few.
    pub(super) fn take_least<Key: Ord>(&self, key: impl Fn(&C) -> Option<Key>) -> Option<Box<C>> {
        loop {
            let keyed = self.all().filter_map(|table| Some((table.least(&key)?, table)));
            let (_, table) = keyed.min_by(|(one, _), (other, _)| one.cmp(other))?;
            if let Some(connection) = table.take_least(&key) {
                return Some(connection);
            }
        }
    }

    /// Keeps no account of idle connections any more, until one is taken out again.
    pub(super) fn forget_idle(&self) {
        for table in self.all() {
            table.forget_idle();
        }
    }

    /// How many connections here satisfy that.
    pub(super) fn count(&self, is_counted: impl Fn(&C) -> bool) -> usize {
        self.all().map(|table| table.count(&is_counted)).sum()
    }
}
