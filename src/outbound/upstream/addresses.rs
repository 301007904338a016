//! The addresses that a host's name has.

use std::net::SocketAddr;
use std::sync::Arc;

/// Addresses of one name, all from one look-up.
pub(super) type Addresses = Arc<[SocketAddr]>;
