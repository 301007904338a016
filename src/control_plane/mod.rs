//! Changes what is served: edited files, and AWS's own API under `/v2`.
//!
//! `watcher` looks at the files every 400 ms (names, times, inodes), and reads them when something differs. A file
//! that was written within the last 50 ms may be written again with the same time stamp, so such a look counts as
//! "may differ" once more. Polling was chosen over inotify because it also sees network and overlay file systems and
//! symbolic links that are swapped, as Kubernetes does it; with 10,000 files it costs about 4 % of a core.
//!
//! "At the next request after SIGHUP" must not be a race, so there is no signal handler: a handler runs when its
//! thread gets a processor, and by then the next request may be here. SIGHUP is blocked, which makes it pending for
//! the whole process before `kill` returns. Each request looks (one `poll` that does not wait), and waits at
//! `ReloadGate` until the watcher has reloaded.

mod changes;
pub mod source;
pub mod reloader;
pub mod watcher;
pub mod api;
pub mod import;
