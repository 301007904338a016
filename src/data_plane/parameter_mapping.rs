//! Parameter mapping: changes of a request and of its answer, by what the files say (spec §4).
//!
//! All values are read from the messages as they came, and only then is anything changed (`R4.12`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>
//!
//! `notation/mapping_key`, `mapping_value`, `json_path` and `context_variable` read what the files say;
//! `deployment/parameter_mapping` checks it and sorts it by the order of operations; a stage's variables are put in
//! when the stage is compiled, so that a request parses nothing. A mapping is carried out in two steps, because
//! sources are those of the message as it came: first every value is read, then everything is changed. Bodies are
//! looked into by `Body::peek`, which reads no more than its window and leaves the body whole.
//!
//! JSON paths are our own 250 lines: AWS takes a small part of the language, and the libraries for all of it build a
//! tree that changes numbers and drops the order of members. `serde_json`'s `RawValue` leaves values as they are
//! written.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io;

use crate::data_plane::context_variables::ContextVariables;
use crate::data_plane::error::GatewayError;
use crate::definition::notation::context_variable::ContextVariable;
use crate::definition::notation::mapping_value::{MappingValue, Piece, Source};
use crate::definition::notation::path::{self, RequestPath};
use crate::definition::notation::query;
use crate::deployment::parameter_mapping::{Change, Edit, RequestMapping, ResponseMapping, status_code};
use crate::deployment::routes::RouteMatch;
use crate::http1::message::{Body, Headers, Method, RequestParts, Response, is_hop_by_hop};
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::http1::target::{has_dot_segment_encoded, is_authority};

/// Most bytes of a body that a JSON path looks into: AWS's 100 KB (`R4.3`). What is cut there is no JSON any more.
/// A whole body that is longer fits into no field and no URI either.
const BODY_WINDOW: usize = 100 * 1024;

/// What a request offers to its mapping.
#[derive(Clone, Copy, Debug)]
pub struct RequestSources<'a> {
    /// `$context`, and the request as it came.
    pub context: &'a ContextVariables<'a>,
    /// The path below the stage.
    pub path: &'a RequestPath,
    /// The route, and what its path variables stand for.
    pub route: &'a RouteMatch,
}

/// What the mapping makes of one request: every value read, nothing changed yet.
#[derive(Debug)]
pub struct MappedRequest<'a> {
    header: Vec<Edited<'a>>,
    querystring: Vec<Edited<'a>>,
    path: Option<String>,
}

/// A change whose value has been read.
#[derive(Debug)]
struct Edited<'a> {
    name: &'a str,
    /// Whether what is there goes.
    removes: bool,
    adds: Option<Vec<u8>>,
}

impl<'a> MappedRequest<'a> {
    /// Reads what the mapping wants of a request.
    ///
    /// # Errors
    /// The body breaks off, or a value would change the meaning of the path.
    pub fn read(
        mapping: &'a RequestMapping,
        sources: &RequestSources<'_>,
        body: &mut Body,
    ) -> Result<MappedRequest<'a>, GatewayError> {
        let changes = mapping.header.iter().chain(&mapping.querystring);
        let window = if reads_body(changes.filter_map(Change::value).chain(&mapping.path)) {
            let cut = |error: io::Error| GatewayError::BadRequest(format!("the request's body ended early: {error}"));
            body.peek(BODY_WINDOW + 1).map_err(cut)?
        } else {
            Cow::Borrowed(&[][..])
        };
        let value = |source: &Source| sources.value(source, &window);
        Ok(MappedRequest {
            header: edited(&mapping.header, |source| on_one_line(source, value(source))),
            querystring: edited(&mapping.querystring, value),
            path: match &mapping.path {
                Some(path) => sources.path(path, value)?,
                None => None,
            },
        })
    }

    /// Changes the request for the integration.
    ///
    /// # Errors
    /// A value cannot stand where it should, or the request is too large with it.
    pub fn apply(self, request: &mut RequestParts) -> Result<(), GatewayError> {
        let is_host = |host: &[u8]| str::from_utf8(host).is_ok_and(is_authority);
        // Before anything is added, since the files may set both. An upstream that takes the client's field for ours would
        // believe what the client says.
        for edited in &self.header {
            request.headers.remove_twins(edited.name);
        }
        for edited in self.header {
            if edited.name == "host" && !edited.adds.as_deref().is_none_or(is_host) {
                return Err(GatewayError::BadRequest("the mapped Host is not a host".to_owned()));
            }
            edited.apply(&mut request.headers).map_err(GatewayError::BadRequest)?;
        }
        if !self.querystring.is_empty() {
            let mut whole = request.query.take().unwrap_or_default();
            for edited in &self.querystring {
                edited.apply_to_query(&mut whole);
            }
            request.query = (!whole.is_empty()).then_some(whole);
        }
        if let Some(path) = self.path {
            if has_dot_segment_encoded(&path) {
                let cause = "the mapped path has a '.' or '..' segment";
                return Err(GatewayError::BadRequest(cause.to_owned()));
            }
            request.path = path;
        }
        Ok(())
    }
}

impl Edited<'_> {
    fn apply(&self, headers: &mut Headers) -> Result<(), String> {
        if self.removes {
            headers.remove(self.name);
        }
        match &self.adds {
            Some(value) => headers
                .append(self.name, value)
                .map_err(|_| format!("the value mapped to the header {:?} has a control character", self.name)),
            None => Ok(()),
        }
    }

    /// R4.16: what is added stands at the end.
    fn apply_to_query(&self, whole: &mut String) {
        if self.removes {
            *whole = query::without(whole, self.name);
        }
        if let Some(value) = &self.adds {
            let separator = if whole.is_empty() { "" } else { "&" };
            let (name, value) = (query::encoded(self.name.as_bytes()), query::encoded(value));
            // Writing to a String cannot fail.
            let _ = write!(whole, "{separator}{name}={value}");
        }
    }
}

impl RequestSources<'_> {
    /// The value of a source; `window` is the body, or its beginning.
    pub fn value<'s>(&'s self, source: &Source, window: &'s [u8]) -> Option<Cow<'s, [u8]>> {
        let request = self.context.request;
        match source {
            // Nobody behind the gateway sees such a field, so no value is made of it either.
            Source::Header(name) if is_hop_by_hop(name) && name != "content-length" => None,
            Source::Header(name) => joined(&request.headers, name),
            Source::Querystring(name) => query::value(request.query.as_deref()?, name).map(Cow::Owned),
            Source::Body => (!window.is_empty()).then_some(Cow::Borrowed(window)),
            Source::BodyValue(path) => path.find(window.get(..BODY_WINDOW).unwrap_or(window)).map(text),
            Source::Path => Some(Cow::Borrowed(self.path.raw().as_bytes())),
            Source::PathParameter(name) => {
                let parameter = self.route.parameter(name)?;
                Some(Cow::Borrowed(parameter.value().as_bytes()))
            }
            Source::Context(variable) => self.context.get(variable),
            // Those that the stage has were put in when it was compiled.
            Source::StageVariable(_) => None,
        }
    }

    /// A path for the request line; none where the value is a source that is missing.
    ///
    /// What is a path already stays as it is, a path variable stays within its segment, and all else is text.
    fn path<'s>(
        &self,
        value: &MappingValue,
        get: impl Fn(&Source) -> Option<Cow<'s, [u8]>>,
    ) -> Result<Option<String>, GatewayError> {
        let mut path = String::new();
        match value {
            MappingValue::Source(source) => {
                let Some(value) = get(source) else { return Ok(None) };
                self.push_source(&mut path, source, &value)?;
            }
            MappingValue::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => push(&mut path, path::encode_written(text)),
                        Piece::Source(source) => {
                            self.push_source(&mut path, source, &get(source).unwrap_or_default())?;
                        }
                    }
                }
            }
        }
        if !path.starts_with('/') {
            path.insert(0, '/');
        }
        Ok(Some(path))
    }

    fn push_source(&self, path: &mut String, source: &Source, value: &[u8]) -> Result<(), GatewayError> {
        match source {
            Source::Path | Source::Context(ContextVariable::Path) => {
                push(path, path::passed_path(&String::from_utf8_lossy(value)));
            }
            // Not its value, which is decoded once more than the path by which the route was chosen.
            Source::PathParameter(name) => {
                if let Some(parameter) = self.route.parameter(name) {
                    let refused = |error| GatewayError::BadRequest(format!("in the mapped path, {error}"));
                    parameter.write_to_path(path).map_err(refused)?;
                }
            }
            _ => push(path, path::encode_bytes(value)),
        }
        Ok(())
    }
}

/// Why a response cannot be mapped.
#[derive(Debug)]
pub enum ResponseMappingError {
    /// The body that a value is in broke off.
    Body(io::Error),
    /// A value cannot stand where it should.
    Value(String),
}

/// Bytes of an integration's answer that the mappings of its statuses look at.
pub fn looked_at<'a>(mut mappings: impl Iterator<Item = &'a ResponseMapping>) -> usize {
    match mappings.any(|mapping| reads_body(values_of(mapping))) {
        true => BODY_WINDOW + 1,
        false => 0,
    }
}

/// Changes an integration's answer; `original` are its fields as they came (`R4.12`).
///
/// # Errors
/// See [`ResponseMappingError`].
pub fn map_response(
    mapping: &ResponseMapping,
    context: &ContextVariables<'_>,
    original: &Headers,
    method: Method,
    response: &mut Response,
) -> Result<(), ResponseMappingError> {
    // Events come when they come; to wait for them would hold back the head.
    let window = if reads_body(values_of(mapping)) && !original.announce_event_stream() {
        let peeked = response.body.peek(BODY_WINDOW + 1);
        peeked.map_err(ResponseMappingError::Body)?
    } else {
        Cow::Borrowed(&[][..])
    };
    let value = |source: &Source| match source {
        Source::Header(name) => joined(original, name),
        Source::Body => (!window.is_empty()).then_some(Cow::Borrowed(&*window)),
        Source::BodyValue(path) => path.find(window.get(..BODY_WINDOW).unwrap_or(&window)).map(text),
        Source::Context(variable) => context.get(variable),
        Source::Querystring(_) | Source::Path | Source::PathParameter(_) | Source::StageVariable(_) => None,
    };
    let header = edited(&mapping.header, |source| on_one_line(source, value(source)));
    let status = mapping.status_code.as_ref().and_then(|status| read(status, value));
    for edited in header {
        edited
            .apply(&mut response.headers)
            .map_err(ResponseMappingError::Value)?;
    }
    if response.headers.length() > MAX_RESPONSE_HEAD_LENGTH {
        let text = format!("the mapped header fields have more than {MAX_RESPONSE_HEAD_LENGTH} bytes");
        return Err(ResponseMappingError::Value(text));
    }
    match status {
        Some(status) => overwrite_status(&status, method, response),
        None => Ok(()),
    }
}

/// R4.19. The framing follows the new status: 204, 205 and 304 have no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
fn overwrite_status(status: &[u8], method: Method, response: &mut Response) -> Result<(), ResponseMappingError> {
    let Some(code) = str::from_utf8(status).ok().and_then(status_code) else {
        let status = String::from_utf8_lossy(status.get(..16).unwrap_or(status));
        let text = format!("the mapped status code {status:?} is not one from 200 to 599");
        return Err(ResponseMappingError::Value(text));
    };
    if code != response.status && method != Method::Head {
        // It told the length of what another status would have had.
        response.headers.remove("content-length");
    }
    if matches!(code, 204 | 205 | 304) {
        response.body = Body::Empty;
    }
    response.status = code;
    Ok(())
}

fn values_of(mapping: &ResponseMapping) -> impl Iterator<Item = &MappingValue> {
    let values = mapping.header.iter().filter_map(Change::value);
    values.chain(&mapping.status_code)
}

fn reads_body<'a>(mut values: impl Iterator<Item = &'a MappingValue>) -> bool {
    values.any(|value| {
        value
            .sources()
            .any(|source| matches!(source, Source::Body | Source::BodyValue(_)))
    })
}

/// Reads the values of changes; one whose source is missing is left out (`R4.14`).
fn edited<'a, 's>(changes: &'a [Change], get: impl Fn(&Source) -> Option<Cow<'s, [u8]>> + Copy) -> Vec<Edited<'a>> {
    let edited = |change: &'a Change| {
        let (removes, adds) = match &change.edit {
            Edit::Remove => (true, None),
            Edit::Overwrite(value) => (true, Some(read(value, get)?)),
            Edit::Append(value) => (false, Some(read(value, get)?)),
        };
        let name = change.name.as_str();
        Some(Edited { name, removes, adds })
    };
    changes.iter().filter_map(edited).collect()
}

/// A value for a header. A certificate's line ends are blanks there; in other values they are refused.
fn on_one_line<'s>(source: &Source, value: Option<Cow<'s, [u8]>>) -> Option<Cow<'s, [u8]>> {
    if !matches!(source, Source::Context(ContextVariable::ClientCertPem)) {
        return value;
    }
    let lines = value?.trim_ascii_end().to_vec();
    let blank = |byte| if byte == b'\n' { b' ' } else { byte };
    Some(Cow::Owned(lines.into_iter().map(blank).collect()))
}

/// A value; none where it is a source alone that is missing, while a missing part of a text is empty (`R4.14`).
fn read<'s>(value: &MappingValue, get: impl Fn(&Source) -> Option<Cow<'s, [u8]>>) -> Option<Vec<u8>> {
    match value {
        MappingValue::Source(source) => get(source).map(Cow::into_owned),
        MappingValue::Pieces(pieces) => {
            let mut whole = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Text(text) => whole.extend_from_slice(text.as_bytes()),
                    Piece::Source(source) => whole.extend_from_slice(&get(source).unwrap_or_default()),
                }
            }
            Some(whole)
        }
    }
}

/// The values of a field with `,` between them (`R4.3`).
fn joined<'a>(headers: &'a Headers, name: &str) -> Option<Cow<'a, [u8]>> {
    let mut values = headers
        .iter()
        .filter(|(field, _)| *field == name)
        .map(|(_, value)| value);
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(Cow::Borrowed(first));
    };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(values).collect();
    Some(Cow::Owned(all.join(&b","[..])))
}

fn text<'a>(text: String) -> Cow<'a, [u8]> {
    Cow::Owned(text.into_bytes())
}

fn push(text: &mut String, more: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{more}");
}
