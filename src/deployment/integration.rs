//! An integration that can be called: its URI parsed for one stage, its timeout a duration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::message::Method;
use crate::notation::route_key::RouteKey;
use crate::notation::uri::{self, IntegrationUri, InvalidUri};
use crate::problem::{Problems, member};
use crate::resource::integration::Integration as Resource;
use crate::resource::stage::Stage as StageResource;

/// `TimeoutInMillis` where the file has none, which is also the longest (spec §3.1).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(30_000);

/// What `TimeoutInMillis` may be.
const TIMEOUT_IN_MILLIS: std::ops::RangeInclusive<i64> = 50..=30_000;

/// Where requests are sent, ready for use.
#[derive(Debug)]
pub struct Integration {
    /// The file, for log lines.
    pub file: String,
    /// The method sent upstream; none keeps the client's (`ANY`).
    pub method: Option<Method>,
    /// The URI, with this stage's variables in it.
    pub uri: IntegrationUri,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

/// An integration whose fields have been checked, but for what the stage decides.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    file: &'a str,
    method: Option<Method>,
    uri: &'a str,
    timeout: Duration,
    /// The keys of the routes that use it.
    users: Vec<&'a RouteKey>,
}

impl<'a> Draft<'a> {
    /// Checks the fields; `users` are the keys of the routes that target this integration.
    pub(super) fn check(
        resource: &'a Resource,
        users: Vec<&'a RouteKey>,
        problems: &mut Problems,
    ) -> Option<Draft<'a>> {
        let file = resource.file.as_str();
        let timeout = timeout(resource, problems);
        if resource.connection_type.as_deref() == Some("VPC_LINK") {
            problems.error(file, "/ConnectionType", "not supported yet: VPC links");
        }
        // What the other fields may be depends on the type.
        if !is_http_proxy(resource, problems) {
            return None;
        }
        if let Some(version) = resource
            .payload_format_version
            .as_deref()
            .filter(|version| *version != "1.0")
        {
            let text = format!("{version:?} is not \"1.0\", the only version of an HTTP_PROXY integration");
            problems.error(file, "/PayloadFormatVersion", text);
        }
        let method = method(resource, problems);
        let Some(uri) = resource.integration_uri.as_deref() else {
            problems.error_unless_known(file, "/IntegrationUri", "the field is missing");
            return None;
        };
        let draft = Draft {
            file,
            method,
            uri,
            timeout,
            users,
        };
        draft.check_uri(problems).then_some(draft)
    }

    /// Checks what can be told without a stage; whether it is worth to go on with one.
    fn check_uri(&self, problems: &mut Problems) -> bool {
        let result = if uri::has_stage_variables(self.uri) {
            uri::stage_variables(self.uri).map(drop)
        } else {
            IntegrationUri::parse(self.uri).map(|uri| self.check_variables(&uri, problems))
        };
        if let Err(error) = &result {
            problems.error(self.file, "/IntegrationUri", error.to_string());
        }
        result.is_ok()
    }

    /// Each path variable of the URI must come from a route (`R3.1`).
    fn check_variables(&self, uri: &IntegrationUri, problems: &mut Problems) {
        for name in uri.variables() {
            let is_known = |user: &&RouteKey| user.variables().any(|known| known == name);
            if !self.users.is_empty() && !self.users.iter().any(is_known) {
                let text = format!("no route that uses this integration has a path variable {{{name}}}");
                problems.error(self.file, "/IntegrationUri", text);
            }
        }
    }
}

fn is_http_proxy(resource: &Resource, problems: &mut Problems) -> bool {
    match resource.integration_type.as_deref() {
        Some("HTTP_PROXY") => return true,
        Some(other) => {
            let text = format!("not supported yet: {other} integrations");
            problems.error(&resource.file, "/IntegrationType", text);
        }
        None => problems.error_unless_known(&resource.file, "/IntegrationType", "the field is missing"),
    }
    false
}

fn method(resource: &Resource, problems: &mut Problems) -> Option<Method> {
    let Some(name) = resource.integration_method.as_deref() else {
        let text = "the field is missing: ANY keeps the client's method";
        problems.error_unless_known(&resource.file, "/IntegrationMethod", text);
        return None;
    };
    Method::parse(name)
}

fn timeout(resource: &Resource, problems: &mut Problems) -> Duration {
    let Some(millis) = resource.timeout_in_millis else {
        return DEFAULT_TIMEOUT;
    };
    if !TIMEOUT_IN_MILLIS.contains(&millis) {
        let (least, most) = (TIMEOUT_IN_MILLIS.start(), TIMEOUT_IN_MILLIS.end());
        let text = format!("{millis} is not between {least} and {most} ms");
        problems.error(&resource.file, "/TimeoutInMillis", text);
    }
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}

/// Finishes integrations for one stage after another; equal results are shared.
#[derive(Debug)]
pub(super) struct IntegrationCompiler<'a> {
    drafts: &'a BTreeMap<&'a str, Draft<'a>>,
    compiled: HashMap<(&'a str, String), Arc<Integration>>,
}

impl<'a> IntegrationCompiler<'a> {
    pub(super) fn new(drafts: &'a BTreeMap<&'a str, Draft<'a>>) -> IntegrationCompiler<'a> {
        IntegrationCompiler {
            drafts,
            compiled: HashMap::new(),
        }
    }

    /// The integration as that stage calls it; none where something is wrong with it.
    pub(super) fn compile(
        &mut self,
        id: &str,
        stage_name: &str,
        stage: &StageResource,
        problems: &mut Problems,
    ) -> Option<Arc<Integration>> {
        let (id, draft) = self.drafts.get_key_value(id)?;
        let undefined = |name: &&str| !stage.stage_variables.contains_key(*name);
        let names = uri::stage_variables(draft.uri).unwrap_or_default();
        let missing: Vec<&str> = names.into_iter().filter(undefined).collect();
        for name in &missing {
            if !problems.has_error(&stage.file, &member("/StageVariables", name)) {
                let text = format!("the stage {stage_name:?} does not define the stage variable {name:?}");
                problems.error(draft.file, "/IntegrationUri", text);
            }
        }
        if !missing.is_empty() {
            return None;
        }
        let mut refuse = |error: InvalidUri| {
            let text = format!("with the variables of the stage {stage_name:?}: {error}");
            problems.error(draft.file, "/IntegrationUri", text);
        };
        let text = uri::insert_stage_variables(draft.uri, |name| stage.stage_variables.get(name).cloned())
            .map_err(&mut refuse)
            .ok()?;
        if let Some(integration) = self.compiled.get(&(*id, text.clone())) {
            return Some(Arc::clone(integration));
        }
        let uri = IntegrationUri::parse(&text).map_err(refuse).ok()?;
        if uri::has_stage_variables(draft.uri) {
            draft.check_variables(&uri, problems);
        }
        let integration = Arc::new(Integration {
            file: draft.file.to_owned(),
            method: draft.method,
            uri,
            timeout: draft.timeout,
        });
        self.compiled.insert((id, text), Arc::clone(&integration));
        Some(integration)
    }
}
