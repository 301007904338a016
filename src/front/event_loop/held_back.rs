//! Requests that a loop holds back while a reload is under way.

use std::time::{Duration, Instant};

use crate::platform::reload_gate::PATIENCE;

/// How often a loop that holds requests back looks whether the reload is over.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Whether a loop holds its requests back for a reload.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    since: Option<Instant>,
}

impl HeldBack {
    /// Whether requests are held back, where a reload is under way or not.
    pub(super) fn is_held(&mut self, is_changing: bool) -> bool {
        if !is_changing {
            self.since = None;
            return false;
        }
        self.since.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_held_back_for_a_second_at_most() {
        let mut held = HeldBack::default();
        assert!(!held.is_held(false));
        assert!(held.is_held(true) && held.is_held(true));
        held.since = held.since.and_then(|since| since.checked_sub(PATIENCE));
        assert!(!held.is_held(true), "later ones need not wait for the same reload");
        assert!(!held.is_held(false));
        assert!(held.is_held(true), "the next one is waited for");
    }
}
