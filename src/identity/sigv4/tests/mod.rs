//! Requests that are signed over canonical requests which are written out here, so that the tests do not stand on the
//! code they test.

mod attacks;
mod limits;
mod sign;
mod vectors;

use ring::digest;

use super::*;
use crate::http1::message::Headers;
use crate::identity::sigv4::signing_steps::hex;
use crate::identity::sigv4::tests::vectors::{SUITE_SECRET, SUITE_TIME, at, credential};

const REGION: &str = "us-east-1";
const TIME: &str = "20150830T123600Z";
const DAY: &str = "20150830";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request that can be changed.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    path: String,
    query: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sent {
    fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Sent {
        self.fields.retain(|(other, _)| other != name);
        self.add(name, value)
    }

    fn add(mut self, name: &str, value: impl AsRef<[u8]>) -> Sent {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn with_query(mut self, query: &str) -> Sent {
        self.query = Some(query.to_owned());
        self
    }

    /// Replaces a text that stands in a field or in the query.
    fn replace(mut self, from: &str, to: &str) -> Sent {
        let mut places = 0;
        for (_, value) in &mut self.fields {
            let text = String::from_utf8(value.clone()).unwrap();
            places += usize::from(text.contains(from));
            *value = text.replace(from, to).into_bytes();
        }
        if let Some(query) = &mut self.query {
            places += usize::from(query.contains(from));
            *query = query.replace(from, to);
        }
        assert!(places > 0, "{from}");
        self
    }

    fn verify_at(&self, seconds: u64) -> Result<String, Refusal> {
        let mut headers = Headers::new();
        for (name, value) in &self.fields {
            headers.append(name, value).unwrap();
        }
        let request = SignedRequest {
            method: self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &headers,
            body: &self.body,
        };
        let credentials = Credentials::from(vec![
            credential("AKID", SUITE_SECRET, None),
            credential("ASIA", SUITE_SECRET, Some("token")),
            credential("OTHER", "another secret", None),
        ]);
        let caller = verify(&request, &credentials, REGION, at(seconds))?;
        Ok(caller.credential.access_key_id.clone())
    }

    fn verify(&self) -> Result<String, Refusal> {
        self.verify_at(SUITE_TIME)
    }

    #[track_caller]
    fn is_refused(&self, refusal: Refusal) {
        assert_eq!(self.verify().err(), Some(refusal));
    }

    #[track_caller]
    fn is_incomplete(&self) {
        let refusal = self.verify().unwrap_err();
        assert!(matches!(refusal, Refusal::Incomplete(_)), "{refusal:?}");
    }
}

fn sign(secret: &str, service: &str, canonical: &[u8]) -> String {
    let code = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [DAY, REGION, service, "aws4_request"] {
        key = code(&key, part);
    }
    let hash = hex(digest::digest(&digest::SHA256, canonical).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{TIME}\n{DAY}/{REGION}/{service}/aws4_request\n{hash}");
    hex(&code(&key, &text))
}

fn authorization(id: &str, signed: &str, mac: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{DAY}/{REGION}/execute-api/aws4_request, SignedHeaders={signed}, Signature={mac}"
    )
}

/// A request without a body for which `canonical` is signed.
fn with_fields(path: &str, fields: &[(&str, &[u8])], signed: &str, canonical: &[u8]) -> Sent {
    let mac = sign(SUITE_SECRET, "execute-api", canonical);
    let sent = Sent {
        method: "GET",
        path: path.to_owned(),
        query: None,
        fields: Vec::new(),
        body: Vec::new(),
    };
    let sent = fields.iter().fold(sent, |sent, (name, value)| sent.add(name, value));
    sent.add("authorization", authorization("AKID", signed, &mac))
}

/// Signed in a field, with a query and a body.
fn good() -> Sent {
    let body = b"{\"a\":1}";
    let hash = hex(digest::digest(&digest::SHA256, body).as_ref());
    let canonical =
        format!("POST\n/prod/pets\na=1&b=\nhost:h\nx-a:1\nx-amz-date:{TIME}\n\nhost;x-a;x-amz-date\n{hash}");
    let host = ("host", &b"h"[..]);
    let signed = [host, ("x-a", b"1"), ("x-amz-date", TIME.as_bytes()), ("x-b", b"free")];
    let mut sent = with_fields("/prod/pets", &signed, "host;x-a;x-amz-date", canonical.as_bytes());
    sent.method = "POST";
    sent.query = Some("b&a=1".to_owned());
    sent.body = body.to_vec();
    sent
}

/// Presigned for an hour, with a token where the key has one.
fn presigned(id: &str, expires: &str, token: Option<&str>) -> Sent {
    let token = token.map_or(String::new(), |token| format!("&X-Amz-Security-Token={token}"));
    let query = |between: &str| {
        format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={id}%2F{DAY}%2F{REGION}%2Fexecute-api%2Faws4_request\
             &X-Amz-Date={TIME}&X-Amz-Expires={expires}{between}"
        )
    };
    let signed = query(&format!("{token}&X-Amz-SignedHeaders=host&a=1"));
    let canonical = format!("GET\n/prod/pets\n{signed}\nhost:h\n\nhost\n{EMPTY}");
    let mac = sign(SUITE_SECRET, "execute-api", canonical.as_bytes());
    Sent {
        method: "GET",
        path: "/prod/pets".to_owned(),
        query: Some(format!("a=1&{signed}&X-Amz-Signature={mac}").replacen(
            "&a=1&X-Amz-Signature",
            "&X-Amz-Signature",
            1,
        )),
        fields: vec![("host".to_owned(), b"h".to_vec())],
        body: Vec::new(),
    }
}
