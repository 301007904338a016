//! A signer of requests with Signature Version 4, written from AWS's description of it and from nothing else.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The gateway's clock as `X-Amz-Date` has it.
pub const NOW: &str = "20260710T191905Z";

pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request that is not sent yet.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// As sent, still encoded.
    pub path: String,
    /// As sent, without `?`.
    pub query: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Who signs, when and for what.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key_id: String,
    pub secret: String,
    pub session_token: Option<String>,
    /// As `X-Amz-Date`.
    pub date: String,
    pub region: String,
    pub service: String,
    /// The day of the scope; that of the date if left out.
    pub day: Option<String>,
    pub terminator: String,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: vec![("Host".to_owned(), "gw.test".to_owned())],
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// Puts another value into every field of that name.
    pub fn replaced(mut self, name: &str, value: &str) -> Request {
        for (field, old) in &mut self.headers {
            if field.eq_ignore_ascii_case(name) {
                value.clone_into(old);
            }
        }
        self
    }

    pub fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(field, _)| !field.eq_ignore_ascii_case(name));
        self
    }

    pub fn value(&self, name: &str) -> &str {
        let field = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        &field.unwrap().1
    }

    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The bytes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target());
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() {
            text += &format!("Content-Length: {}\r\n", self.body.len());
        }
        [(text + "\r\n").into_bytes(), self.body.clone()].concat()
    }

    fn canonical(&self, signed: &[String], payload_hash: &str) -> String {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        // For every service but S3 the path is encoded once more than it was sent.
        let segments: Vec<String> = path.split('/').map(encoded).collect();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for parameter in self.query.iter().flat_map(|query| query.split('&')) {
            if parameter.is_empty() {
                continue;
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            pairs.push((encoded(&decoded(name)), encoded(&decoded(value))));
        }
        pairs.sort();
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut lines = String::new();
        for name in signed {
            let fields = self
                .headers
                .iter()
                .filter(|(field, _)| field.eq_ignore_ascii_case(name));
            let values: Vec<String> = fields
                .map(|(_, value)| value.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            lines += &format!("{name}:{}\n", values.join(","));
        }
        format!(
            "{}\n{}\n{}\n{lines}\n{}\n{payload_hash}",
            self.method,
            segments.join("/"),
            pairs.join("&"),
            signed.join(";")
        )
    }
}

impl Signer {
    /// Signs for this gateway now.
    pub fn new(access_key_id: &str, secret: &str) -> Signer {
        Signer {
            access_key_id: access_key_id.to_owned(),
            secret: secret.to_owned(),
            session_token: None,
            date: NOW.to_owned(),
            region: "us-east-1".to_owned(),
            service: "execute-api".to_owned(),
            day: None,
            terminator: "aws4_request".to_owned(),
        }
    }

    pub fn with_token(mut self, token: &str) -> Signer {
        self.session_token = Some(token.to_owned());
        self
    }

    pub fn at(mut self, date: &str) -> Signer {
        date.clone_into(&mut self.date);
        self
    }

    pub fn scope(&self) -> String {
        let day = self.day.as_deref().unwrap_or(&self.date[..8]);
        format!("{day}/{}/{}/{}", self.region, self.service, self.terminator)
    }

    /// The signature of a request whose fields are complete.
    pub fn signature(&self, request: &Request, signed: &[String], payload_hash: &str) -> String {
        let canonical = request.canonical(signed, payload_hash);
        let to_sign = format!(
            "{ALGORITHM}\n{}\n{}\n{}",
            self.date,
            self.scope(),
            sha256(canonical.as_bytes())
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in self.scope().split('/') {
            key = mac(&key, part.as_bytes());
        }
        hex(&mac(&key, to_sign.as_bytes()))
    }

    /// Signs in a header, with all fields that the request has.
    pub fn sign(&self, request: Request) -> Request {
        let hash = sha256(&request.body);
        self.sign_with(request, None, &hash)
    }

    /// Signs in a header, with those fields or all, and a hash that may be wrong.
    pub fn sign_with(&self, mut request: Request, fields: Option<&[&str]>, payload_hash: &str) -> Request {
        if !request
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("x-amz-date"))
        {
            request = request.header("X-Amz-Date", &self.date);
        }
        if let Some(token) = &self.session_token {
            request = request.header("X-Amz-Security-Token", token);
        }
        let signed = match fields {
            Some(fields) => fields.iter().map(|field| (*field).to_owned()).collect(),
            None => names(&request),
        };
        let signature = self.signature(&request, &signed, payload_hash);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.access_key_id,
            self.scope(),
            signed.join(";")
        );
        request.header("Authorization", &authorization)
    }

    /// Signs in the query, for so many seconds.
    pub fn presign(&self, mut request: Request, expires: &str) -> Request {
        let mut query = request.query.take().map(|query| query + "&").unwrap_or_default();
        query += &format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={}&X-Amz-Expires={expires}",
            encoded(&format!("{}/{}", self.access_key_id, self.scope())),
            self.date
        );
        if let Some(token) = &self.session_token {
            query += &format!("&X-Amz-Security-Token={}", encoded(token));
        }
        let signed = names(&request);
        query += &format!("&X-Amz-SignedHeaders={}", encoded(&signed.join(";")));
        request.query = Some(query);
        let signature = self.signature(&request, &signed, &sha256(&request.body));
        request.query = request
            .query
            .map(|query| format!("{query}&X-Amz-Signature={signature}"));
        request
    }
}

/// The names of all fields, as `SignedHeaders` has them.
fn names(request: &Request) -> Vec<String> {
    let mut names: Vec<String> = request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    names
}

pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// AWS's published vectors of that name, with AWS's published key.
#[test]
fn the_signer_agrees_with_aws() {
    let mut signer = Signer::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").at("20150830T123600Z");
    signer.service = "service".to_owned();
    for (method, target, expected) in [
        // get-vanilla
        (
            "GET",
            "/",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        // post-vanilla
        (
            "POST",
            "/",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        // get-vanilla-query-order-key-case
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ] {
        let request = Request::new(method, target).replaced("host", "example.amazonaws.com");
        let signed = signer.sign(request);
        assert!(
            signed
                .value("authorization")
                .ends_with(&format!("Signature={expected}")),
            "{method} {target}: {}",
            signed.value("authorization")
        );
    }
}
