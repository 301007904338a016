//! Which calls are let in: by the name under which the listener is called, by the page that sends them, and by their
//! signature.
//!
//! A page of another site can make a browser send calls to this machine. A browser says `Origin` or `Sec-Fetch-Site`
//! then; and a page that gives its own name the address of this machine says that name in `Host`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::settings::{Mode, Settings};
use crate::definition::credentials::Credentials;
use crate::http1::message::{Headers, Request};
use crate::identity::sigv4::{self, Refusal, Scope, SignedRequest};

/// Why a call is not let in: what it is told, and what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The answer.
    pub error: ApiError,
    /// The reason, without anything that a client sent.
    pub reason: String,
}

/// Checks under which name, and from which page, a call comes.
///
/// # Errors
/// It is not let in.
pub fn check_source(request: &Request, settings: &Settings) -> Result<(), Refused> {
    check(request, settings, false)
}

/// As [`check_source`], for what is not a call but a page, to which any page may lead.
///
/// # Errors
/// It is not let in.
pub fn check_page(request: &Request, settings: &Settings) -> Result<(), Refused> {
    check(request, settings, is_navigation(&request.headers))
}

/// Whether a browser asks for what it shows as a page of its own.
fn is_navigation(headers: &Headers) -> bool {
    let is_only = |name: &str, wanted: &[u8]| {
        let mut values = headers.get_all(name).peekable();
        values.peek().is_some() && values.all(|value| value.eq_ignore_ascii_case(wanted))
    };
    is_only("sec-fetch-mode", b"navigate") && is_only("sec-fetch-dest", b"document")
}

fn check(request: &Request, settings: &Settings, is_navigation: bool) -> Result<(), Refused> {
    let forbidden = |reason: &str| Refused {
        error: ApiError::forbidden("ForbiddenException", "Forbidden"),
        reason: reason.to_owned(),
    };
    let host = request.headers.get("host").unwrap_or_default();
    // A signature covers the host.
    if settings.mode != Mode::Signed && !is_own_host(host, &settings.hosts) {
        return Err(forbidden(
            "Host is no name of the management listener: --admin-host allows one",
        ));
    }
    if !is_own_page(&request.headers, host, is_navigation) {
        return Err(forbidden("a page of another origin sent it"));
    }
    Ok(())
}

/// Whether a `Host` names this machine, or is allowed by an option. An address cannot be what a page on the internet
/// has given its own name to.
fn is_own_host(host: &[u8], allowed: &[String]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    if let Some(rest) = host.strip_prefix('[') {
        let parts = rest.split_once(']');
        return parts.is_some_and(|(address, port)| {
            address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.starts_with(':'))
        });
    }
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<Ipv4Addr>().is_ok()
        || allowed.iter().any(|allowed| allowed == name)
}

/// Whether a request comes from no page, or from one that this listener has sent.
fn is_own_page(headers: &Headers, host: &[u8], is_navigation: bool) -> bool {
    let is_own_origin = |origin: &[u8]| {
        let host_of_origin = origin
            .strip_prefix(b"http://")
            .or_else(|| origin.strip_prefix(b"https://"));
        host_of_origin.is_some_and(|of_origin| of_origin == host && !host.is_empty())
    };
    let is_of_others =
        |site: &[u8]| site.eq_ignore_ascii_case(b"cross-site") || site.eq_ignore_ascii_case(b"same-site");
    headers.get_all("origin").all(is_own_origin)
        && (is_navigation || !headers.get_all("sec-fetch-site").any(is_of_others))
}

/// Checks who signed a call; the ARN of the user.
///
/// # Errors
/// It is not signed by an administrator.
pub fn check_signature(
    request: &Request,
    body: &[u8],
    credentials: &Credentials,
    now: SystemTime,
) -> Result<String, Refused> {
    let signed = SignedRequest {
        method: &request.method,
        path: &request.path,
        query: request.query.as_deref(),
        headers: &request.headers,
        body,
    };
    let caller = sigv4::verify(&signed, credentials, Scope::apigateway(), now).map_err(|refusal| Refused {
        error: of_signature(refusal),
        reason: refusal.to_string(),
    })?;
    let user = caller.credential.user_arn.as_str();
    if !caller.credential.is_administrator {
        let text = format!(
            "User: {user} is not authorized to perform: apigateway:{}",
            request.method
        );
        return Err(Refused {
            error: ApiError::forbidden("AccessDeniedException", text),
            reason: format!("{user} is no administrator"),
        });
    }
    Ok(user.to_owned())
}

/// What a client is told of its signature (`R20.115`).
fn of_signature(refusal: Refusal) -> ApiError {
    let (exception, text) = match refusal {
        Refusal::MissingToken => (
            "MissingAuthenticationTokenException",
            "Missing Authentication Token".to_owned(),
        ),
        Refusal::UnknownKey | Refusal::SessionToken => (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.".to_owned(),
        ),
        Refusal::SignatureMismatch | Refusal::PayloadHash => (
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
                .to_owned(),
        ),
        other => (
            "InvalidSignatureException",
            format!("The signature does not hold: {other}"),
        ),
    };
    ApiError::forbidden(exception, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        let allowed = ["gateway.test".to_owned()];
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost.:8001", true),
            ("a.b.localhost:1", true),
            ("127.0.0.1", true),
            ("192.168.1.7:8001", true),
            ("[::1]:8001", true),
            ("[fe80::1]", true),
            ("gateway.test", true),
            ("Gateway.Test.:9", true),
            ("", false),
            ("evil.test", false),
            ("localhost.evil.test", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.test", false),
            ("127.1", false),
            ("0x7f000001", false),
            ("2130706433", false),
            ("[::1].evil.test", false),
            ("[localhost]", false),
            ("x.gateway.test", false),
            ("gateway.test..", false),
            (".localhost", true),
        ] {
            assert_eq!(is_own_host(host.as_bytes(), &allowed), expected, "{host}");
        }
        assert!(!is_own_host(b"\xff", &allowed));
    }

    #[test]
    fn pages_of_this_listener() {
        for (name, value, expected) in [
            ("origin", "http://localhost:8001", true),
            ("origin", "https://localhost:8001", true),
            ("origin", "http://localhost", false),
            ("origin", "http://localhost:8002", false),
            ("origin", "http://evil.test", false),
            ("origin", "null", false),
            ("origin", "", false),
            ("origin", "ftp://localhost:8001", false),
            ("origin", "http://localhost:8001/", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("accept", "*/*", true),
        ] {
            let mut headers = Headers::new();
            headers.put(name, value);
            assert_eq!(
                is_own_page(&headers, b"localhost:8001", false),
                expected,
                "{name}: {value}"
            );
        }
        let mut two = Headers::new();
        two.append("origin", b"http://localhost:8001").unwrap();
        two.append("origin", b"http://evil.test").unwrap();
        assert!(!is_own_page(&two, b"localhost:8001", true));
    }
}
