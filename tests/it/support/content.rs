//! Makes content for bodies, plain and in chunks.

/// Bytes without a pattern that a lost, doubled or shifted part could hide in.
pub fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The content in chunks of that many bytes.
pub fn chunked(content: &[u8], part: usize) -> Vec<u8> {
    let mut coded = Vec::with_capacity(content.len() + content.len() / part * 16 + 16);
    for chunk in content.chunks(part) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}
