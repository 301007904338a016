//! Requests that a page sends: to the API's own listener, as any client, and to nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::control_plane::api::error::ApiError;
use crate::data_plane::capture::entry::{Detail, Field};
use crate::definition::json::Json;
use crate::management::console::answer::shown;
use crate::management::console::call::Members;
use crate::management::console::explain::host_of;
use crate::management::console::requests;
use crate::management::console::served::Served;
use crate::outbound::own_listener::{OwnConnection, OwnRequest, OwnResponse, OwnTls};

/// Requests that are under way at once: the listener has sixteen workers, and others want some.
const MAX_UNDER_WAY: usize = 4;

/// How long one takes at most: longer than any integration may.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Bytes of an answer's content that are shown.
const MAX_ANSWER: usize = 1024 * 1024;

/// Fields that frame the content or concern the connection. They are made anew.
const OWN_FIELDS: [&str; 7] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "expect",
    "upgrade",
    "te",
];

/// What a text begins with that stands for a secret.
const MARK: &str = "«redacted, ";

/// Names and values.
type Fields = Vec<(String, Vec<u8>)>;

/// What sends requests.
#[derive(Debug)]
pub(super) struct Sender {
    listener: SocketAddr,
    under_way: AtomicUsize,
}

/// One request that is under way.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Sender {
    /// For the listener at that address.
    pub(super) fn new(listener: SocketAddr) -> Sender {
        Sender {
            listener,
            under_way: AtomicUsize::new(0),
        }
    }

    /// Sends what a call says.
    ///
    /// # Errors
    /// The call is wrong, or the listener does not answer.
    pub(super) fn send(&self, served: &Served, members: &Members) -> Result<Value, ApiError> {
        members.only(&["apiId", "method", "path", "headers", "body", "bodyBase64"])?;
        let mut request = OwnRequest {
            method: members.required("method")?.to_owned(),
            target: members.required("path")?.to_owned(),
            fields: fields(members)?.unwrap_or_default(),
            content: content(members)?,
        };
        let host = match members.text("apiId")? {
            Some(id) if is_label(id) => format!("{}:{}", host_of(id), self.listener.port()),
            Some(id) => return Err(ApiError::bad_request(format!("apiId: {id:?} is no id of an API"))),
            None => self.listener.to_string(),
        };
        add_host(&mut request.fields, host.as_bytes());
        self.carry_out(served, &request, None)
    }

    /// Sends a request that was captured once more, as it was or with changes.
    ///
    /// # Errors
    /// It is not there, or not whole; or as [`Sender::send`].
    pub(super) fn replay(&self, served: &Served, request_id: &str, members: &Members) -> Result<Value, ApiError> {
        members.only(&["changes"])?;
        let (summary, detail) = served.capture.find(request_id).ok_or_else(requests::gone)?;
        let no_detail = || ApiError::conflict("the fields and the content of this request were not captured");
        let detail = detail.ok_or_else(no_detail)?;
        let changes = members.object("changes")?.unwrap_or_default();
        changes.only(&["method", "path", "headers", "body", "bodyBase64"])?;
        let mut request = OwnRequest {
            method: changes.text("method")?.unwrap_or(&summary.method).to_owned(),
            target: match changes.text("path")? {
                Some(path) => without_marks(path),
                None => detail.redacted_target.as_ref().unwrap_or(&summary.path).clone(),
            },
            fields: match fields(&changes)? {
                Some(fields) => fields,
                None => kept(&detail),
            },
            content: content(&changes)?,
        };
        if request.content.is_none() && detail.request_body.length > 0 {
            if detail.request_body.cut {
                let text = "the content of this request was cut when it was captured, so it cannot be sent as it was";
                return Err(ApiError::conflict(text));
            }
            request.content = Some(detail.request_body.bytes.clone());
        }
        add_host(&mut request.fields, detail.host());
        self.carry_out(served, &request, Some(request_id))
    }

    fn carry_out(&self, served: &Served, request: &OwnRequest, replay_of: Option<&str>) -> Result<Value, ApiError> {
        let turn = Turn(&self.under_way);
        if self.under_way.fetch_add(1, Ordering::SeqCst) >= MAX_UNDER_WAY {
            drop(turn);
            return Err(ApiError::overloaded(format!(
                "{MAX_UNDER_WAY} requests of the console are under way"
            )));
        }
        let began = Instant::now();
        let until = began + TIMEOUT;
        let tls = self.tls(served, request)?;
        let connection = OwnConnection::open(self.listener, tls, until).map_err(|error| unanswered(&error))?;
        let from = connection.local_addr().map_err(|error| unanswered(&error))?;
        if let Some(id) = replay_of {
            served.capture.expect_replay(from, id);
        }
        let answer = connection.exchange(request, MAX_ANSWER);
        served.capture.forget_replay(from);
        let answer = answer.map_err(|error| unanswered(&error))?;
        Ok(said(&answer, began.elapsed(), replay_of))
    }

    /// What TLS needs, where the listener speaks it: the certificate that it has for the host.
    fn tls(&self, served: &Served, request: &OwnRequest) -> Result<Option<OwnTls>, ApiError> {
        let configuration = served.gateway.configuration();
        if !configuration.speaks_tls() {
            return Ok(None);
        }
        let host = request
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = host.and_then(|(_, host)| str::from_utf8(host).ok()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_name = !name.is_empty() && name.split('.').all(is_label) && name.parse::<std::net::IpAddr>().is_err();
        let name = if is_name { name } else { "localhost" };
        let identity = configuration.tls_identity(Some(&name.to_ascii_lowercase()));
        let certificate = identity.and_then(|identity| identity.certificate().key().cert.first().cloned());
        let certificate = certificate.ok_or_else(ApiError::internal)?;
        Ok(Some(OwnTls {
            name: name.to_owned(),
            certificate,
        }))
    }
}

/// What went wrong between us and the listener.
fn unanswered(error: &io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::InvalidInput => ApiError::bad_request(error.to_string()),
        io::ErrorKind::TimedOut => ApiError::no_answer(format!(
            "the API's listener has not answered within {} s",
            TIMEOUT.as_secs()
        )),
        _ => ApiError::no_answer(format!("the API's listener did not answer: {error}")),
    }
}

fn said(answer: &OwnResponse, latency: Duration, replay_of: Option<&str>) -> Value {
    let fields: Vec<Value> = answer
        .headers
        .iter_as_sent()
        .map(|(name, value)| json!([name, shown(value)]))
        .collect();
    let reason = http::StatusCode::from_u16(answer.status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    if let Some(id) = answer.headers.get("apigw-requestid") {
        put("requestId", json!(shown(id)));
    }
    if let Some(id) = replay_of {
        put("replayOf", json!(id));
    }
    put("status", json!(answer.status));
    if let Some(reason) = reason {
        put("reason", json!(reason));
    }
    put("headers", json!(fields));
    put(
        "body",
        requests::content(&answer.content, answer.content.len() as u64, answer.cut),
    );
    put("latency", json!(requests::millis(latency)));
    Value::Object(members)
}

/// The fields of a call: a list of pairs. Those that frame the content are left out, and those that stand for secrets.
fn fields(members: &Members) -> Result<Option<Fields>, ApiError> {
    let wrong = || ApiError::bad_request("headers must be a list of pairs of strings: [[\"accept\", \"*/*\"]]");
    let pairs = match members.get("headers") {
        None => return Ok(None),
        Some(Json::Array(pairs)) => pairs,
        Some(_) => return Err(wrong()),
    };
    let mut fields = Vec::new();
    for pair in pairs {
        let Json::Array(pair) = pair else { return Err(wrong()) };
        let [Json::String(name), Json::String(value)] = pair.as_slice() else {
            return Err(wrong());
        };
        if !is_own(name) && !value.contains(MARK) {
            fields.push((name.clone(), value.clone().into_bytes()));
        }
    }
    Ok(Some(fields))
}

fn is_own(name: &str) -> bool {
    OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// The fields that were captured, without those that hold marks in place of secrets.
fn kept(detail: &Detail) -> Fields {
    let is_kept = |field: &Field<'_>| !field.is_redacted && !is_own(field.name);
    let fields = detail.request_fields.iter().filter(is_kept);
    fields
        .map(|field| (field.name.to_owned(), field.value.to_vec()))
        .collect()
}

fn add_host(fields: &mut Fields, host: &[u8]) {
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        fields.insert(0, ("host".to_owned(), host.to_vec()));
    }
}

/// A path without the parameters whose values stand for secrets.
fn without_marks(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.contains(MARK)).collect();
    match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    }
}

fn content(members: &Members) -> Result<Option<Vec<u8>>, ApiError> {
    match (members.text("body")?, members.text("bodyBase64")?) {
        (Some(_), Some(_)) => Err(ApiError::bad_request("body and bodyBase64 exclude each other")),
        (Some(text), None) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(ApiError::bad_request(format!("bodyBase64 is no base64: {error}"))),
        },
        (None, None) => Ok(None),
    }
}

/// Whether a text can be a label of a host name.
fn is_label(text: &str) -> bool {
    let is_of_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(is_of_label)
}
