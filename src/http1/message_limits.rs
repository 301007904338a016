//! What one message may have. What a listener allows its clients is in `front::listener_limits`.

/// Most bytes of a request's head: AWS's 10,240 B (`R13.1`). A longer one is refused.
pub const MAX_REQUEST_HEAD_LENGTH: usize = 10_240;

/// Fields of a request's head. Servers behind commonly take 100; the 10,240 B of a head would hold thousands, each of
/// which costs more than its bytes.
pub const MAX_FIELDS: usize = 256;

/// Empty lines before a request line. Some old clients send one after a body (RFC 9112 §2.2).
pub const MAX_EMPTY_LINES: u32 = 1;

/// Bytes of the extensions of one body's chunks, all together. Nobody uses them, and they cost work without content.
pub const MAX_EXTENSIONS: usize = 4 * 1024;

/// Bytes of a chunked body's trailer section, which is read and dropped.
pub const MAX_TRAILERS: usize = 4 * 1024;

/// Most bytes of a response's status line and header fields, and of its interim responses together. A larger head is
/// malformed.
pub const MAX_RESPONSE_HEAD_LENGTH: usize = 64 * 1024;

/// Most fields of a response, as many as a request may have.
pub const MAX_RESPONSE_FIELDS: usize = 256;

/// Most interim responses (1xx) before a response. Servers send one or two; each costs work without content.
pub const MAX_INTERIM_RESPONSES: usize = 64;

/// Bytes of the trailer section of a response, which is read and dropped.
pub const MAX_RESPONSE_TRAILERS: usize = 64 * 1024;

/// Most bytes of a request's content: AWS's 10 MB (`R13.1`).
pub const MAX_BODY_LENGTH: u64 = 10 * 1024 * 1024;

/// Bytes of content that are gathered before they are sent.
pub const PIECE_LENGTH: usize = 64 * 1024;
