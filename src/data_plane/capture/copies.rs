//! What is copied of a request: never its own memory.

use std::sync::Arc;

use crate::data_plane::capture::entry::{CapturedBody, Detail, Fields, MAX_TARGET, Why};
use crate::data_plane::capture::redaction;
use crate::deployment::configuration::Configuration;
use crate::http1::message::{Body, Request};

/// What is copied of a request at its begin.
pub(super) fn detail(request: &Request, configuration: &Arc<Configuration>, keeps_secrets: bool) -> Box<Detail> {
    let query = request.query.as_deref().filter(|_| !keeps_secrets);
    let redacted_target = query.and_then(redaction::query_without_secrets).map(|kept| {
        let mut target = request.path.clone();
        if !kept.is_empty() {
            target.push('?');
            target.push_str(&kept);
        }
        truncate(&mut target, MAX_TARGET);
        target
    });
    Box::new(Detail {
        redacted_target,
        request_fields: Fields::of(&request.headers, keeps_secrets, 0),
        request_body: body(&request.body),
        outcome: None,
        why: Why::Ask(Arc::downgrade(configuration)),
    })
}

/// What is copied of content at its begin.
pub(super) fn body(body: &Body) -> CapturedBody {
    match body {
        Body::Bytes(content) => CapturedBody::of(content),
        Body::Empty | Body::Stream(_) => CapturedBody::default(),
    }
}

/// The path of a request with its query, where that is not the path alone.
pub(super) fn target(request: &Request, keeps_secrets: bool) -> Option<String> {
    if request.query.is_none() && request.path.len() <= MAX_TARGET {
        return None;
    }
    let mut text = request.path.clone();
    if let Some(query) = &request.query {
        text.push('?');
        push_query(&mut text, query, keeps_secrets);
    }
    truncate(&mut text, MAX_TARGET);
    Some(text)
}

/// Appends a query, with marks in place of secrets unless they are to be kept.
pub(super) fn push_query(text: &mut String, query: &str, keeps_secrets: bool) {
    match keeps_secrets {
        true => text.push_str(query),
        false => redaction::push_query(text, query),
    }
}

/// Cuts a text at a character.
pub(super) fn truncate(text: &mut String, length: usize) {
    if text.len() > length {
        let end = (0..=length).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
}
