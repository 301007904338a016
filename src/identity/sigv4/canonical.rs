//! The one form of a request that client and gateway both compute, and that the signature covers.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
//!
//! Where AWS leaves room:
//! * **Path.** As for every service but S3, the path as sent is encoded once more (`%20` becomes `%2520`), which is
//!   what execute-api is seen to do. Runs of slashes count as one, as AWS's test suite and SDKs have it: a request
//!   signed for `/a` also holds for `//a`. Dot segments never come here; the gateway answers them with 400.
//! * **Query.** Names and values are decoded and encoded again. A `+` is a blank and becomes `%20`, as it is one to
//!   everything else that reads a query here. Empty parts (`a&&b`) are left out.
//! * **Fields.** Runs of blanks count as one, within quotes, too.

use crate::definition::notation::query;
use crate::identity::sigv4::query_parameters::QueryParameters;
use crate::identity::sigv4::signed_request::SignedRequest;

/// The canonical request; `signed_headers` are the names of the fields that are covered, as `SignedHeaders` has them.
///
/// Bytes and not text, since a field's value need not be UTF-8.
pub(super) fn request(
    request: &SignedRequest<'_>,
    parameters: &QueryParameters<'_>,
    signed_headers: &str,
    payload_hash: &str,
) -> Vec<u8> {
    let mut canonical = Vec::new();
    for line in [request.method, &path(request.path), &parameters.canonical()] {
        canonical.extend_from_slice(line.as_bytes());
        canonical.push(b'\n');
    }
    for name in signed_headers.split(';') {
        canonical.extend_from_slice(name.as_bytes());
        canonical.push(b':');
        for (place, value) in request.headers.get_all(name).enumerate() {
            if place > 0 {
                canonical.push(b',');
            }
            push_value(&mut canonical, value);
        }
        canonical.push(b'\n');
    }
    canonical.push(b'\n');
    canonical.extend_from_slice(signed_headers.as_bytes());
    canonical.push(b'\n');
    canonical.extend_from_slice(payload_hash.as_bytes());
    canonical
}

/// The path as sent, each segment encoded, with its slashes merged.
fn path(raw: &str) -> String {
    with_merged_slashes(raw, |path, segment| {
        path.push_str(&query::encoded(segment.as_bytes()).to_string());
    })
}

/// A path without empty segments but for the last; `push` writes each of the others.
pub(super) fn with_merged_slashes(raw: &str, push: impl Fn(&mut String, &str)) -> String {
    let mut path = String::with_capacity(raw.len() + 1);
    for segment in raw.split('/').filter(|segment| !segment.is_empty()) {
        path.push('/');
        push(&mut path, segment);
    }
    if path.is_empty() || raw.ends_with('/') {
        path.push('/');
    }
    path
}

/// A field's value without blanks round it, and with one blank for each run of them.
fn push_value(canonical: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t'));
    for (place, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if place > 0 {
            canonical.push(b' ');
        }
        canonical.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_as_it_was_sent() {
        for (raw, canonical) in [
            ("/", "/"),
            ("", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("//a///b//", "/a/b/"),
            ("//", "/"),
            ("/a%20b", "/a%2520b"),
            ("/a%2fb", "/a%252fb"),
            ("/a+b", "/a%2Bb"),
            // What execute-api was seen to expect: aws/aws-sdk-net#3132.
            ("/$default/%40connections/a%3D", "/%24default/%2540connections/a%253D"),
            ("/-._~", "/-._~"),
            ("/!'()*;:@&=$,", "/%21%27%28%29%2A%3B%3A%40%26%3D%24%2C"),
        ] {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn a_query_is_sorted_as_it_is_encoded() {
        for (raw, canonical) in [
            ("", ""),
            ("a", "a="),
            ("a=", "a="),
            ("=a", "=a"),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=10&a=", "a=&a=10&a=2"),
            ("B=1&a=2&A=3", "A=3&B=1&a=2"),
            // By name first: as whole texts, `a-` would come before `a=`.
            ("a-=1&a=2", "a=2&a-=1"),
            // By what is encoded: `%` comes before letters, `~` after them.
            ("~=1&z=2&%C3%A9=3", "%C3%A9=3&z=2&~=1"),
            ("a=b=c", "a=b%3Dc"),
            ("a=b+c", "a=b%20c"),
            ("a=b%2Bc", "a=b%2Bc"),
            ("a=b%2bc%7e", "a=b%2Bc~"),
            ("a=%zz&b=%4", "a=%25zz&b=%254"),
            ("a=%ff", "a=%FF"),
            ("&a=1&&b=2&", "a=1&b=2"),
            ("a=*!'()/?:@", "a=%2A%21%27%28%29%2F%3F%3A%40"),
            (
                "X-Amz-Signature=1&%58-Amz-Signature=2&x-amz-signature=3",
                "x-amz-signature=3",
            ),
        ] {
            assert_eq!(QueryParameters::of(raw).canonical(), canonical, "{raw}");
        }
    }

    #[test]
    fn a_value_has_single_blanks() {
        for (raw, canonical) in [
            (&b""[..], &b""[..]),
            (b"a", b"a"),
            (b"  a  ", b"a"),
            (b"a \t b", b"a b"),
            (b"\"a   b\"", b"\"a b\""),
            (b"caf\xe9  x", b"caf\xe9 x"),
        ] {
            let mut value = Vec::new();
            push_value(&mut value, raw);
            assert_eq!(value, canonical);
        }
    }
}
