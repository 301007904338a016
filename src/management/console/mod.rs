//! The console: a page at `/` of the management listener, and the calls that it makes below `/console/api/`.
//!
//! `assets` has the page's files. Each other file answers some of the calls. `streams` tells pages what happens: one
//! thread serves all of them, so that none occupies a worker of the listener.

pub(super) mod answer;
mod assets;
mod call;
mod problems;
mod served;
mod overview;
mod explain;
mod requests;
mod metrics;
mod event_stream;
mod streams;
mod send;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::guard::{self, Refused};
use crate::control_plane::api::settings::{Mode, Settings};
use crate::control_plane::api::wire;
use crate::control_plane::reloader::Reloader;
use crate::data_plane::capture::{self, Capture};
use crate::data_plane::gateway::Gateway;
use crate::deployment::configuration::Configuration;
use crate::http1::error::RequestError;
use crate::http1::message::{Body, Request, Response};
use crate::management::console::answer::{error_answer, json_answer, no_content, with_protection};
use crate::management::console::call::Members;
use crate::management::console::problems::KnownProblems;
use crate::management::console::send::Sender;
use crate::management::console::served::Served;
use crate::management::console::streams::Streams;
use crate::platform::logging::RateLimit;

/// What the paths of the calls begin with.
const PREFIX: &str = "/console/api/";

/// The field that no form and no simple request of another page can send.
const OWN_FIELD: &str = "x-apigateway-console";

/// The console.
pub struct Console {
    served: Served,
    streams: Arc<Streams>,
    sender: Sender,
    /// Of the lines about requests that are not let in.
    refusals: RateLimit,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Console({})", self.served.data_plane)
    }
}

/// Why a request goes where it goes, in the words of `routes --match`.
pub fn explainer(configuration: &Configuration, method: &str, host: &[u8], path: &str) -> Value {
    explain::of_request(configuration, method, host, path)
}

impl Console {
    /// The console of a gateway whose API is served by that listener, which has that scheme.
    pub fn new(
        gateway: &Arc<Gateway>,
        capture: &Arc<Capture>,
        reloader: Option<&Arc<Reloader>>,
        settings: Settings,
        scheme: &str,
        listener: SocketAddr,
    ) -> Console {
        Console {
            served: Served {
                gateway: Arc::clone(gateway),
                capture: Arc::clone(capture),
                reloader: reloader.map(Arc::downgrade),
                settings,
                data_plane: format!("{scheme}://{listener}"),
                problems: KnownProblems::default(),
            },
            sender: Sender::new(listener),
            streams: Arc::new(Streams::new(Arc::clone(capture))),
            refusals: RateLimit::default(),
        }
    }

    /// Whether a request is for the page or one of its calls.
    pub fn is_for(&self, request: &Request) -> bool {
        request.path == "/" || request.path.starts_with("/console/")
    }

    /// Answers a request.
    pub fn handle(&self, request: Request) -> Response {
        // A panic is a defect of ours, and costs the request that met it and no other.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(request)));
        let response = outcome.unwrap_or_else(|_| {
            log::error!("a panic in the console");
            error_answer(&ApiError::internal())
        });
        with_protection(response)
    }

    /// The answer to what the front could not make a request of.
    pub fn refuse(&self, error: &RequestError) -> Option<Response> {
        let error = match error {
            RequestError::BodyTooLarge => ApiError::too_large(),
            RequestError::Panicked => ApiError::internal(),
            _ => return None,
        };
        Some(with_protection(error_answer(&error)))
    }

    /// No page is told anything any more.
    pub fn stop(&self) {
        self.streams.stop();
    }

    fn answer(&self, mut request: Request) -> Response {
        let Some(call) = request.path.strip_prefix(PREFIX).map(str::to_owned) else {
            let checked = match request.path == "/" {
                true => guard::check_page(&request, &self.served.settings),
                false => guard::check_source(&request, &self.served.settings),
            };
            return match checked {
                Ok(()) => assets::answer(&request).unwrap_or_else(|| error_answer(&ApiError::no_operation())),
                Err(refused) => error_answer(&self.refused(refused)),
            };
        };
        let body = match self.let_in(&mut request) {
            Ok(body) => body,
            Err(error) => return error_answer(&error),
        };
        self.carry_out(&request, &call, &body)
            .unwrap_or_else(|error| error_answer(&error))
    }

    fn refused(&self, refused: Refused) -> ApiError {
        if let Some(more) = self.refusals.suppressed_since() {
            log::warn!(
                "a request to the console is not let in: {} (and {more} before)",
                refused.reason
            );
        }
        refused.error
    }

    /// The content of a call that is let in.
    fn let_in(&self, request: &mut Request) -> Result<Vec<u8>, ApiError> {
        guard::check_source(request, &self.served.settings).map_err(|refused| self.refused(refused))?;
        if request.method != "GET" && request.headers.get(OWN_FIELD) != Some(b"1") {
            return Err(self.refused(Refused {
                error: ApiError::forbidden("ForbiddenException", "Forbidden"),
                reason: format!("it has no {OWN_FIELD}: 1"),
            }));
        }
        let body = wire::read(std::mem::replace(&mut request.body, Body::Empty))?;
        if self.served.settings.mode == Mode::Signed {
            let configuration = self.served.gateway.configuration();
            let now = self.served.gateway.settings().clock.now();
            guard::check_signature(request, &body, configuration.credentials(), now)
                .map_err(|refused| self.refused(refused))?;
        }
        Ok(body)
    }

    fn explain(&self, body: &[u8]) -> Result<Value, ApiError> {
        explain::answer(&self.served.gateway.configuration(), &Members::of(body)?)
    }

    fn carry_out(&self, request: &Request, call: &str, body: &[u8]) -> Result<Response, ApiError> {
        let query = request.query.as_deref();
        let decoded: Vec<_> = call
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        let (method, path) = (request.method.as_str(), parts.as_slice());
        Ok(match (method, path) {
            ("GET", ["overview"]) => json_answer(200, &overview::overview(&self.served)?),
            ("GET", ["problems"]) => json_answer(200, &self.served.problems()?),
            ("GET", ["apis", id, "routes"]) => json_answer(200, &overview::routes(&self.served, id, query)?),
            ("POST", ["explain"]) => json_answer(200, &self.explain(body)?),
            ("GET", ["requests"]) => json_answer(200, &requests::list(&self.served.capture, query)?),
            ("DELETE", ["requests"]) => {
                self.served.capture.clear();
                no_content()
            }
            ("GET", ["requests", id]) => json_answer(200, &requests::get(&self.served.capture, id)?),
            ("GET", ["capture"]) => json_answer(200, &self.served.standing()),
            ("PUT", ["capture"]) => {
                self.served.capture.set_mode(capture_mode(&Members::of(body)?)?);
                json_answer(200, &self.served.standing())
            }
            ("POST", ["send"]) => json_answer(200, &self.sender.send(&self.served, &Members::of(body)?)?),
            ("POST", ["requests", id, "replay"]) => {
                json_answer(200, &self.sender.replay(&self.served, id, &Members::of(body)?)?)
            }
            ("GET", ["metrics"]) => json_answer(
                200,
                &metrics::series(&self.served.capture, &self.served.gateway.settings().clock),
            ),
            ("GET", ["events"]) => streams::open(&self.streams, &request.headers)?,
            _ => {
                let allowed = methods_of(path).ok_or_else(ApiError::no_operation)?;
                let mut response = error_answer(&ApiError::method_not_allowed(method));
                response.headers.put("allow", allowed);
                response
            }
        })
    }
}

/// The methods of a call that there is (RFC 9110 §15.5.6).
fn methods_of(path: &[&str]) -> Option<&'static str> {
    match path {
        ["overview" | "problems" | "metrics" | "events"] | ["apis", _, "routes"] | ["requests", _] => Some("GET"),
        ["explain" | "send"] | ["requests", _, "replay"] => Some("POST"),
        ["requests"] => Some("DELETE, GET"),
        ["capture"] => Some("GET, PUT"),
        _ => None,
    }
}

fn capture_mode(members: &Members) -> Result<capture::Mode, ApiError> {
    members.only(&["mode"])?;
    let mode = members.text("mode")?;
    let mode = mode.and_then(|mode| mode.parse().ok());
    mode.ok_or_else(|| ApiError::bad_request("mode must be auto, always or off"))
}
