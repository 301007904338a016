//! What is captured of one request: its summary, and its detail where somebody watches.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::data_plane::capture::redaction;
use crate::deployment::configuration::Configuration;
use crate::deployment::route_state::{NONE, RouteState};
use crate::http1::capitals::append_restored;
use crate::http1::framing::Framing;
use crate::http1::message::Headers;

/// Bytes that are kept of a body.
pub const MAX_BODY: usize = 64 * 1024;

/// Bytes that are kept of a path with its query.
pub const MAX_TARGET: usize = 10 * 1024;

/// Bytes that are kept of the fields of a message.
pub const MAX_FIELDS: usize = 64 * 1024;

/// What is known of a request without its content: as much as a line of an access log has.
#[derive(Clone, Debug)]
pub struct Summary {
    /// `$context.requestId`.
    pub request_id: String,
    /// When it came.
    pub time: SystemTime,
    /// The method, as sent.
    pub method: String,
    /// The path as sent, with its query; secrets are replaced.
    pub path: String,
    /// Where it is counted, which tells its API, its stage and its route, once they are known.
    pub state: Option<Arc<RouteState>>,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// From when it came until its answer was sent.
    pub latency: Option<Duration>,
    /// How long the integration took, if it was asked.
    pub integration_latency: Option<Duration>,
    /// Bytes of its content.
    pub bytes_in: u64,
    /// Bytes of the answer's content.
    pub bytes_out: u64,
    /// The client's address.
    pub source_ip: IpAddr,
    /// Whether its answer is sent, or cannot be sent any more.
    pub is_done: bool,
    /// The request that it is a copy of.
    pub replay_of: Option<String>,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            request_id: String::new(),
            time: UNIX_EPOCH,
            method: String::new(),
            path: String::new(),
            state: None,
            status: None,
            latency: None,
            integration_latency: None,
            bytes_in: 0,
            bytes_out: 0,
            source_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            is_done: false,
            replay_of: None,
        }
    }
}

impl Summary {
    /// The id of its API, its stage and its route; nothing for what it does not have.
    pub fn names(&self) -> [Option<&str>; 3] {
        let names = self
            .state
            .as_ref()
            .map(|state| [&state.api, &state.stage, &state.route_key]);
        let known = |name: &String| *name != NONE;
        names.map_or([None; 3], |names| {
            names.map(|name| Some(name).filter(|name| known(name)).map(String::as_str))
        })
    }

    /// Bytes of those of its texts that may be long.
    pub(super) fn size(&self) -> usize {
        self.method.len() + self.path.len()
    }

    /// Empties it, but keeps its memory for the next request.
    pub(super) fn clear(&mut self) {
        for text in [&mut self.request_id, &mut self.method, &mut self.path] {
            text.clear();
        }
        self.state = None;
        self.status = None;
        self.latency = None;
        self.integration_latency = None;
        self.bytes_in = 0;
        self.bytes_out = 0;
        self.is_done = false;
        self.replay_of = None;
    }
}

/// A field as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, or what stands for a secret.
    pub value: &'a [u8],
    /// Whether something in the value is replaced.
    pub is_redacted: bool,
}

/// The fields of a message, in their order: as many as have room.
///
/// One buffer holds all names and values, so that the copy of a head costs two allocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// Whether some had no room.
    pub cut: bool,
}

/// Where a field ends in the buffer. It begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    name_end: usize,
    end: usize,
    is_redacted: bool,
}

impl Fields {
    /// A copy of fields, with marks in place of secrets unless they are to be kept, and room for so many fields more.
    pub fn of(headers: &Headers, keeps_secrets: bool, more: usize) -> Fields {
        let (names, values) = headers.texts();
        let keeps_all = keeps_secrets || !redaction::may_hold_secrets(names, values);
        let all = headers.iter_with_capitals();
        let mut fields = Fields {
            bytes: Vec::with_capacity(headers.length().min(MAX_FIELDS)),
            places: Vec::with_capacity(all.len() + more),
            cut: false,
        };
        for (name, capitals, value) in all {
            let redacted = match keeps_all {
                true => None,
                false => redaction::redacted(name.as_bytes(), value),
            };
            let shown = redacted.as_deref().map_or(value, str::as_bytes);
            if !fields.add(name, capitals, shown, redacted.is_some()) {
                break;
            }
        }
        fields
    }

    /// Adds a field, where there is room for it.
    pub(super) fn add(&mut self, name: &str, capitals: u64, value: &[u8], is_redacted: bool) -> bool {
        // With what stands between and behind them in a message.
        let separators = (self.places.len() + 1) * ": \r\n".len();
        self.cut |= self.bytes.len() + name.len() + value.len() + separators > MAX_FIELDS;
        if !self.cut {
            append_restored(&mut self.bytes, name, capitals);
            let name_end = self.bytes.len();
            self.bytes.extend_from_slice(value);
            self.places.push(Place {
                name_end,
                end: self.bytes.len(),
                is_redacted,
            });
        }
        !self.cut
    }

    /// Adds the field that tells where the content ends.
    pub(super) fn add_framing(&mut self, framing: Framing) {
        match framing {
            Framing::Length(length) => self.add("content-length", 0, length.to_string().as_bytes(), false),
            Framing::Chunked => self.add("transfer-encoding", 0, b"chunked", false),
        };
    }

    /// Those that are here.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let mut start = 0;
        self.places.iter().map(move |place| {
            let name = self.bytes.get(start..place.name_end).unwrap_or_default();
            start = place.end;
            Field {
                // The name of a field is a token.
                name: str::from_utf8(name).unwrap_or_default(),
                value: self.bytes.get(place.name_end..place.end).unwrap_or_default(),
                is_redacted: place.is_redacted,
            }
        })
    }

    /// The value of the first one of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| field.value)
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * size_of::<Place>()
    }
}

/// A body as it was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedBody {
    /// Its beginning.
    pub bytes: Vec<u8>,
    /// How long it is, as far as it has come.
    pub length: u64,
    /// Whether bytes were left out.
    pub cut: bool,
}

impl CapturedBody {
    /// A body that is here whole.
    pub fn of(content: &[u8]) -> CapturedBody {
        let bytes = content.get(..MAX_BODY).unwrap_or(content);
        CapturedBody {
            bytes: bytes.to_vec(),
            length: content.len() as u64,
            cut: bytes.len() < content.len(),
        }
    }

    /// Adds a part.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.length += part.len() as u64;
        let room = MAX_BODY.saturating_sub(self.bytes.len());
        let kept = part.get(..room).unwrap_or(part);
        self.cut |= kept.len() < part.len();
        self.bytes.extend_from_slice(kept);
    }
}

/// The head that went to an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentHead {
    /// The method.
    pub method: &'static str,
    /// Where it went: a URL, or a function's ARN.
    pub target: String,
    /// Its fields.
    pub fields: Fields,
    /// Whether the field is among them that tells where the content ends.
    pub is_framed: bool,
}

/// What became of the question who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// As the table of routes says it: `JWT a1b2c3`.
    pub authorizer: String,
    /// Whether the request may pass.
    pub is_allowed: bool,
    /// Why not, where it may not.
    pub cause: Option<String>,
    /// Who asks, where that is known.
    pub principal: Option<String>,
}

/// When each step of a request was over, from when it came. What did not happen is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// The request is whole.
    pub received: Option<Duration>,
    /// Its route is found.
    pub routed: Option<Duration>,
    /// It is known who asks.
    pub authorized: Option<Duration>,
    /// It has its token.
    pub throttled: Option<Duration>,
    /// The integration is asked.
    pub integration_start: Option<Duration>,
    /// The head of its answer is here.
    pub integration_head: Option<Duration>,
    /// Its answer is here whole.
    pub integration_end: Option<Duration>,
    /// The answer is with the client.
    pub sent: Option<Duration>,
}

/// Why a request went where it went.
#[derive(Clone, Debug)]
pub enum Why {
    /// What it was answered by, which can be asked as long as it is served.
    Ask(Weak<Configuration>),
    /// As it was told.
    Told(serde_json::Value),
}

/// What came of a request, heads and bodies besides.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The head that went to the integration, if one did.
    pub sent: Option<SentHead>,
    /// The fields of the answer.
    pub response_fields: Fields,
    /// The content of the answer.
    pub response_body: CapturedBody,
    /// Who asked, where the route wants to know.
    pub authorization: Option<Authorization>,
    /// What failed.
    pub integration_error: Option<String>,
    /// When.
    pub timing: Timing,
}

/// Heads, bodies and times of a request.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The path with its query as sent, without parameters that hold secrets; none where there are no such parameters, and
    /// the summary's path is that.
    pub redacted_target: Option<String>,
    /// The fields as received.
    pub request_fields: Fields,
    /// The content as received.
    pub request_body: CapturedBody,
    /// What came of it, once it has its answer.
    pub outcome: Option<Box<Outcome>>,
    /// Why.
    pub why: Why,
}

impl Detail {
    /// The host that the client named.
    pub fn host(&self) -> &[u8] {
        self.request_fields.get("host").unwrap_or_default()
    }

    /// Bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        size_of::<Detail>()
            + self.redacted_target.as_ref().map_or(0, String::len)
            + self.request_fields.size()
            + self.request_body.bytes.capacity()
            + self.outcome.as_deref().map_or(0, Outcome::size)
    }
}

impl Outcome {
    fn size(&self) -> usize {
        let sent = self.sent.as_ref();
        size_of::<Outcome>()
            + sent.map_or(0, |sent| sent.target.len() + sent.fields.size())
            + self.response_fields.size()
            + self.response_body.bytes.capacity()
            + self.integration_error.as_ref().map_or(0, String::len)
    }
}
