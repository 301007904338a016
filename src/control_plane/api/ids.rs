//! New ids, as AWS's look (`R20.12`).

use ring::rand::{SecureRandom, SystemRandom};

use crate::control_plane::api::error::ApiError;

/// What the first character of an id may be.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

/// What the others may be.
const LETTERS_AND_DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// How often an id is made again that is taken. With 6 characters there are a billion.
const ATTEMPTS: usize = 100;

/// An id of so many characters that is not taken.
///
/// # Errors
/// The system has no random bytes.
pub fn new(length: usize, is_taken: impl Fn(&str) -> bool) -> Result<String, ApiError> {
    let random = SystemRandom::new();
    for _ in 0..ATTEMPTS {
        let mut bytes = vec![0_u8; length];
        random.fill(&mut bytes).map_err(|_| {
            log::error!("the system has no random bytes for an id");
            ApiError::internal()
        })?;
        let character = |(place, byte): (usize, &u8)| {
            let known = if place == 0 { LETTERS } else { LETTERS_AND_DIGITS };
            known
                .get(usize::from(*byte) % known.len())
                .copied()
                .map_or('a', char::from)
        };
        let id: String = bytes.iter().enumerate().map(character).collect();
        if !is_taken(&id) {
            return Ok(id);
        }
    }
    log::error!("no id of {length} characters is free");
    Err(ApiError::internal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::unit::is_api_id;
    use std::cell::Cell;

    #[test]
    fn ids_begin_with_a_letter_and_are_free() {
        let asked = Cell::new(0);
        let id = new(10, |_| {
            asked.set(asked.get() + 1);
            asked.get() < 5
        });
        let id = id.unwrap();
        assert!(
            id.len() == 10 && id.starts_with(|first: char| first.is_ascii_lowercase()),
            "{id}"
        );
        assert!(is_api_id(&id), "{id}");
        assert!(new(6, |_| true).is_err());
    }

    #[test]
    fn ids_that_a_maker_may_choose() {
        for (id, expected) in [
            ("a", true),
            ("0", true),
            ("my-api-1", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("a_b", false),
            ("a/b", false),
            ("..", false),
            ("a\0", false),
        ] {
            assert_eq!(is_api_id(id), expected, "{id:?}");
        }
        assert!(is_api_id(&"a".repeat(63)) && !is_api_id(&"a".repeat(64)));
    }
}
