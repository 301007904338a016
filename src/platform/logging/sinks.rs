//! Where lines are written that do not take them, for the tests of both logs.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender};

/// Takes nothing until it is let to.
pub(crate) struct Stalled {
    /// Disconnected to let it.
    released: Receiver<Infallible>,
    written: Sender<Vec<u8>>,
}

impl Stalled {
    pub(crate) fn new(released: Receiver<Infallible>, written: Sender<Vec<u8>>) -> Stalled {
        Stalled { released, written }
    }
}

impl Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.released.recv();
        let _ = self.written.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails once, perhaps inside a line.
pub(crate) struct Failing {
    has_failed: bool,
    written: Sender<Vec<u8>>,
}

impl Failing {
    pub(crate) fn once(written: Sender<Vec<u8>>) -> Failing {
        Failing {
            has_failed: false,
            written,
        }
    }
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.has_failed, true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let _ = self.written.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
