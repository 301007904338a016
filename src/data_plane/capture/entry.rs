//! What is captured of one request: its summary, and its detail where somebody watches.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::data_plane::capture::redaction;
use crate::deployment::configuration::Configuration;
use crate::deployment::route_state::{NONE, RouteState};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value, or what stands for a secret.
    pub value: Vec<u8>,
    /// Whether something in the value is replaced.
    pub is_redacted: bool,
}

/// The fields of a message, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// As many as have room.
    pub all: Vec<Field>,
    /// Whether some had none.
    pub cut: bool,
}

impl Fields {
    /// A copy of fields, with marks in place of secrets unless they are to be kept.
    pub fn of(headers: &Headers, keeps_secrets: bool) -> Fields {
        let mut fields = Fields::default();
        let mut left = MAX_FIELDS;
        for (name, value) in headers.iter_as_sent() {
            let length = name.len() + value.len() + 4;
            if length > left {
                fields.cut = true;
                break;
            }
            left -= length;
            let (value, is_redacted) = match keeps_secrets {
                true => (value.to_vec(), false),
                false => redaction::field_value(&name, value),
            };
            let name = name.into_owned();
            fields.all.push(Field {
                name,
                value,
                is_redacted,
            });
        }
        fields
    }

    pub(super) fn size(&self) -> usize {
        let size = |field: &Field| field.name.len() + field.value.len() + size_of::<Field>();
        self.all.iter().map(size).sum()
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
    pub method: String,
    /// Where it went: a URL, or a function's ARN.
    pub target: String,
    /// Its fields.
    pub fields: Fields,
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

/// Heads, bodies and times of a request.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The path with its query as sent, without parameters that hold secrets.
    pub target: String,
    /// Whether parameters are left out of that.
    pub is_target_redacted: bool,
    /// The host that the client named.
    pub host: Vec<u8>,
    /// The fields as received.
    pub request_fields: Fields,
    /// The content as received.
    pub request_body: CapturedBody,
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
    /// Why.
    pub why: Why,
}

impl Detail {
    /// Bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        let sent = self
            .sent
            .as_ref()
            .map_or(0, |sent| sent.method.len() + sent.target.len() + sent.fields.size());
        size_of::<Detail>()
            + self.target.len()
            + self.host.len()
            + self.request_fields.size()
            + self.request_body.bytes.len()
            + sent
            + self.response_fields.size()
            + self.response_body.bytes.len()
            + self.integration_error.as_ref().map_or(0, String::len)
    }
}
