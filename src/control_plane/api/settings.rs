//! What the control plane is told when it starts.

use std::fmt;
use std::str::FromStr;

/// To whom calls are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To none: there are no calls.
    Off,
    /// To all clients that reach the management listener by a name of this machine.
    Open,
    /// To those that sign with the key of an administrator.
    Signed,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Mode, ()> {
        match text {
            "off" => Ok(Mode::Off),
            "open" => Ok(Mode::Open),
            "signed" => Ok(Mode::Signed),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Off => "off",
            Mode::Open => "open",
            Mode::Signed => "signed",
        })
    }
}

/// What the control plane is told when it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// To whom calls are open.
    pub mode: Mode,
    /// Names by which the management listener may be called besides those of this machine, in lower case.
    pub hosts: Vec<String>,
    /// What `ApiEndpoint` says.
    pub public_url: PublicUrl,
    /// The region in ARNs.
    pub region: String,
    /// The account in ARNs of imported documents.
    pub account_id: String,
}

/// The URL of an API, with places for its id and the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// The place of an API's id.
const API_ID: &str = "{ApiId}";

/// The place of the region.
const REGION: &str = "{Region}";

impl PublicUrl {
    /// The URL of APIs on this machine.
    pub fn local(scheme: &str, port: u16) -> PublicUrl {
        PublicUrl(format!("{scheme}://{API_ID}.execute-api.localhost:{port}"))
    }

    /// The URL of one API.
    ///
    /// # Example
    /// ```
    /// use apigateway::control_plane::api::settings::PublicUrl;
    ///
    /// let url: PublicUrl = "https://gateway.example/".parse().unwrap();
    /// assert_eq!(url.of("a1b2c3d4e5", "eu-west-1"), "https://gateway.example/_aws/execute-api/a1b2c3d4e5");
    /// ```
    pub fn of(&self, api_id: &str, region: &str) -> String {
        self.0.replace(API_ID, api_id).replace(REGION, region)
    }
}

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<PublicUrl, ()> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
            .ok_or(())?;
        let is_url = !rest.is_empty()
            && !rest.starts_with('/')
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`|?#".contains(&byte));
        let places = rest.replace(API_ID, "").replace(REGION, "");
        if !is_url || places.contains(['{', '}']) {
            return Err(());
        }
        let text = text.trim_end_matches('/');
        Ok(PublicUrl(match text.contains(API_ID) {
            true => text.to_owned(),
            false => format!("{text}/_aws/execute-api/{API_ID}"),
        }))
    }
}

/// The host of an address, without its port and without the brackets of IPv6.
pub fn host_of(address: &str) -> &str {
    let host = match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => address,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_and_without_places() {
        for (text, expected) in [
            ("http://x", Some("http://x/_aws/execute-api/a1")),
            ("https://x:1/base//", Some("https://x:1/base/_aws/execute-api/a1")),
            (
                "https://{ApiId}.execute-api.{Region}.x/",
                Some("https://a1.execute-api.r.x"),
            ),
            ("https://x/{ApiId}", Some("https://x/a1")),
            ("x", None),
            ("http://", None),
            ("http:///x", None),
            ("ftp://x", None),
            ("http://x/{Stage}", None),
            ("http://x y", None),
            ("http://x/?a", None),
            ("http://x\n", None),
        ] {
            let url = text.parse().map(|url: PublicUrl| url.of("a1", "r")).ok();
            assert_eq!(url.as_deref(), expected, "{text}");
        }
        assert_eq!(
            PublicUrl::local("https", 80).of("a", "r"),
            "https://a.execute-api.localhost:80"
        );
    }
}
