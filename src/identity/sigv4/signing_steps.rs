//! The steps from a canonical request to its signature, which verify one and make one alike.

use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::identity::sigv4::signature::{ALGORITHM, Scope, TERMINATOR};

/// The hash of a text or a body, as a signature covers it.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The text that is signed.
pub(super) fn string_to_sign(Scope { time, region, service }: Scope<'_>, canonical: &[u8]) -> String {
    let hash = hash(canonical);
    let (at, day) = (time.as_str(), time.day());
    format!("{ALGORITHM}\n{at}\n{day}/{region}/{service}/{TERMINATOR}\n{hash}")
}

/// The key of one day, region and service.
///
/// It is made for each request: that takes 3 µs, and keys of ring's that were kept would stay in memory, since
/// nothing overwrites them.
pub(super) fn signing_key(secret: &str, Scope { time, region, service }: Scope<'_>) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for part in [time.day(), region, service, TERMINATOR] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
}

/// Two digits for each byte, in lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
