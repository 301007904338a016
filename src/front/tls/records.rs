//! The bounds of records in bytes that were received (RFC 8446 §5.1): what is not whole yet is not given to anybody.

/// Bytes of a record's head: its kind, its version, its length.
const HEAD_LENGTH: usize = 5;

/// The longest record, without its head (RFC 5246 §6.2.3).
const MAX_LENGTH: usize = (1 << 14) + 2048;

/// Kinds of records: change_cipher_spec, alert, handshake, application_data.
const KINDS: std::ops::RangeInclusive<u8> = 20..=23;

/// Bytes that one record adds to its content at most (RFC 5246 §6.2.3.3): head, explicit nonce, kind, tag.
pub(crate) const OVERHEAD: usize = 32;

/// The longest content of a record that is sent.
pub(crate) const CONTENT_LENGTH: usize = 1 << 14;

/// Bytes of the first record, where it is whole; all of them where they begin no record, so that they are refused.
pub(crate) fn first_length(bytes: &[u8]) -> Option<usize> {
    let &[kind, major, _, high, low] = bytes.first_chunk::<HEAD_LENGTH>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !KINDS.contains(&kind) || major != 3 || length > MAX_LENGTH {
        return Some(bytes.len());
    }
    Some(HEAD_LENGTH + length).filter(|length| *length <= bytes.len())
}

/// Bytes of all whole records at the beginning.
pub(crate) fn whole_length(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(length) = first_length(bytes.get(whole..).unwrap_or_default()) {
        whole += length;
        if whole == bytes.len() {
            break;
        }
    }
    whole
}

/// The most content whose records fit into so many bytes.
pub(crate) fn content_in(room: usize) -> usize {
    let records = room.div_ceil(CONTENT_LENGTH + OVERHEAD);
    room.saturating_sub(records * OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole_or_refused() {
        let record = [23, 3, 3, 0, 2, 1, 2];
        for end in 0..record.len() {
            assert_eq!(first_length(&record[..end]), None, "{end}");
        }
        let two = [record, record].concat();
        assert_eq!((first_length(&two), whole_length(&two)), (Some(7), 14));
        assert_eq!(whole_length(&two[..13]), 7);
        assert_eq!(whole_length(&[]), 0);
        // No record begins so: all of it is for who refuses it.
        for other in [
            *b"GET / ",
            [0x80, 46, 1, 3, 1, 0],
            [22, 2, 0, 0, 9, 9],
            [22, 3, 1, 0xff, 0xff, 0],
        ] {
            assert_eq!(whole_length(&other), 6, "{other:?}");
        }
    }

    #[test]
    fn what_is_sealed_fits_its_room() {
        for room in [0, 31, 32, 33, 1000, 16_384, 16_416, 16_417, 65_536, 1_000_000] {
            let content = content_in(room);
            let records = content.div_ceil(CONTENT_LENGTH);
            assert!(content + records * OVERHEAD <= room, "{room}: {content}");
        }
    }
}
