//! A short name for what the files say, by which gateways tell whether they serve the same ones (`F13`).

use std::borrow::Cow;

use ring::digest::{Context, SHA256};

use crate::definition::unit::{CREDENTIALS_FILE, Listing};

/// 16 hexadecimal digits: the first 64 bits of SHA-256 over each file that is read, in the order of the paths. A file is
/// its path below the root, a zero byte, its length in decimal, a zero byte, and its bytes.
///
/// A template's files are those that it means. The file of secrets is left out: a hash of a secret helps to guess it.
///
/// # Example
/// ```
/// use apigateway::definition::content_hash;
/// use apigateway::definition::unit::Listing;
///
/// // Of no file.
/// assert_eq!(content_hash::of(&Listing::default()), "e3b0c44298fc1c14");
/// ```
pub fn of(listing: &Listing) -> String {
    let mut files: Vec<(&str, &str)> = listing
        .files()
        .filter(|file| file.path != CREDENTIALS_FILE)
        .filter_map(|file| Some((file.path.as_str(), file.text.as_deref().ok()?)))
        .collect();
    files.sort_unstable();
    let mut hash = Context::new(&SHA256);
    for (path, text) in files {
        let text = match &listing.private {
            Some(private) => Cow::from(text.replace(private.as_str(), "")),
            None => Cow::from(text),
        };
        for part in [
            path.as_bytes(),
            b"\0",
            text.len().to_string().as_bytes(),
            b"\0",
            text.as_bytes(),
        ] {
            hash.update(part);
        }
    }
    let digest = hash.finish();
    let first = digest.as_ref().iter().take(8);
    first.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::unit::File;

    #[test]
    fn the_hash_is_of_paths_and_bytes_without_secrets() {
        let hash = |files: &[(&str, &str)]| {
            let files = files.iter().map(|(path, text)| File {
                path: (*path).to_owned(),
                text: Ok((*text).to_owned()),
                info: None,
            });
            of(&Listing::of("/somewhere", files))
        };
        // printf 'apis/o/api.json\0002\000{}routes/a.json\0003\000{ }' | sha256sum
        let known = hash(&[("routes/a.json", "{ }"), ("apis/o/api.json", "{}")]);
        assert_eq!(known, "ad1e12cf7d1c8374");
        let secret = ("credentials.json", "{}");
        assert_eq!(
            hash(&[secret, ("routes/a.json", "{ }"), ("apis/o/api.json", "{}")]),
            known
        );
        for other in [
            &[("routes/a.json", "{ }")][..],
            &[("routes/a.json", "{}"), ("apis/o/api.json", "{}")],
            &[("routes/b.json", "{ }"), ("apis/o/api.json", "{}")],
        ] {
            assert_ne!(hash(other), known);
        }
    }
}
