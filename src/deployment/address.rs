//! Which API a request is for, by its host and its path, and what becomes of the path.
//!
//! The order is: a custom domain by its name, an API by the host `<ApiId>.execute-api`, an API by the path
//! `/_aws/execute-api/<ApiId>`, then the root API or the only one.

use std::borrow::Cow;
use std::sync::Arc;

use crate::definition::notation::path::RequestPath;
use crate::deployment::Deployment;
use crate::deployment::configuration::Configuration;
use crate::deployment::default_stage::DEFAULT_STAGE;
use crate::deployment::domain::Domain;
use crate::deployment::domain::mapping::Mapping;
use crate::deployment::host::normalized;
use crate::deployment::stage::Stage;

/// The second label of the hosts that APIs have.
const EXECUTE_API: &str = "execute-api";

/// What stands before an API's id in a path.
const PATH_PREFIX: &str = "/_aws/execute-api";

/// How a request names its API.
#[derive(Clone, Copy, Debug)]
pub enum Way<'c> {
    /// By a mapping of a custom domain.
    Mapping(&'c Domain, &'c Mapping),
    /// By a custom domain, none of whose mappings fits.
    Domain,
    /// By the first label of its host.
    HostName,
    /// By the beginning of its path.
    PathPrefix,
    /// By nothing: the root API.
    RootApi,
    /// By nothing: the only API that there is.
    OnlyApi,
    /// By nothing, and there is no API that answers then.
    None,
}

/// Which API a request is for.
#[derive(Clone, Copy, Debug)]
pub struct Address<'c> {
    /// How it is named.
    pub way: Way<'c>,
    /// The API; also one that is not reached in this way.
    pub api: Option<&'c Arc<Deployment>>,
    /// What the request is for, or why it has no answer there.
    pub target: Result<Target<'c>, Unreachable>,
}

/// Where the request is in its API, and how many bytes of the path that was sent belong to the address.
#[derive(Clone, Copy, Debug)]
pub enum Target<'c> {
    /// The path names the stage.
    Path(usize),
    /// The mapping names the stage.
    Stage(&'c Arc<Stage>, usize),
}

impl Target<'_> {
    /// What follows the address in a path that was sent; a path that ends with it is `/` (`R11.5`).
    pub fn below<'p>(&self, sent: &'p str) -> &'p str {
        let (Target::Path(start) | Target::Stage(_, start)) = self;
        match sent.get(*start..) {
            Some(below) if !below.is_empty() => below,
            _ => "/",
        }
    }
}

/// Why a request reaches no API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// No mapping of the domain fits (`R11.6`).
    Forbidden,
    /// There is no such API, no such stage, or the API cannot be reached in this way.
    NotFound,
}

impl Configuration {
    /// The address of a request: `host` is what it names, perhaps with a port; `path` is as it was sent.
    pub fn address(&self, host: &[u8], path: &str) -> Address<'_> {
        let host = normalized(host);
        if let Some(domain) = self.domain(&host) {
            return self.in_domain(domain.as_deref(), path);
        }
        if let Some(id) = api_id_in(&host) {
            return Address::of(Way::HostName, self.apis.get(id), 0);
        }
        if let Some(rest) = path.strip_prefix(PATH_PREFIX)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            let id = rest.split('/').next().unwrap_or_default();
            return Address::of(Way::PathPrefix, self.api(id), path.len() - rest.len() + id.len());
        }
        match (self.root_api(), self.default_api()) {
            (Some(root), _) => Address::of(Way::RootApi, Some(root), 0),
            (None, Some(only)) => Address::of(Way::OnlyApi, Some(only), 0),
            (None, None) => Address::of(Way::None, None, 0),
        }
    }

    fn in_domain<'c>(&'c self, domain: Option<&'c Domain>, path: &str) -> Address<'c> {
        let found = domain.and_then(|domain| Some((domain, domain.mapping(path)?)));
        let Some((domain, (mapping, below))) = found else {
            return Address {
                way: Way::Domain,
                api: None,
                target: Err(Unreachable::Forbidden),
            };
        };
        let api = self.api(&mapping.api_id);
        let stage = api.and_then(|api| api.stage_named(&mapping.stage));
        Address {
            way: Way::Mapping(domain, mapping),
            api,
            target: stage
                .map(|stage| Target::Stage(stage, path.len() - below.len()))
                .ok_or(Unreachable::NotFound),
        }
    }
}

/// The first label of a host whose second one is that of APIs.
fn api_id_in(host: &str) -> Option<&str> {
    let (id, rest) = host.split_once('.')?;
    let behind = rest.strip_prefix(EXECUTE_API)?;
    (behind.is_empty() || behind.starts_with('.')).then_some(id)
}

impl<'c> Address<'c> {
    /// The address of a request that may not be answered where it came.
    pub fn unreachable() -> Address<'c> {
        Address {
            way: Way::None,
            api: None,
            target: Err(Unreachable::NotFound),
        }
    }

    /// At an API's own endpoint.
    fn of(way: Way<'c>, api: Option<&'c Arc<Deployment>>, start: usize) -> Address<'c> {
        let reachable = api.filter(|api| !api.is_execute_api_disabled());
        Address {
            way,
            api,
            target: reachable.map(|_| Target::Path(start)).ok_or(Unreachable::NotFound),
        }
    }

    /// The stage of a request, and the path below it; `path` is what follows the address.
    pub fn stage<'p>(&self, path: &'p RequestPath) -> Option<(&'c Arc<Stage>, Cow<'p, RequestPath>)> {
        match (self.api?, self.target.ok()?) {
            (_, Target::Stage(stage, _)) => Some((stage, Cow::Borrowed(path))),
            (api, Target::Path(_)) => api.stage(path),
        }
    }

    /// The key of the mapping that fits.
    pub fn mapping_key(&self) -> Option<&'c str> {
        match self.way {
            Way::Mapping(_, mapping) => Some(&mapping.key),
            _ => None,
        }
    }

    /// The path that a request has at its API's own endpoint, with the stage; none where it is the one that was sent.
    /// It is empty where the path ends with a mapping's key and the stage has no segment (`R11.4`, `R11.5`).
    pub fn endpoint_path(&self, sent: &str) -> Option<String> {
        let target = self.target.as_ref().ok()?;
        match (self.way, target) {
            (_, Target::Path(0)) => None,
            (_, Target::Path(_)) => Some(target.below(sent).to_owned()),
            (Way::Mapping(_, mapping), Target::Stage(_, start)) => {
                let below = sent.get(*start..).unwrap_or_default();
                match mapping.stage.as_str() {
                    DEFAULT_STAGE if *start == 0 => None,
                    DEFAULT_STAGE => Some(below.to_owned()),
                    stage => Some(format!("/{stage}{below}")),
                }
            }
            (_, Target::Stage(..)) => None,
        }
    }
}
