//! The management listener's pages: `/healthz` for probes, `/metrics` for Prometheus, `/echo` for trying things out.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};

use crate::control_plane::api::ControlPlane;
use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::Gateway;
use crate::front::Handler;
use crate::http1::error::RequestError;
use crate::http1::message::{Body, Headers, Request, Response};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::management::console::Console;
use crate::management::console::answer::with_protection;
use crate::management::metrics_page;
use crate::platform::metrics::{FrontMetrics, exposition};

/// Content beyond this is shown as text only: taken apart, it would take many times its length of memory.
const MAX_TAKEN_APART: usize = 1024 * 1024;

/// The pages.
#[derive(Debug)]
pub struct Admin {
    /// What the counters are of.
    pub gateway: Arc<Gateway>,
    /// And of its front.
    pub front: Arc<FrontMetrics>,
    /// AWS's own API, where the files can change.
    pub control_plane: Option<ControlPlane>,
    /// The page for people, where it is on.
    pub console: Option<Console>,
    /// Whether a stop has begun.
    pub is_stopping: AtomicBool,
}

impl Admin {
    /// From now on `/healthz` says 503, so that a load balancer sends no more requests here.
    pub fn begin_stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        if let Some(console) = &self.console {
            console.stop();
        }
    }

    /// Whether a request is for what probes and monitors want, which tells that the gateway lives.
    pub fn is_vital(request: &Request) -> bool {
        matches!(
            (request.method.as_str(), request.path.as_str()),
            ("GET" | "HEAD", "/healthz" | "/metrics")
        )
    }

    /// The control plane, where a request is a call to it.
    fn control_plane_of(&self, request: &Request) -> Option<&ControlPlane> {
        self.control_plane
            .as_ref()
            .filter(|control_plane| control_plane.is_call(request))
    }

    /// The console, where a request is for it.
    fn console_of(&self, request: &Request) -> Option<&Console> {
        self.console.as_ref().filter(|console| console.is_for(request))
    }

    /// Answers a request to the management listener.
    pub fn handle(&self, request: Request) -> Response {
        if let Some(control_plane) = self.control_plane_of(&request) {
            return control_plane.handle(request);
        }
        if let Some(console) = self.console_of(&request) {
            return console.handle(request);
        }
        let path = request.path.as_str();
        match (request.method.as_str(), path) {
            ("GET" | "HEAD", "/healthz") if self.is_stopping.load(Ordering::SeqCst) => {
                GatewayError::ServiceUnavailable("a stop has begun".to_owned()).response()
            }
            ("GET" | "HEAD", "/healthz") => answer("text/plain; charset=utf-8", "ok".to_owned()),
            ("GET" | "HEAD", "/metrics") => {
                answer(exposition::CONTENT_TYPE, metrics_page::page(&self.gateway, &self.front))
            }
            _ if path == "/echo" || path.starts_with("/echo/") => echo_page(request),
            _ => protected(&GatewayError::NotFound),
        }
    }
}

impl Handler for Admin {
    fn handle(&self, request: Request) -> Response {
        Admin::handle(self, request)
    }

    fn refuse(&self, error: RequestError, request: &Request) -> Response {
        let control_plane = self.control_plane_of(request);
        let refused = control_plane.and_then(|control_plane| control_plane.refuse(&error));
        let console = self.console_of(request);
        let refused = refused.or_else(|| console.and_then(|console| console.refuse(&error)));
        refused.unwrap_or_else(|| protected(&error.into()))
    }

    fn is_vital(&self, request: &Request) -> bool {
        Admin::is_vital(request)
    }
}

/// The answer to what may have been for the console, be it on or off: a browser is as bound by it as by the page.
fn protected(error: &GatewayError) -> Response {
    let mut response = error.response();
    response.headers.put("cache-control", "no-store");
    with_protection(response)
}

/// The page that describes a request.
pub(super) fn echo_page(request: Request) -> Response {
    match echo(request) {
        Ok(description) => answer("application/json; charset=utf-8", description.to_string()),
        Err(error) => error.response(),
    }
}

pub(super) fn answer(content_type: &str, text: String) -> Response {
    let mut headers = Headers::new();
    headers.put("content-type", content_type);
    Response {
        status: 200,
        headers,
        body: Body::Bytes(text.into_bytes()),
    }
}

/// Describes a request in the shape of postman-echo.com.
fn echo(request: Request) -> Result<Value, GatewayError> {
    let host = text(request.headers.get("host").unwrap_or_default());
    let query = request.query.as_deref();
    let target = query.map_or(request.path.clone(), |query| format!("{}?{query}", request.path));
    let mut description = Map::new();
    description.insert("args".to_owned(), form(query.unwrap_or_default().as_bytes()));
    description.insert("headers".to_owned(), fields(&request.headers));
    description.insert("url".to_owned(), json!(format!("http://{host}{target}")));
    let content_type = text(request.headers.get("content-type").unwrap_or_default());
    let content = content(request.body)?;
    if !content.is_empty() {
        describe_content(&mut description, &content_type, &content);
    }
    Ok(Value::Object(description))
}

fn describe_content(description: &mut Map<String, Value>, content_type: &str, content: &[u8]) {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_small = content.len() <= MAX_TAKEN_APART;
    let (data, form, json) = if is_small && essence == "application/x-www-form-urlencoded" {
        let form = form(content);
        (json!(""), form.clone(), form)
    } else if is_small
        && essence.ends_with("json")
        && let Ok(json) = serde_json::from_slice::<Value>(content)
    {
        (json.clone(), json!({}), json)
    } else {
        (json!(text(content)), json!({}), Value::Null)
    };
    description.insert("data".to_owned(), data);
    description.insert("files".to_owned(), json!({}));
    description.insert("form".to_owned(), form);
    description.insert("json".to_owned(), json);
}

fn content(body: Body) -> Result<Vec<u8>, GatewayError> {
    match body {
        Body::Empty => Ok(Vec::new()),
        Body::Bytes(bytes) => Ok(bytes),
        Body::Stream(stream) => {
            let mut bytes = Vec::new();
            stream
                .reader
                .take(MAX_BODY_LENGTH + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| GatewayError::BadRequest(error.to_string()))?;
            if bytes.len() as u64 > MAX_BODY_LENGTH {
                return Err(GatewayError::PayloadTooLarge);
            }
            Ok(bytes)
        }
    }
}

fn fields(headers: &Headers) -> Value {
    let mut described: Map<String, Value> = Map::new();
    for (name, value) in headers.iter() {
        let value = text(value);
        match described.get_mut(name) {
            Some(Value::String(before)) => *before = format!("{before}, {value}"),
            _ => drop(described.insert(name.to_owned(), json!(value))),
        }
    }
    Value::Object(described)
}

/// Names and values of a query or a form; a name that occurs again becomes a list.
fn form(encoded: &[u8]) -> Value {
    let mut described: Map<String, Value> = Map::new();
    for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut next = || json!(decoded(parts.next().unwrap_or_default()));
        let (name, value) = (next(), next());
        let name = name.as_str().unwrap_or_default();
        match described.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = json!([first, value]),
            None => drop(described.insert(name.to_owned(), value)),
        }
    }
    Value::Object(described)
}

fn decoded(encoded: &[u8]) -> String {
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
