//! HTTP_PROXY integrations: a URI that is called, and how.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html>

use rustls::pki_types::ServerName;

use crate::definition::notation::route_key::RouteKey;
use crate::definition::notation::uri::{IntegrationUri, InvalidUri, Part};
use crate::definition::problem::Problems;
use crate::definition::resource::integration::Integration as Resource;
use crate::http1::message::Method;
use crate::http1::target::InvalidUrl;

/// Most characters of `ServerNameToVerify` (spec §3.1).
const MAX_SERVER_NAME_LENGTH: usize = 512;

/// What an HTTP_PROXY integration calls.
#[derive(Debug)]
pub struct HttpProxy {
    /// The method sent upstream; none keeps the client's (`ANY`).
    pub method: Option<Method>,
    /// The URI, with this stage's variables in it.
    pub uri: IntegrationUri,
    /// How it is reached.
    pub connection: ConnectionType,
    /// The name that the upstream's certificate must be for, instead of the URI's host; it makes the connection TLS.
    pub server_name: Option<ServerName<'static>>,
}

/// `ConnectionType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionType {
    /// A public endpoint: it is told its own host, and the path that its URI says.
    Internet,
    /// A private one behind a VPC link: it sees the client's `Host`, and the whole path with the stage (`R2.8`,
    /// `R3.6`).
    VpcLink,
}

#[cfg(test)]
impl HttpProxy {
    /// A public integration with that URI, for a test.
    pub(crate) fn of(uri: &str) -> HttpProxy {
        HttpProxy {
            method: None,
            uri: IntegrationUri::parse(uri).unwrap(),
            connection: ConnectionType::Internet,
            server_name: None,
        }
    }
}

/// The fields that do not depend on a stage.
#[derive(Debug)]
pub(super) struct Draft {
    method: Option<Method>,
    connection: ConnectionType,
    server_name: Option<ServerName<'static>>,
}

impl Draft {
    /// Checks the fields.
    pub(super) fn check(resource: &Resource, problems: &mut Problems) -> Draft {
        let file = resource.file.as_str();
        if let Some(version) = resource
            .payload_format_version
            .as_deref()
            .filter(|version| *version != "1.0")
        {
            let text = format!("{version:?} is not \"1.0\", the only version of an HTTP_PROXY integration");
            problems.error(file, "/PayloadFormatVersion", text);
        }
        if resource.credentials_arn.is_some() {
            let text = "credentials are for integrations with AWS services, which this is not";
            problems.error(file, "/CredentialsArn", text);
        }
        Draft {
            // Without the field, as with ANY, the client's method is kept.
            method: resource.integration_method.as_deref().and_then(Method::parse),
            connection: connection_type(resource, problems),
            server_name: server_name(resource, problems),
        }
    }

    /// Reads a URI, in which nothing but path variables is left open; `users` are the keys of the routes that use it.
    ///
    /// # Errors
    /// A sentence on what is wrong with it as a whole.
    pub(super) fn read_uri(&self, text: &str, users: &[&RouteKey]) -> Result<IntegrationUri, Vec<String>> {
        let uri = IntegrationUri::parse(text).map_err(|error| vec![explained(text, &error)])?;
        let has_path = uri.query().is_some() || !is_root(uri.path());
        if self.connection == ConnectionType::VpcLink && has_path {
            let text = "the URI of a VPC_LINK integration ends with the host: the upstream gets the path of the \
                        request; map overwrite:path to send another";
            return Err(vec![text.to_owned()]);
        }
        // Each path variable of the URI must come from a route (R3.1).
        let is_unknown = |name: &&str| {
            let is_known = |user: &&RouteKey| user.variables().any(|known| known == *name);
            !users.is_empty() && !users.iter().any(is_known)
        };
        let unknown: Vec<String> = uri
            .variables()
            .filter(is_unknown)
            .map(|name| format!("no route that uses this integration has a path variable {{{name}}}"))
            .collect();
        if unknown.is_empty() { Ok(uri) } else { Err(unknown) }
    }

    /// What is called at that URI.
    pub(super) fn with_uri(&self, uri: IntegrationUri) -> HttpProxy {
        HttpProxy {
            method: self.method,
            uri,
            connection: self.connection,
            server_name: self.server_name.clone(),
        }
    }
}

/// An ARN is what AWS wants there, so a user who brings one is told what to write instead.
fn explained(text: &str, error: &InvalidUri) -> String {
    if *error == InvalidUri::Url(InvalidUrl::Scheme) && text.starts_with("arn:") {
        return "an ARN cannot be resolved outside AWS: write the http:// or https:// URL of what is behind it"
            .to_owned();
    }
    error.to_string()
}

/// Whether a path is empty or `/`.
fn is_root(path: &[Part]) -> bool {
    path.iter().all(|part| *part == Part::Text("/".to_owned()))
}

fn connection_type(resource: &Resource, problems: &mut Problems) -> ConnectionType {
    let file = resource.file.as_str();
    if resource.connection_type.as_deref() != Some("VPC_LINK") {
        if resource.connection_id.is_some() {
            let text = "it has no effect without \"ConnectionType\": \"VPC_LINK\"";
            problems.warning(file, "/ConnectionId", text);
        }
        return ConnectionType::Internet;
    }
    if resource.connection_id.is_none() && !problems.has_error(file, "/ConnectionId") {
        let text = "the field is missing: AWS wants the id of a VPC link; here the URI alone says where to connect";
        problems.warning(file, "/ConnectionId", text);
    }
    ConnectionType::VpcLink
}

fn server_name(resource: &Resource, problems: &mut Problems) -> Option<ServerName<'static>> {
    let pointer = "/TlsConfig/ServerNameToVerify";
    let name = resource.tls_config.as_ref()?.server_name_to_verify.as_deref()?;
    let server_name = ServerName::try_from(name.to_owned()).ok();
    let length = name.chars().count();
    if server_name.is_none() || length > MAX_SERVER_NAME_LENGTH {
        let text = format!("{name:?} is not a host name or an address");
        problems.error(&resource.file, pointer, text);
    }
    server_name
}
