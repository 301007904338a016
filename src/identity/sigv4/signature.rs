//! What a request says of its own signature, in its `Authorization` field or in its query, read to the letter.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use std::borrow::Cow;
use std::time::SystemTime;

use crate::http1::message::{Headers, is_token};
use crate::identity::sigv4::query_parameters::QueryParameters;
use crate::identity::sigv4::refusal::Refusal;
use crate::identity::sigv4::signed_request::SignedRequest;
use crate::identity::sigv4::timestamp::Timestamp;

/// The one algorithm that is verified.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signature Version 4A, which API Gateway does not support (`R8.38`).
const ASYMMETRIC_ALGORITHM: &str = "AWS4-ECDSA-P256-SHA256";

/// What every credential scope ends in.
pub(super) const TERMINATOR: &str = "aws4_request";

/// Most seconds by which a request's clock and ours may differ, as AWS has it (`R8.38`).
const MAX_SKEW: i64 = 5 * 60;

/// Most seconds for which a presigned request may hold: seven days, AWS's bound.
const MAX_EXPIRES: i64 = 7 * 24 * 60 * 60;

/// Most fields that a signature may cover. SDKs sign about a dozen; each costs a search through all fields.
const MAX_SIGNED_HEADERS: usize = 100;

/// Fields of AWS's whose name says that they must be signed.
const AMZ_PREFIX: &str = "x-amz-";

/// A field that CloudFront adds on the way, so that no client can sign it.
const CLOUDFRONT_ID: &str = "x-amz-cf-id";

/// For what a signature holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// When it was made.
    pub(super) time: &'a Timestamp,
    /// The region.
    pub(super) region: &'a str,
    /// The service.
    pub(super) service: &'a str,
}

/// How long a signature holds.
#[derive(Debug, PartialEq, Eq)]
enum Validity {
    /// In a field: as long as the clocks may differ.
    Skew,
    /// In a query: so many seconds.
    Expires(i64),
}

/// A signature and what it claims.
#[derive(Debug)]
pub(super) struct Signature<'a> {
    /// Who signs, and for what it holds: `<access key id>/<day>/<region>/<service>/aws4_request`.
    credential: Cow<'a, str>,
    /// When it was made.
    time: Timestamp,
    validity: Validity,
    /// Names in lower case, in order, each once.
    pub(super) signed_headers: Cow<'a, str>,
    /// The signature itself.
    pub(super) mac: [u8; 32],
    /// The session's token as the client sent it.
    pub(super) token: Option<Cow<'a, [u8]>>,
}

impl<'a> Signature<'a> {
    /// The one signature of a request, in either form.
    ///
    /// # Errors
    /// There is none, there are two, or what is there is not to the letter.
    pub(super) fn of(request: &SignedRequest<'a>, parameters: &QueryParameters<'a>) -> Result<Signature<'a>, Refusal> {
        let field = one_field(request.headers, "authorization")?;
        let marks = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"];
        let is_presigned = marks.iter().any(|name| parameters.has(name));
        let signature = match (field, is_presigned) {
            (None, false) => return Err(Refusal::MissingToken),
            (Some(_), true) => return Err(Refusal::Incomplete("it is signed both in a field and in the query")),
            (Some(field), false) => from_field(field, request.headers, parameters)?,
            (None, true) => from_query(request.headers, parameters)?,
        };
        signature.check_coverage(request.headers)?;
        Ok(signature)
    }

    /// The access key that it is made with.
    pub(super) fn access_key_id(&self) -> &str {
        self.scope_part(0)
    }

    /// The region for which it holds.
    pub(super) fn region(&self) -> &str {
        self.scope_part(2)
    }

    /// The service for which it holds.
    pub(super) fn service(&self) -> &str {
        self.scope_part(3)
    }

    fn scope_part(&self, place: usize) -> &str {
        self.credential.split('/').nth(place).unwrap_or_default()
    }

    /// The day, the region and the service for which it holds.
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope {
            time: &self.time,
            region: self.region(),
            service: self.service(),
        }
    }

    /// The names of the fields that it covers.
    fn signed_names(&self) -> impl Iterator<Item = &str> {
        self.signed_headers.split(';')
    }

    fn signs(&self, wanted: &str) -> bool {
        self.signed_names().any(|name| name == wanted)
    }

    /// Checks the time of the signature against the clock.
    ///
    /// # Errors
    /// It holds no longer, or not yet.
    pub(super) fn check_time(&self, now: SystemTime) -> Result<(), Refusal> {
        let age = self.time.age(now);
        let limit = match self.validity {
            Validity::Skew => MAX_SKEW,
            Validity::Expires(seconds) => seconds,
        };
        if age < -MAX_SKEW {
            return Err(Refusal::SkewedClock);
        }
        if age > limit {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// Checks that what must be signed is signed, and that what is signed is there.
    ///
    /// A field that is not signed could be changed on the way. `Host` says which API is meant, and AWS asks for
    /// every `x-amz-` field. `Content-Type` may stay unsigned, as many clients leave it and API Gateway takes it.
    fn check_coverage(&self, headers: &Headers) -> Result<(), Refusal> {
        if !self.signs("host") {
            return Err(Refusal::NotSigned("Host"));
        }
        for (name, _) in headers.iter() {
            if name.starts_with(AMZ_PREFIX) && name != CLOUDFRONT_ID && !self.signs(name) {
                return Err(Refusal::NotSigned("a field whose name begins with x-amz-"));
            }
        }
        if self.signed_names().any(|name| headers.get(name).is_none()) {
            return Err(Refusal::Incomplete("a signed field is not there"));
        }
        let is_unsigned_twin = |name: &str| headers.twins(name).any(|twin| !self.signs(twin));
        if self.signed_names().any(is_unsigned_twin) {
            return Err(Refusal::NotSigned("a field that could be taken for a signed one"));
        }
        if headers.get_all("host").nth(1).is_some() {
            return Err(Refusal::Incomplete("there is more than one Host"));
        }
        Ok(())
    }
}

/// The value of a field that may occur once.
pub(super) fn one_field<'a>(headers: &'a Headers, name: &'static str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name);
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Incomplete("a field of the signature occurs twice"));
    }
    Ok(value)
}

fn from_field<'a>(
    field: &'a [u8],
    headers: &'a Headers,
    parameters: &QueryParameters<'a>,
) -> Result<Signature<'a>, Refusal> {
    let field = str::from_utf8(field).map_err(|_| Refusal::Incomplete("Authorization is not UTF-8"))?;
    let (algorithm, rest) = field.split_once(' ').unwrap_or((field, ""));
    check_algorithm(algorithm)?;
    let [credential, signed_headers, mac] = authorization_parts(rest)?;
    // The token of a request that is signed in a field is a field, too.
    if parameters.has("X-Amz-Security-Token") {
        return Err(Refusal::SessionToken);
    }
    let time = time_of_fields(headers)?;
    let signature = Signature::assemble(Cow::Borrowed(credential), time, Cow::Borrowed(signed_headers), mac)?;
    if headers.get("x-amz-date").is_none() && !signature.signs("date") {
        return Err(Refusal::NotSigned("Date"));
    }
    let token = one_field(headers, "x-amz-security-token")?.map(Cow::Borrowed);
    Ok(Signature { token, ..signature })
}

/// `Credential`, `SignedHeaders` and `Signature`, in any order, each once and nothing else.
fn authorization_parts(text: &str) -> Result<[&str; 3], Refusal> {
    let names = ["Credential", "SignedHeaders", "Signature"];
    let mut values = [None; 3];
    for part in text.split(',') {
        let (name, value) = part
            .trim_matches([' ', '\t'])
            .split_once('=')
            .ok_or(Refusal::Incomplete("a part of Authorization has no value"))?;
        let place = names.iter().position(|known| *known == name);
        let slot = place.and_then(|place| values.get_mut(place));
        let slot = slot.ok_or(Refusal::Incomplete("a part of Authorization is unknown"))?;
        if slot.replace(value).is_some() {
            return Err(Refusal::Incomplete("a part of Authorization occurs twice"));
        }
    }
    match values {
        [Some(credential), Some(signed_headers), Some(mac)] => Ok([credential, signed_headers, mac]),
        _ => Err(Refusal::Incomplete("a part of Authorization is missing")),
    }
}

/// `X-Amz-Date`, or `Date` where that is not there.
fn time_of_fields(headers: &Headers) -> Result<Timestamp, Refusal> {
    let time = if let Some(value) = one_field(headers, "x-amz-date")? {
        str::from_utf8(value).ok().and_then(Timestamp::parse)
    } else if let Some(value) = one_field(headers, "date")? {
        str::from_utf8(value).ok().and_then(Timestamp::parse_date_field)
    } else {
        return Err(Refusal::Incomplete("there is neither X-Amz-Date nor Date"));
    };
    time.ok_or(Refusal::Incomplete("the time of the signature is none"))
}

fn from_query<'a>(headers: &Headers, parameters: &QueryParameters<'a>) -> Result<Signature<'a>, Refusal> {
    let text = |name: &'static str| {
        let value = parameters
            .one(name)?
            .ok_or(Refusal::Incomplete("a parameter of the signature is missing"))?;
        text_of(value)
    };
    check_algorithm(&text("X-Amz-Algorithm")?)?;
    let time =
        Timestamp::parse(&text("X-Amz-Date")?).ok_or(Refusal::Incomplete("the time of the signature is none"))?;
    let expires = expires_of(&text("X-Amz-Expires")?)?;
    let mac = text("X-Amz-Signature")?;
    let signature = Signature::assemble(text("X-Amz-Credential")?, time, text("X-Amz-SignedHeaders")?, &mac)?;
    // As all parameters it is signed; a second token in a field would leave open which of them counts.
    if headers.get("x-amz-security-token").is_some() {
        return Err(Refusal::SessionToken);
    }
    Ok(Signature {
        token: parameters.one("X-Amz-Security-Token")?,
        validity: Validity::Expires(expires),
        ..signature
    })
}

fn text_of(value: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Refusal> {
    const NOT_UTF8: Refusal = Refusal::Incomplete("a parameter of the signature is not UTF-8");
    match value {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| NOT_UTF8),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| NOT_UTF8),
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    match algorithm {
        ALGORITHM => Ok(()),
        ASYMMETRIC_ALGORITHM => Err(Refusal::Algorithm),
        _ => Err(Refusal::Incomplete("the algorithm is not AWS4-HMAC-SHA256")),
    }
}

fn expires_of(text: &str) -> Result<i64, Refusal> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|seconds| is_number && (1..=MAX_EXPIRES).contains(seconds))
        .ok_or(Refusal::Incomplete("X-Amz-Expires is not between 1 and 604800"))
}

impl<'a> Signature<'a> {
    fn assemble(
        credential: Cow<'a, str>,
        time: Timestamp,
        signed_headers: Cow<'a, str>,
        mac: &str,
    ) -> Result<Signature<'a>, Refusal> {
        let scope: Vec<&str> = credential.split('/').collect();
        let [_, day, _, _, TERMINATOR] = scope.as_slice() else {
            return Err(Refusal::Incomplete("the credential's scope has another shape"));
        };
        if *day != time.day() {
            return Err(Refusal::ScopeDate);
        }
        check_names(&signed_headers)?;
        Ok(Signature {
            credential,
            time,
            validity: Validity::Skew,
            signed_headers,
            mac: mac_of(mac).ok_or(Refusal::Incomplete("the signature is not 64 hex digits in lower case"))?,
            token: None,
        })
    }
}

/// As clients sort them: what is signed is a text, and it has one form.
fn check_names(signed_headers: &str) -> Result<(), Refusal> {
    let mut before = "";
    for (count, name) in signed_headers.split(';').enumerate() {
        if count == MAX_SIGNED_HEADERS {
            return Err(Refusal::Incomplete("too many fields are signed"));
        }
        if !is_token(name.as_bytes()) || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Refusal::Incomplete(
                "SignedHeaders has what is no field name in lower case",
            ));
        }
        if name <= before {
            return Err(Refusal::Incomplete("SignedHeaders is not in order"));
        }
        before = name;
    }
    Ok(())
}

/// Exactly the digits that AWS's clients write: a signature has one form.
fn mac_of(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut mac = [0; 32];
    for (byte, pair) in mac.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = *pair;
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(mac)
}
