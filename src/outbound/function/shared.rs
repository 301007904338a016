//! What the functions of a gateway share with one another.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::outbound::function::timer::Alarm;
use crate::platform::clock::Clock;

/// What functions are told of the gateway, and need of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A program whose `main` calls [`launch`], see [`own_executable`]. Without one, functions inherit the signals that the
    /// gateway blocks, and outlive one that is killed.
    ///
    /// [`launch`]: crate::outbound::function::launcher::launch
    /// [`own_executable`]: crate::outbound::function::launcher::own_executable
    pub launcher: Option<PathBuf>,
    /// Most workers that wait for one function, see [`share`](crate::platform::concurrency::share); one more invocation is refused.
    pub share: NonZeroUsize,
}

/// What all functions use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) alarm: Alarm,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Shared {
        Shared {
            settings,
            clock: Clock::system(),
            alarm: Alarm::default(),
        }
    }
}
