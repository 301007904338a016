//! HTTP/1.1 messages and their bytes, both directions and both roles. No sockets, no clock.

pub mod message_limits;
pub mod error;
pub mod capitals;
pub mod headers;
pub mod body;
pub mod message;
pub mod field_line;
pub mod framing;
pub mod head_scanner;
pub mod target;
pub mod chunk_line;
pub mod request_head;
pub mod response_head;
pub mod body_decoder;
pub mod remaining_body;
pub mod request_writer;
pub mod response_writer;
