//! Which threads are loops, and what never happens there: one that waits would keep all its connections waiting.

use std::cell::Cell;

thread_local! {
    static IS_LOOP: Cell<bool> = const { Cell::new(false) };
}

/// From now on the thread is a loop.
pub fn enter() {
    IS_LOOP.set(true);
}

/// Whether the thread is a loop.
pub fn is_loop() -> bool {
    IS_LOOP.get()
}

/// What may wait says so first. In builds with debug assertions, so in tests, a loop that gets there fails loudly.
pub fn may_wait(what: &str) {
    debug_assert!(!is_loop(), "a loop must not wait: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn only_a_loop_may_not_wait() {
        may_wait("in an ordinary thread");
        let thread = thread::spawn(|| {
            enter();
            may_wait("in a loop");
        });
        assert_eq!(thread.join().is_err(), cfg!(debug_assertions));
        assert!(!is_loop());
    }
}
