//! How integrations are reached.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::outbound::upstream::tls::Trust;

/// How long the addresses of a name are used unless an option says otherwise: container platforms move a name about as
/// fast.
pub const DNS_TTL: Duration = Duration::from_secs(5);

/// How upstreams are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What TLS is spoken with, see [`client_config`](crate::outbound::upstream::tls::client_config).
    pub tls: Trust,
    /// Most connections, in use or not: where there are so many, none is kept.
    pub most_connections: usize,
    /// Most workers that wait for one destination, see [`share`](crate::platform::concurrency::share); one more is refused.
    pub share: NonZeroUsize,
    /// Most exchanges on loops with one destination; one more is refused.
    pub share_on_loops: NonZeroUsize,
    /// Most connections of loops, in use or not.
    pub most_on_loops: usize,
    /// How long the addresses of a name are used before it is looked up again.
    pub dns_ttl: Duration,
}
