//! What an event is made of (spec §5.2–§5.4); the payload formats differ in how they write it down.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::data_plane::context_variables::ContextVariables;
use crate::data_plane::lambda::text;
use crate::definition::notation::query;
use crate::deployment::path_parameter::PathParameter;
use crate::http1::message::{Headers, RequestParts};

/// Each name once, its values with `,` between them.
pub fn joined<'a, Name: Ord>(pairs: impl Iterator<Item = (Name, Cow<'a, str>)>) -> BTreeMap<Name, String> {
    let mut all: BTreeMap<Name, String> = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    all
}

/// What an event is made of, in either payload format.
#[derive(Clone, Copy, Debug)]
pub struct EventSource<'a> {
    /// `$context`.
    pub values: &'a ContextVariables<'a>,
    /// Path with the stage, still encoded, query and fields; mapped.
    pub parts: &'a RequestParts,
    /// The path of the route key; none for `$default`.
    pub resource: Option<&'a str>,
    /// The path variables.
    pub path_parameters: &'a [PathParameter],
    /// `StageVariables`.
    pub stage_variables: &'a BTreeMap<String, String>,
    /// The content.
    pub body: &'a [u8],
}

impl EventSource<'_> {
    /// The content as it stands in an event, and whether it is base64; none where there is none (`R5.16`–`R5.21`).
    pub fn body(&self) -> (Option<Cow<'_, str>>, bool) {
        if self.body.is_empty() {
            return (None, false);
        }
        let text = str::from_utf8(self.body).ok().filter(|_| is_text(&self.parts.headers));
        match text {
            Some(text) => (Some(Cow::Borrowed(text)), false),
            None => (Some(Cow::Owned(STANDARD.encode(self.body))), true),
        }
    }

    /// The path, decoded once (`R5.11`).
    pub fn decoded_path(&self) -> Cow<'_, str> {
        percent_decode_str(&self.parts.path).decode_utf8_lossy()
    }

    /// The path as the client means it, still encoded: with the key of a mapping (R11.4), unless a mapping of parameters
    /// has changed the path.
    pub fn client_path(&self) -> &str {
        let request = self.values.request;
        match self.parts.path == request.path {
            true => self.values.context.client_path(request),
            false => &self.parts.path,
        }
    }

    /// The same, decoded once.
    pub fn decoded_client_path(&self) -> Cow<'_, str> {
        percent_decode_str(self.client_path()).decode_utf8_lossy()
    }

    /// A value of the context as text; empty where there is none.
    pub fn or_empty(value: Option<&[u8]>) -> Cow<'_, str> {
        value.map(text).unwrap_or_default()
    }

    /// The decoded parameters of the query, in their order (`R5.12`).
    pub fn query_parameters(&self) -> Vec<(String, String)> {
        let query = self.parts.query.as_deref().unwrap_or_default();
        query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let decoded = |encoded: &str| text(&query::decoded(encoded)).into_owned();
                (decoded(name), decoded(value))
            })
            .collect()
    }

    /// The stage's variables; none where it has none.
    pub fn stage_variables(&self) -> Option<&BTreeMap<String, String>> {
        Some(self.stage_variables).filter(|variables| !variables.is_empty())
    }

    /// The path variables; none where the route has none.
    pub fn path_parameters(&self) -> Option<BTreeMap<&str, &str>> {
        let parameters = self.path_parameters.iter();
        let map: BTreeMap<&str, &str> = parameters
            .map(|parameter| (parameter.name.as_str(), parameter.value()))
            .collect();
        (!map.is_empty()).then_some(map)
    }
}

/// Whether content of that type stands in an event as it is. AWS publishes no list; this is what was measured.
fn is_text(headers: &Headers) -> bool {
    let content_type = headers.get("content-type").and_then(|value| str::from_utf8(value).ok());
    let Some(content_type) = content_type.filter(|_| headers.get("content-encoding").is_none()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
    };
    const TEXTS: [&str; 4] = [
        "application/json",
        "application/xml",
        "application/javascript",
        "application/graphql",
    ];
    (essence.starts_with("text/") || TEXTS.contains(&essence.as_str())) && parts.all(is_utf8)
}

/// A client's certificate as events have it, in either payload format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientCert<'a> {
    client_cert_pem: &'a str,
    #[serde(rename = "subjectDN")]
    subject_dn: &'a str,
    #[serde(rename = "issuerDN")]
    issuer_dn: &'a str,
    serial_number: &'a str,
    validity: Validity<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Validity<'a> {
    not_before: &'a str,
    not_after: &'a str,
}

impl<'a> ClientCert<'a> {
    /// That of a request; none where its client need not show one.
    pub fn of(source: &EventSource<'a>) -> Option<ClientCert<'a>> {
        let certificate = source.values.context.client_certificate.as_deref()?;
        Some(ClientCert {
            client_cert_pem: &certificate.pem,
            subject_dn: &certificate.subject,
            issuer_dn: &certificate.issuer,
            serial_number: &certificate.serial_number,
            validity: Validity {
                not_before: &certificate.not_before,
                not_after: &certificate.not_after,
            },
        })
    }
}
