//! An integration that can be called: checked once, and finished for each stage with its variables.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::definition::notation::arn::FunctionArn;
use crate::definition::notation::integration_subtype::IntegrationSubtype;
use crate::definition::notation::route_key::RouteKey;
use crate::definition::notation::stage_variable;
use crate::definition::notation::uri;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::integration::Integration as Resource;
use crate::definition::resource::stage::Stage as StageResource;
use crate::definition::suggestion::did_you_mean;
use crate::deployment::function::Functions;
use crate::deployment::http_proxy::{self, HttpProxy};
use crate::deployment::lambda_proxy::{self, LambdaProxy};
use crate::deployment::parameter_mapping::{self, RequestMapping, ResponseMapping};
use crate::deployment::service::ServiceIntegration;
use crate::deployment::service::draft::Draft as ServiceDraft;

/// `TimeoutInMillis` where the file has none, which is also the longest (spec §3.1).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(30_000);

/// What `TimeoutInMillis` may be.
const TIMEOUT_IN_MILLIS: std::ops::RangeInclusive<i64> = 50..=30_000;

/// Where requests are sent, ready for use.
#[derive(Debug)]
pub struct Integration {
    /// The file, for log lines.
    pub file: String,
    /// What is called.
    pub kind: Kind,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// What becomes of requests.
    pub request_mapping: RequestMapping,
    /// What becomes of answers, by their status.
    pub response_mappings: HashMap<u16, ResponseMapping>,
}

/// What an integration calls.
#[derive(Debug)]
pub enum Kind {
    /// An HTTP endpoint.
    HttpProxy(HttpProxy),
    /// A Lambda function.
    LambdaProxy(LambdaProxy),
    /// Another service of AWS.
    Service(ServiceIntegration),
}

#[cfg(test)]
impl Integration {
    /// A public HTTP integration with that URI, for a test.
    pub(crate) fn of(uri: &str) -> Integration {
        Integration {
            file: "integrations/x.json".into(),
            kind: Kind::HttpProxy(HttpProxy::of(uri)),
            timeout: DEFAULT_TIMEOUT,
            request_mapping: RequestMapping::default(),
            response_mappings: HashMap::new(),
        }
    }
}

/// An integration whose fields have been checked, but for what the stage decides.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    file: &'a str,
    /// Empty for a service integration, which has none.
    uri: &'a str,
    kind: DraftKind,
    timeout: Duration,
    mapping: parameter_mapping::Draft,
    /// The keys of the routes that use it.
    users: Vec<&'a RouteKey>,
}

#[derive(Debug)]
enum DraftKind {
    HttpProxy(http_proxy::Draft),
    LambdaProxy(lambda_proxy::Draft),
    Service(ServiceDraft),
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
        if resource.integration_subtype.is_some() || problems.has_error(file, "/IntegrationSubtype") {
            return Draft::of_service(resource, users, timeout, problems);
        }
        let mapping = parameter_mapping::Draft::check(resource, &users, problems);
        // What the other fields may be depends on the type.
        let kind = match resource.integration_type.as_deref() {
            Some("HTTP_PROXY") => DraftKind::HttpProxy(http_proxy::Draft::check(resource, problems)),
            Some("AWS_PROXY") => DraftKind::LambdaProxy(lambda_proxy::Draft::check(resource, problems)),
            _ => {
                problems.error_unless_known(file, "/IntegrationType", "the field is missing");
                return None;
            }
        };
        let Some(uri) = resource.integration_uri.as_deref() else {
            problems.error_unless_known(file, "/IntegrationUri", "the field is missing");
            return None;
        };
        let draft = Draft {
            file,
            uri,
            kind,
            timeout,
            mapping,
            users,
        };
        match draft.check_uri() {
            Ok(()) => Some(draft),
            Err(texts) => {
                for text in texts {
                    problems.error(file, "/IntegrationUri", text);
                }
                None
            }
        }
    }

    /// Checks the fields of an integration that has an `IntegrationSubtype`.
    fn of_service(
        resource: &'a Resource,
        users: Vec<&'a RouteKey>,
        timeout: Duration,
        problems: &mut Problems,
    ) -> Option<Draft<'a>> {
        let file = resource.file.as_str();
        match resource.integration_type.as_deref() {
            Some("AWS_PROXY") => {}
            // What else is wrong depends on which of the two fields is meant.
            Some(other) => {
                let text = format!("{other:?} calls a URI: an integration with an IntegrationSubtype is \"AWS_PROXY\"");
                problems.error(file, "/IntegrationType", text);
                return None;
            }
            None => problems.error_unless_known(file, "/IntegrationType", "the field is missing"),
        }
        let mapping = parameter_mapping::Draft::of_responses(resource, &users, problems);
        // A name that is none has an error of its own.
        let subtype = IntegrationSubtype::parse(resource.integration_subtype.as_deref()?)?;
        Some(Draft {
            file,
            uri: "",
            kind: DraftKind::Service(ServiceDraft::check(subtype, resource, &users, problems)),
            timeout,
            mapping,
            users,
        })
    }

    /// Checks what can be told of the URI without a stage.
    fn check_uri(&self) -> Result<(), Vec<String>> {
        if stage_variable::is_in(self.uri) {
            let names = stage_variable::names(self.uri);
            return names.map(drop).map_err(|error| vec![error.to_string()]);
        }
        match &self.kind {
            DraftKind::HttpProxy(draft) => draft.read_uri(self.uri, &self.users).map(drop),
            DraftKind::LambdaProxy(_) => self.arn(self.uri).map(drop),
            DraftKind::Service(_) => Ok(()),
        }
    }

    /// The names of the stage variables that parameters read.
    fn parameter_variables(&self) -> impl Iterator<Item = &str> {
        let service = match &self.kind {
            DraftKind::Service(draft) => Some(draft.stage_variables()),
            _ => None,
        };
        self.mapping.stage_variables().chain(service.into_iter().flatten())
    }

    fn arn(&self, text: &str) -> Result<FunctionArn, Vec<String>> {
        if text.chars().count() > uri::MAX_LENGTH {
            return Err(vec![uri::InvalidUri::Length(text.chars().count()).to_string()]);
        }
        FunctionArn::parse(text).map_err(|error| vec![error.to_string()])
    }

    /// What is called, with a URI that is whole; none where the function's file is wrong.
    fn kind(
        &self,
        uri: &str,
        variables: &BTreeMap<String, String>,
        functions: &Functions,
    ) -> Result<Option<Kind>, Vec<String>> {
        match &self.kind {
            DraftKind::HttpProxy(draft) => {
                let uri = draft.read_uri(uri, &self.users)?;
                Ok(Some(Kind::HttpProxy(draft.with_uri(uri))))
            }
            DraftKind::LambdaProxy(draft) => {
                let proxy = draft.with_arn(self.arn(uri)?, functions);
                Ok(proxy.map(Kind::LambdaProxy))
            }
            DraftKind::Service(draft) => Ok(Some(Kind::Service(draft.with_variables(variables)))),
        }
    }
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
    functions: &'a Functions,
    compiled: HashMap<Key<'a>, Arc<Integration>>,
}

/// An integration's id, and what the stage variables are that it reads: equal keys compile to equal integrations.
type Key<'a> = (&'a str, Vec<Option<String>>);

impl<'a> IntegrationCompiler<'a> {
    pub(super) fn new(drafts: &'a BTreeMap<&'a str, Draft<'a>>, functions: &'a Functions) -> IntegrationCompiler<'a> {
        IntegrationCompiler {
            drafts,
            functions,
            compiled: HashMap::new(),
        }
    }

    /// The functions of all files.
    pub(super) fn functions(&self) -> &'a Functions {
        self.functions
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
        let uri_variables = stage_variable::names(draft.uri).unwrap_or_default();
        let missing: Vec<&str> = uri_variables.iter().copied().filter(undefined).collect();
        for name in &missing {
            if !problems.has_error(&stage.file, &member("/StageVariables", name)) {
                let hint = did_you_mean(name, stage.stage_variables.keys().map(String::as_str));
                let text = format!("the stage {stage_name:?} does not define the stage variable {name:?}{hint}");
                problems.error(draft.file, "/IntegrationUri", text);
            }
        }
        if !missing.is_empty() {
            return None;
        }
        let variables = &stage.stage_variables;
        draft.mapping.check_stage(draft.file, stage_name, variables, problems);
        if let DraftKind::Service(service) = &draft.kind {
            service.check_stage(draft.file, stage_name, variables, problems);
        }
        let read = uri_variables.iter().copied().chain(draft.parameter_variables());
        let key = (*id, read.map(|name| variables.get(name).cloned()).collect());
        if let Some(integration) = self.compiled.get(&key) {
            return Some(Arc::clone(integration));
        }
        let uri = stage_variable::put_in(draft.uri, |name| variables.get(name).cloned());
        let kind = uri
            .map_err(|error| vec![error.to_string()])
            .and_then(|uri| draft.kind(&uri, variables, self.functions));
        let kind = match kind {
            Ok(kind) => kind?,
            Err(texts) => {
                for text in texts {
                    let text = format!("with the variables of the stage {stage_name:?}: {text}");
                    problems.error(draft.file, "/IntegrationUri", text);
                }
                return None;
            }
        };
        if let Kind::LambdaProxy(proxy) = &kind {
            self.functions.note(&proxy.arn, draft.file, "/IntegrationUri", problems);
        }
        let integration = Arc::new(Integration {
            file: draft.file.to_owned(),
            kind,
            timeout: draft.timeout,
            request_mapping: draft.mapping.request(variables),
            response_mappings: draft.mapping.response(variables),
        });
        self.compiled.insert(key, Arc::clone(&integration));
        Some(integration)
    }
}
