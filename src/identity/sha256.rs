//! A SHA-256 digest as bytes that can be kept and compared.

use ring::digest::{Digest, SHA256_OUTPUT_LEN};

/// The bytes of a SHA-256 digest; of a shorter one, zeroes follow.
pub(in crate::identity) fn sha256_bytes(digest: &Digest) -> [u8; SHA256_OUTPUT_LEN] {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    for (byte, digested) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *digested;
    }
    bytes
}
