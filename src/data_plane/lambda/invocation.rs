//! How a function is invoked over HTTP, and whether its answer is one (spec §5.8).
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::fmt;
use std::time::Duration;

use crate::data_plane::lambda::{MAX_ANSWER_LENGTH, text};
use crate::definition::json::Json;
use crate::definition::notation::arn::FunctionArn;
use crate::http1::message::{Body, BodyError, Client, Headers, Method};
use crate::outbound::upstream::url::Url;
use crate::outbound::upstream::{IntegrationRequest, IntegrationResponse, UpstreamError};

/// Where functions are invoked that no file tells of.
pub fn at_endpoint(endpoint: &Url, arn: &FunctionArn) -> Url {
    let base = endpoint.path.trim_end_matches('/');
    Url {
        path: format!("{base}/2015-03-31/functions/{}/invocations", arn.name()),
        query: arn.qualifier().map(|qualifier| format!("Qualifier={qualifier}")),
        ..endpoint.clone()
    }
}

/// The request that invokes a function, for a client. The function goes on to run once it has begun.
pub fn request(
    uri: &Url,
    event: Vec<u8>,
    trace_id: &[u8],
    timeout: Duration,
    client: Option<Client>,
) -> IntegrationRequest {
    let mut headers = Headers::new();
    headers.put("content-type", "application/json");
    // It was a field of the client's, or is our own.
    let _ = headers.append("x-amzn-trace-id", trace_id);
    IntegrationRequest {
        client,
        runs_on: true,
        ..uri.request(Method::Post, headers, Body::Bytes(event), timeout)
    }
}

/// Why an invocation has no payload, in words for an operator.
#[derive(Debug)]
pub enum InvocationError {
    /// There are too many at once, by the words of the service that refuses it.
    Throttled(String),
    /// As many workers wait for what invokes it as may.
    Overloaded(String),
    /// The function failed, and this is what it said.
    Function(Vec<u8>, String),
    /// What invokes the function failed.
    Failed(String),
    /// It took longer than the integration allows, and why.
    TimedOut(String),
    /// Nobody waits for the answer any more.
    ClientGone,
}

impl From<UpstreamError> for InvocationError {
    fn from(error: UpstreamError) -> InvocationError {
        match error {
            UpstreamError::TimedOut(_) => InvocationError::TimedOut(error.to_string()),
            UpstreamError::ClientGone => InvocationError::ClientGone,
            UpstreamError::Overloaded { .. } => InvocationError::Overloaded(error.to_string()),
            other => InvocationError::Failed(format!("it cannot be invoked: {other}")),
        }
    }
}

impl fmt::Display for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvocationError::Throttled(reason)
            | InvocationError::Function(_, reason)
            | InvocationError::Failed(reason)
            | InvocationError::TimedOut(reason)
            | InvocationError::Overloaded(reason) => f.write_str(reason),
            InvocationError::ClientGone => UpstreamError::ClientGone.fmt(f),
        }
    }
}

impl std::error::Error for InvocationError {}

/// What a function gave back, and what its invocation was answered with.
#[derive(Debug)]
pub struct Invoked {
    /// What the function said.
    pub payload: Vec<u8>,
    /// The status of the invocation.
    pub status: u16,
    /// The fields of the answer to it.
    pub headers: Headers,
}

/// What a function gave back, by the answer to its invocation (`R5.44`–`R5.49`).
///
/// # Errors
/// The function failed: the header says so, or the status, or the payload has the form in which AWS's emulator tells
/// of a failure.
pub fn read(response: IntegrationResponse) -> Result<Invoked, InvocationError> {
    if response.status == 429 {
        return Err(InvocationError::Throttled("it was throttled".to_owned()));
    }
    let failed = |reason: String| Err(InvocationError::Failed(reason));
    let kind = response
        .headers
        .get("x-amz-function-error")
        .map(|kind| text(kind).into_owned());
    let payload = match response.body.into_bytes(MAX_ANSWER_LENGTH) {
        Ok(payload) => payload,
        Err(BodyError::TooLarge) => return failed(format!("its answer has more than {MAX_ANSWER_LENGTH} bytes")),
        Err(BodyError::Io(error)) => return Err(UpstreamError::of_io(error).into()),
    };
    if let Some(kind) = kind {
        let reason = format!("it failed ({kind}): {}", beginning(&payload));
        return Err(InvocationError::Function(payload, reason));
    }
    if !(200..300).contains(&response.status) {
        return failed(format!(
            "its invocation was answered {}: {}",
            response.status,
            beginning(&payload)
        ));
    }
    if tells_of_failure(&payload) {
        let reason = format!("it failed: {}", beginning(&payload));
        return Err(InvocationError::Function(payload, reason));
    }
    Ok(Invoked {
        payload,
        status: response.status,
        headers: response.headers,
    })
}

/// As much of a payload as a log line should hold.
fn beginning(payload: &[u8]) -> String {
    const SHOWN: usize = 300;
    text(payload.get(..SHOWN).unwrap_or(payload)).into_owned()
}

/// What runtime clients put into an error besides a text and a type: Python, Ruby and Java a `stackTrace`, Python a
/// `requestId` too, Node.js a `trace`, Go `shouldExit`, Java and .NET a `cause` or `causes`.
const OF_AN_ERROR: [&str; 8] = [
    "errorMessage",
    "errorType",
    "stackTrace",
    "trace",
    "requestId",
    "shouldExit",
    "cause",
    "causes",
];

/// Whether a payload is one that says that the function failed (`R5.44`, `R5.46`).
fn tells_of_failure(payload: &[u8]) -> bool {
    let payload = payload.trim_ascii();
    if payload.first() != Some(&b'{') {
        return str::from_utf8(payload).is_ok_and(is_timeout);
    }
    // Rare, so most payloads need not be read.
    if !payload
        .windows(ERROR_MESSAGE.len())
        .any(|window| window == ERROR_MESSAGE)
    {
        return false;
    }
    let Some(Ok(Json::Object(members))) = str::from_utf8(payload).ok().map(Json::parse) else {
        return false;
    };
    let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    if !has("errorMessage") {
        return false;
    }
    if !has("errorType") {
        // Lambda tells of a timeout so.
        return match members.as_slice() {
            [(_, Json::String(text))] => is_timeout(text),
            _ => false,
        };
    }
    members.len() == 3 || members.iter().all(|(name, _)| OF_AN_ERROR.contains(&name.as_str()))
}

const ERROR_MESSAGE: &[u8] = b"errorMessage";

/// `Task timed out after 3.00 seconds`, with the invocation's id before it or not.
fn is_timeout(text: &str) -> bool {
    let Some((_, seconds)) = text.split_once("Task timed out after ") else {
        return false;
    };
    let number = seconds.trim_end().strip_suffix(" seconds");
    number.is_some_and(|number| number.parse::<f64>().is_ok())
}
