//! Signals without handlers: they stay pending until a thread takes them, and one that kills leaves no core dump. The
//! only user of nix.
//!
//! A handler runs when its thread gets a processor, which may be after the sender has gone on and sent a request. A
//! blocked signal is pending for the whole process as soon as `kill` returns, and every thread can see it.

use std::io;

use nix::sys::signal::{SigSet, Signal};

pub use hang_up::HangUp;

/// The signals that stop the program.
#[derive(Debug)]
pub struct StopSignals(SigSet);

impl StopSignals {
    /// Keeps SIGTERM and SIGINT for [`StopSignals::wait`], in this thread and those that it starts from now on.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn block() -> io::Result<StopSignals> {
        block(&[Signal::SIGTERM, Signal::SIGINT]).map(StopSignals)
    }

    /// Waits for one; tells its number.
    pub fn wait(&self) -> i32 {
        loop {
            if let Ok(signal) = self.0.wait() {
                return signal as i32;
            }
        }
    }
}

/// Keeps the process's memory, where secrets are, out of core dumps, and from debuggers of the same user.
///
/// Programs that are started later are as before. To be called once, before the first secret is read.
///
/// # Errors
/// As the operating system says.
pub fn forbid_core_dumps() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        // A limit of 0 would not do: it does not count where the kernel pipes the dump into a program.
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        Ok(setrlimit(Resource::Core, none)?)
    }
}

/// SIGUSR1, which asks to open the access log anew.
#[derive(Debug)]
pub struct ReopenSignal(SigSet);

impl ReopenSignal {
    /// Keeps SIGUSR1 for [`ReopenSignal::wait`], in this thread and those that it starts from now on.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn block() -> io::Result<ReopenSignal> {
        block(&[Signal::SIGUSR1]).map(ReopenSignal)
    }

    /// Waits for one.
    pub fn wait(&self) {
        while self.0.wait().is_err() {}
    }
}

/// Blocks signals in this thread and those that it starts from now on.
fn block(signals: &[Signal]) -> io::Result<SigSet> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block()?;
    Ok(set)
}

/// Takes back what is blocked: a program that is started inherits it, and must not.
///
/// # Errors
/// As the operating system says.
pub fn unblock() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

#[cfg(target_os = "linux")]
mod hang_up {
    use std::io;

    use nix::sys::signal::Signal;
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// SIGHUP, which asks for a reload.
    #[derive(Debug)]
    pub struct HangUp(SignalFd);

    impl HangUp {
        /// Keeps SIGHUP pending, in this thread and those that it starts from now on.
        ///
        /// # Errors
        /// As the operating system says.
        pub fn block() -> io::Result<HangUp> {
            let signals = super::block(&[Signal::SIGHUP])?;
            let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
            Ok(HangUp(SignalFd::with_flags(&signals, flags)?))
        }

        /// Whether one has come that is not cleared.
        pub fn is_pending(&self) -> bool {
            self.poll(Some(&Timespec::default()))
        }

        /// Waits for one, and leaves it pending.
        pub fn wait(&self) {
            while !self.poll(None) {}
        }

        /// Takes what is pending.
        pub fn clear(&self) {
            while matches!(self.0.read_signal(), Ok(Some(_))) {}
        }

        fn poll(&self, timeout: Option<&Timespec>) -> bool {
            let mut descriptors = [PollFd::new(&self.0, PollFlags::IN)];
            poll(&mut descriptors, timeout).is_ok_and(|ready| ready > 0)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod hang_up {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::sys::signal::{SigSet, Signal};

    /// SIGHUP, which asks for a reload. Only the thread that waits can see it, so another may be a moment late.
    #[derive(Debug)]
    pub struct HangUp {
        signals: SigSet,
        is_pending: AtomicBool,
    }

    impl HangUp {
        /// Keeps SIGHUP for [`HangUp::wait`], in this thread and those that it starts from now on.
        ///
        /// # Errors
        /// As the operating system says.
        pub fn block() -> io::Result<HangUp> {
            let signals = super::block(&[Signal::SIGHUP])?;
            let is_pending = AtomicBool::new(false);
            Ok(HangUp { signals, is_pending })
        }

        /// Whether one has come that is not cleared.
        pub fn is_pending(&self) -> bool {
            self.is_pending.load(Ordering::SeqCst)
        }

        /// Waits for one, and leaves it pending.
        pub fn wait(&self) {
            while self.signals.wait().is_err() {}
            self.is_pending.store(true, Ordering::SeqCst);
        }

        /// Takes what is pending.
        pub fn clear(&self) {
            self.is_pending.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

    #[test]
    fn memory_stays_out_of_core_dumps() {
        let before = dumpable_behavior().unwrap();
        super::forbid_core_dumps().unwrap();
        let after = dumpable_behavior().unwrap();
        set_dumpable_behavior(before).unwrap();
        assert_eq!(after, DumpableBehavior::NotDumpable);
    }
}
