//! Authorizers, and what each route asks of its callers. What does not compile is not served (`check` says why).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::definition::notation::arn::FunctionArn;
use crate::definition::notation::mapping_key::Side;
use crate::definition::notation::mapping_value::{MappingValue, Source};
use crate::definition::notation::stage_variable;
use crate::definition::notation::uri::IntegrationUri;
use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::resource::authorizer::Authorizer as Resource;
use crate::deployment::function::Function;
use crate::deployment::lambda_proxy::PayloadFormat;

/// Most audiences of an authorizer (spec §8.1).
const MAX_AUDIENCES: usize = 50;

/// What `AuthorizerResultTtlInSeconds` may be (spec §8.2).
const RESULT_TTL: std::ops::RangeInclusive<i64> = 0..=3600;

/// What a route asks of its callers.
#[derive(Clone, Debug)]
pub enum Authorization {
    /// Nothing.
    None,
    /// A token.
    Jwt {
        /// Whose tokens.
        authorizer: Arc<JwtAuthorizer>,
        /// `AuthorizationScopes`: the token must have one of them, if there are any.
        scopes: Vec<String>,
    },
    /// That a function says yes.
    Lambda(Arc<LambdaAuthorizer>),
    /// A signature of a known caller.
    Iam,
}

impl Authorization {
    /// The header fields in which it looks for the caller.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let sources = match self {
            Authorization::None | Authorization::Iam => &[][..],
            Authorization::Jwt { authorizer, .. } => std::slice::from_ref(&authorizer.identity_source),
            Authorization::Lambda(authorizer) => &authorizer.identity_sources,
        };
        sources.iter().filter_map(|IdentitySource(source)| match source {
            Source::Header(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// An authorizer of type JWT.
#[derive(Debug, PartialEq, Eq)]
pub struct JwtAuthorizer {
    /// The file's id.
    pub id: String,
    /// Where the token stands.
    pub identity_source: IdentitySource,
    /// `Issuer`, to the letter.
    pub issuer: String,
    /// `Audience`.
    pub audience: Vec<String>,
}

/// An authorizer of type REQUEST.
#[derive(Debug)]
pub struct LambdaAuthorizer {
    /// The file's id.
    pub id: String,
    /// The file, for log lines.
    pub file: String,
    /// What must be there before the function is asked, and what its answer is remembered by.
    pub identity_sources: Vec<IdentitySource>,
    /// The function.
    pub arn: FunctionArn,
    /// Where it is.
    pub function: Function,
    /// What its events look like.
    pub payload_format: PayloadFormat,
    /// Whether it answers `isAuthorized` instead of a policy.
    pub simple_responses: bool,
    /// How long an answer is remembered; zero is not at all.
    pub result_ttl: Duration,
}

/// Where an identity stands (`R8.20`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySource(pub Source);

impl IdentitySource {
    fn parse(text: &str, kinds: Kinds) -> Result<IdentitySource, String> {
        let value = MappingValue::parse_any_header(text, Side::Request).map_err(|error| error.to_string())?;
        let source = match value {
            MappingValue::Source(source) => Some(source),
            MappingValue::Pieces(_) => None,
        };
        match (source, kinds) {
            (Some(source @ (Source::Header(_) | Source::Querystring(_))), _) => Ok(IdentitySource(source)),
            (Some(source @ (Source::Context(_) | Source::StageVariable(_))), Kinds::All) => Ok(IdentitySource(source)),
            (_, Kinds::OfTokens) => Err(format!(
                "{text:?} is neither $request.header.<name> nor $request.querystring.<name>"
            )),
            (_, Kinds::All) => Err(format!(
                "{text:?} is none of $request.header.<name>, $request.querystring.<name>, $context.<variable> and \
                 $stageVariables.<name>"
            )),
        }
    }
}

#[derive(Clone, Copy)]
enum Kinds {
    OfTokens,
    All,
}

/// An authorizer whose fields have been checked.
#[derive(Debug)]
pub(super) enum Draft<'a> {
    Jwt(Arc<JwtAuthorizer>),
    Lambda(LambdaDraft<'a>),
}

#[derive(Debug)]
pub(super) struct LambdaDraft<'a> {
    pub(super) id: &'a str,
    pub(super) file: &'a str,
    pub(super) uri: &'a str,
    pub(super) identity_sources: Vec<IdentitySource>,
    pub(super) payload_format: PayloadFormat,
    pub(super) simple_responses: bool,
    pub(super) result_ttl: Duration,
}

/// All authorizers, by id; none where something is wrong with one.
pub(super) type Drafts<'a> = BTreeMap<&'a str, Option<Draft<'a>>>;

/// Checks every authorizer.
pub(super) fn check_all<'a>(resources: &'a Resources, problems: &mut Problems) -> Drafts<'a> {
    let check = |(id, resource): (&'a String, &'a Resource)| (id.as_str(), check(id, resource, problems));
    resources.authorizers.iter().map(check).collect()
}

/// Whose tokens they take.
pub(super) fn issuers(drafts: &Drafts<'_>) -> Vec<String> {
    let issuer = |draft: &Option<Draft<'_>>| match draft {
        Some(Draft::Jwt(authorizer)) => Some(authorizer.issuer.clone()),
        _ => None,
    };
    drafts.values().filter_map(issuer).collect()
}

fn check<'a>(id: &'a str, resource: &'a Resource, problems: &mut Problems) -> Option<Draft<'a>> {
    let checker = Checker {
        file: &resource.file,
        problems,
    };
    match resource.authorizer_type.as_deref() {
        Some("JWT") => checker.jwt(id, resource),
        Some(_) => checker.lambda(id, resource),
        None => {
            problems.error_unless_known(&resource.file, "/AuthorizerType", "the field is missing");
            None
        }
    }
}

struct Checker<'a, 'b> {
    file: &'a str,
    problems: &'b mut Problems,
}

impl<'a> Checker<'a, '_> {
    fn error(&mut self, pointer: &str, text: impl Into<String>) {
        self.problems.error(self.file, pointer, text);
    }

    fn refuse(&mut self, pointer: &str, is_there: bool, text: &str) {
        if is_there {
            self.error(pointer, text);
        }
    }

    fn missing(&mut self, pointer: &str) {
        self.problems
            .error_unless_known(self.file, pointer, "the field is missing");
    }

    /// The sources that are right; a wrong one is an error.
    fn sources(&mut self, texts: &[String], kinds: Kinds) -> Vec<IdentitySource> {
        let mut sources = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            match IdentitySource::parse(text, kinds) {
                Ok(source) => sources.push(source),
                Err(text) => self.error(&format!("/IdentitySource/{at}"), text),
            }
        }
        sources
    }

    fn jwt(mut self, id: &str, resource: &Resource) -> Option<Draft<'a>> {
        const OTHER: &str = "it is for an authorizer of type REQUEST";
        self.refuse("/AuthorizerUri", resource.authorizer_uri.is_some(), OTHER);
        self.refuse(
            "/EnableSimpleResponses",
            resource.enable_simple_responses == Some(true),
            OTHER,
        );
        self.refuse(
            "/AuthorizerResultTtlInSeconds",
            resource.result_ttl_in_seconds.is_some_and(|ttl| ttl != 0),
            OTHER,
        );
        self.refuse(
            "/AuthorizerPayloadFormatVersion",
            resource.payload_format_version.is_some(),
            OTHER,
        );
        let texts = resource.identity_source.as_deref().unwrap_or_default();
        let mut sources = self.sources(texts, Kinds::OfTokens);
        match texts.len() {
            0 => self.missing("/IdentitySource"),
            1 => {}
            _ => self.error("/IdentitySource", "a token stands in one place: there is one source"),
        }
        let configuration = resource.jwt_configuration.as_ref();
        let issuer = configuration.and_then(|configuration| configuration.issuer.as_deref());
        match issuer {
            Some(issuer) => self.check_issuer(issuer),
            None if configuration.is_some() => self.missing("/JwtConfiguration/Issuer"),
            None => self.missing("/JwtConfiguration"),
        }
        let audience = configuration.and_then(|configuration| configuration.audience.clone());
        match audience.as_deref() {
            None | Some([]) if configuration.is_some() => {
                let text = "the field is missing: without an audience every token of the issuer would pass";
                self.problems
                    .error_unless_known(self.file, "/JwtConfiguration/Audience", text);
            }
            Some(audience) if audience.len() > MAX_AUDIENCES => {
                let text = format!("there are {} audiences, {MAX_AUDIENCES} at most", audience.len());
                self.error("/JwtConfiguration/Audience", text);
            }
            _ => {}
        }
        Some(Draft::Jwt(Arc::new(JwtAuthorizer {
            id: id.to_owned(),
            identity_source: sources.pop()?,
            issuer: issuer?.to_owned(),
            audience: audience.filter(|audience| !audience.is_empty())?,
        })))
    }

    fn check_issuer(&mut self, issuer: &str) {
        let uri = IntegrationUri::parse(issuer);
        let is_plain = uri
            .as_ref()
            .is_ok_and(|uri| uri.query().is_none() && uri.variables().next().is_none());
        if !is_plain {
            let text = format!("{issuer:?} is not an http:// or https:// URL without a query");
            self.error("/JwtConfiguration/Issuer", text);
        }
    }

    fn lambda(mut self, id: &'a str, resource: &'a Resource) -> Option<Draft<'a>> {
        let is_jwt = resource.jwt_configuration.is_some();
        self.refuse("/JwtConfiguration", is_jwt, "it is for an authorizer of type JWT");
        let texts = resource.identity_source.as_deref().unwrap_or_default();
        let identity_sources = self.sources(texts, Kinds::All);
        let payload_format = match resource.payload_format_version.as_deref().map(PayloadFormat::parse) {
            Some(Ok(format)) => Some(format),
            Some(Err(text)) => {
                self.error("/AuthorizerPayloadFormatVersion", text);
                None
            }
            None => {
                self.missing("/AuthorizerPayloadFormatVersion");
                None
            }
        };
        let simple_responses = resource.enable_simple_responses.unwrap_or_default();
        if simple_responses && payload_format == Some(PayloadFormat::V1) {
            self.error("/EnableSimpleResponses", "simple responses need payload format 2.0");
        }
        let ttl = resource.result_ttl_in_seconds.unwrap_or_default();
        if !RESULT_TTL.contains(&ttl) {
            let text = format!("{ttl} is not between {} and {} s", RESULT_TTL.start(), RESULT_TTL.end());
            self.error("/AuthorizerResultTtlInSeconds", text);
        }
        if ttl > 0 && texts.is_empty() {
            let text = "without an IdentitySource nothing is remembered";
            self.problems.warning(self.file, "/AuthorizerResultTtlInSeconds", text);
        }
        let Some(uri) = resource.authorizer_uri.as_deref() else {
            self.missing("/AuthorizerUri");
            return None;
        };
        let checked = if stage_variable::is_in(uri) {
            stage_variable::names(uri).map(drop).map_err(|error| error.to_string())
        } else {
            FunctionArn::parse(uri).map(drop).map_err(|error| error.to_string())
        };
        if let Err(text) = checked {
            self.error("/AuthorizerUri", text);
            return None;
        }
        Some(Draft::Lambda(LambdaDraft {
            id,
            file: &resource.file,
            uri,
            identity_sources,
            payload_format: payload_format?,
            simple_responses,
            result_ttl: Duration::from_secs(u64::try_from(ttl).unwrap_or_default()),
        }))
    }
}
