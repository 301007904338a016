//! TLS on a client's connection, with sockets left to others: the handshake, and records of what is read and sent.
//!
//! Bytes come in as they were received, and go out as they are to be sent. The handshake's cryptography takes as long as
//! many requests, so a worker does it (`handshake`). After that, who reads opens the records, and who has the answer
//! seals it (`session`), before it waits for a slow client.

pub(super) mod records;
pub(super) mod session;
pub(super) mod handshake;
pub(super) mod handshake_queue;
