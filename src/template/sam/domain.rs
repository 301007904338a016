//! `Domain` of an HTTP API (`R32.11`).

use crate::template::cloudformation::domain::{Domain, refuses_mutual_tls};
use crate::template::evaluator::Evaluator;
use crate::template::sam::http_api::Source;
use crate::template::value::{Data, Value};

/// The domain of an API, with a mapping for each base path.
pub(in crate::template) fn read(
    evaluator: &Evaluator<'_>,
    source: &Source<'_>,
    api: &str,
    stage: &str,
    domains: &mut Vec<Domain>,
) {
    let messages = evaluator.messages;
    let value = source.property("Domain");
    if value.is_absent() || messages.members(&value).is_none() {
        return;
    }
    let (Some(name), Some(_)) = (value.get("DomainName"), value.get("CertificateArn")) else {
        return messages.error(&value.place, "a Domain wants both DomainName and CertificateArn");
    };
    if let Some(kind) = value.get("EndpointConfiguration")
        && messages.text(kind).is_some_and(|kind| kind != "REGIONAL")
    {
        messages.error(&kind.place, "EndpointConfiguration of an HTTP API's domain is REGIONAL");
    }
    let tls = value
        .get("MutualTlsAuthentication")
        .cloned()
        .unwrap_or_else(|| Value::absent(&value.place));
    for member in messages.members(&tls).unwrap_or_default() {
        if !["TruststoreUri", "TruststoreVersion"].contains(&&*member.key.name) {
            let text = format!("MutualTlsAuthentication has no property {:?}", member.key.name);
            messages.error(&member.key.place, text);
        }
    }
    let Some(text) = messages.text(name) else { return };
    let mut domain = Domain::new(&text, &value.place);
    domain.is_closed = refuses_mutual_tls(&text, &tls, messages);
    let id = source.id();
    let mut paths = Vec::new();
    match value.get("BasePath") {
        None => paths.push(Value::text(&value.place, "")),
        Some(path) => match &path.data {
            Data::List(items) => paths.extend(items.iter().cloned()),
            _ => paths.push(path.clone()),
        },
    }
    for path in paths {
        if matches!(path.kind(), "a number" | "a boolean" | "a mapping") {
            messages.error(&path.place, "BasePath must be a text");
            continue;
        }
        let Some(text) = messages.text(&path) else { continue };
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c)) {
            let text = format!("the base path {text:?} has other characters than letters, digits, /, _ and -");
            messages.error(&path.place, text);
            continue;
        }
        let key = text.trim_matches('/');
        let id = match key.is_empty() {
            true => format!("{id}ApiMapping"),
            false => format!("{id}{}ApiMapping", key.replace(['/', '-', '_'], "")),
        };
        domain.map(&id, api, stage, key);
    }
    match domains.iter_mut().find(|known| known.name == domain.name) {
        Some(known) => known.join(domain),
        None => domains.push(domain),
    }
}
