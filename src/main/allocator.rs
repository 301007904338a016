//! The command's memory: an allocator that gives what is free back to the system. The library leaves that to its user.
//!
//! glibc's keeps most of what a flood took: its heaps shrink from their ends only, and a few small pieces in use hold
//! them.

/// Has memory that is free given back, by a thread that does nothing else. Without it, only threads that allocate give
/// back what was theirs, and those that have nothing to do keep it. To be called before other threads are started.
///
/// # Errors
/// The system refuses the thread.
pub(crate) fn give_back() -> Result<(), String> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    jemalloc::give_back().map_err(|_| "the system refuses a thread, by which memory is given back")?;
    Ok(())
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod jemalloc {
    use tikv_jemalloc_ctl::{Access, AsName, Result, background_thread, max_background_threads};
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// Milliseconds in which memory that is free is given back, little by little. A lull between two bursts is shorter,
    /// so that a steady load takes no memory anew; jemalloc's own are 10 s.
    const DECAY_TIME: isize = 3_000;

    pub(super) fn give_back() -> Result<()> {
        // Of the threads to come, and of this one.
        b"arenas.dirty_decay_ms\0".name().write(DECAY_TIME)?;
        b"arena.0.dirty_decay_ms\0".name().write(DECAY_TIME)?;
        // One is enough for the memory of all. Where it wants a second one and the system refuses it, jemalloc asks
        // for it again and again without a pause.
        max_background_threads::write(1)?;
        background_thread::write(true)
    }
}
