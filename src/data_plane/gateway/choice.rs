//! What a request is for: its API, its stage and its route. Nothing has happened when that is known.

use std::borrow::Cow;
use std::sync::Arc;

use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::mutual_tls;
use crate::data_plane::gateway::refusals::check_size;
use crate::data_plane::request_record::RequestInfo;
use crate::data_plane::throttle::Throttle;
use crate::definition::notation::path::RequestPath;
use crate::deployment::address::{Address, Target, Unreachable};
use crate::deployment::authorizer::Authorization;
use crate::deployment::configuration::Configuration;
use crate::deployment::integration::{Integration, Kind};
use crate::deployment::routes::RouteMatch;
use crate::deployment::stage::Stage;
use crate::http1::message::{Body, Method, Request};
use crate::identity::tls::client::ClientCertificate;

/// Content of at most this many bytes is looked into, or hashed, on a loop. More would keep others waiting.
const SHORT: u64 = 64 * 1024;

/// What a request is for.
pub(super) struct Choice<'c> {
    pub(super) address: Address<'c>,
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    /// What is known for the record.
    pub(super) found: RequestInfo,
    /// Where it leads, or why nowhere.
    pub(super) selection: Result<Selection<'c>, GatewayError>,
}

/// What a request's line selects.
pub(super) struct Selection<'c> {
    pub(super) method: Method,
    pub(super) stage: &'c Arc<Stage>,
    /// Below the stage.
    pub(super) path: RequestPath,
    pub(super) route: Option<RouteMatch>,
}

/// Whether it takes time to tell what a request is for: where a certificate is verified.
pub(super) fn takes_time(configuration: &Configuration, request: &Request) -> bool {
    request.tls.is_some() && configuration.mutual_tls(request.host()).is_some()
}

/// Finds what a request is for.
pub(super) fn choose<'c>(configuration: &'c Configuration, request: &Request) -> Choice<'c> {
    let mut found = RequestInfo::default();
    match mutual_tls::admit(configuration, request) {
        Ok(certificate) => {
            let address = configuration.address(request.host(), &request.path);
            Choice {
                selection: select(&address, request, &mut found),
                address,
                certificate,
                found,
            }
        }
        Err(error) => {
            found.is_unreachable = true;
            Choice {
                address: Address::unreachable(),
                certificate: None,
                found,
                selection: Err(error),
            }
        }
    }
}

fn select<'c>(
    address: &Address<'c>,
    request: &Request,
    found: &mut RequestInfo,
) -> Result<Selection<'c>, GatewayError> {
    check_size(request)?;
    if request.method == "CONNECT" {
        return Err(GatewayError::BadRequest("CONNECT is for proxies".to_owned()));
    }
    let (Some(_), Ok(target)) = (address.api, address.target) else {
        found.is_unreachable = true;
        return Err(match address.target {
            Err(Unreachable::Forbidden) => GatewayError::Forbidden {
                error_type: None,
                cause: "no mapping of the domain fits the path".to_owned(),
            },
            _ => GatewayError::NotFound,
        });
    };
    let path = target.below(&request.path);
    if path == "*" {
        return Err(GatewayError::NotFound);
    }
    let whole = RequestPath::parse(path).map_err(|error| GatewayError::BadRequest(error.to_string()))?;
    // R15.5: a method that no route can name is not found, not even by ANY or $default.
    let method = Method::parse(&request.method).ok_or(GatewayError::NotFound)?;
    let (stage, below) = address.stage(&whole).ok_or_else(|| {
        found.is_unreachable = true;
        GatewayError::NotFound
    })?;
    let below = match below {
        Cow::Borrowed(_) => None,
        Cow::Owned(below) => Some(below),
    };
    let path = below.unwrap_or(whole);
    found.stage = Some(Arc::clone(stage));
    if matches!(target, Target::Path(_)) && stage.is_execute_api_disabled {
        found.is_unreachable = true;
        return Err(GatewayError::NotFound);
    }
    let route = stage
        .routes
        .select(method, &path)
        .map_err(|error| GatewayError::BadRequest(error.to_string()))?;
    found.route = route.as_ref().map(|selected| Arc::clone(&selected.route));
    Ok(Selection {
        method,
        stage,
        path,
        route,
    })
}

impl Choice<'_> {
    /// Whether it is certain that a request has to wait, besides for an HTTP integration.
    pub(super) fn has_to_wait(&self, throttle: &Throttle, request: &Request) -> bool {
        let Ok(Selection { route: Some(route), .. }) = &self.selection else {
            return false;
        };
        let route = &route.route;
        let length = request.body.length().unwrap_or_default();
        let signs_much = matches!(route.authorization, Authorization::Iam) && length > SHORT;
        let comes_still = matches!(request.body, Body::Stream(_));
        let asks = route.integration.as_ref();
        signs_much
            || comes_still
            || throttle.waits() && route.throttle.is_some()
            || asks.is_some_and(|integration| asks_slowly(integration, length))
    }
}

/// Whether an integration is asked by a worker, for a request with so much content.
fn asks_slowly(integration: &Integration, length: u64) -> bool {
    let is_http = matches!(integration.kind, Kind::HttpProxy(_));
    !is_http || length > SHORT && !integration.request_mapping.is_empty()
}
