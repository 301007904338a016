//! `Auth` of HTTP APIs and of their events (`R32.8` to `R32.10`): security schemes and requirements.

use crate::template::evaluator::Evaluator;
use crate::template::message::Messages;
use crate::template::place::Place;
use crate::template::value::{Data, Value};

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const IAM: &str = "AWS_IAM";
const NONE: &str = "NONE";

/// Properties of an authorizer, and whether they are of JWT ones, else of Lambda ones.
const PROPERTIES: [(&str, bool); 9] = [
    ("AuthorizationScopes", true),
    ("JwtConfiguration", true),
    ("IdentitySource", true),
    ("FunctionArn", false),
    ("FunctionInvokeRole", false),
    ("Identity", false),
    ("AuthorizerPayloadFormatVersion", false),
    ("EnableSimpleResponses", false),
    ("EnableFunctionDefaultPermissions", false),
];

/// Where sources of an identity stand, in their order, and what their names begin with.
const SOURCES: [(&str, &str); 4] = [
    ("Headers", "$request.header."),
    ("QueryStrings", "$request.querystring."),
    ("StageVariables", "$stageVariables."),
    ("Context", "$context."),
];

/// What `Auth` of an API says.
#[derive(Default)]
pub(super) struct Auth {
    /// Security schemes by name.
    pub(super) schemes: Vec<(String, Value)>,
    /// The names of the authorizers that are defined, with the scopes of each.
    authorizers: Vec<(String, Option<Value>)>,
    default: Option<Value>,
    has_iam: bool,
}

/// Reads `Auth` of an API.
pub(super) fn read(evaluator: &Evaluator<'_>, value: &Value) -> Auth {
    let messages = evaluator.messages;
    let mut auth = Auth::default();
    for member in messages.members(value).unwrap_or_default() {
        if !["Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"].contains(&&*member.key.name) {
            messages.error(&member.key.place, format!("Auth has no property {:?}", member.key.name));
        }
    }
    if let Some(flag) = value.get("EnableIamAuthorizer") {
        auth.has_iam = messages.boolean(flag).unwrap_or_default();
        if auth.has_iam {
            let scheme = Value::map(
                &flag.place,
                vec![
                    ("type", Value::text(&flag.place, "apiKey")),
                    ("name", Value::text(&flag.place, "Authorization")),
                    ("in", Value::text(&flag.place, "header")),
                    ("x-amazon-apigateway-authtype", Value::text(&flag.place, "awsSigv4")),
                ],
            );
            auth.schemes.push((IAM.to_owned(), scheme));
        }
    }
    let authorizers = value.get("Authorizers");
    for member in authorizers
        .and_then(|value| messages.members(value))
        .unwrap_or_default()
    {
        let (name, value) = (&*member.key.name, &member.value);
        if value.is_absent() {
            messages.error(&member.key.place, format!("the authorizer {name} must be a mapping"));
            continue;
        }
        if messages.members(value).is_none() {
            continue;
        }
        if let Some(scheme) = authorizer(evaluator, name, &member.key.place, value) {
            auth.schemes.push((name.to_owned(), scheme));
            auth.authorizers
                .push((name.to_owned(), value.get("AuthorizationScopes").cloned()));
        }
    }
    if let Some(default) = value.get("DefaultAuthorizer")
        && let Some(name) = messages.text(default)
    {
        if !auth.defines(&name) {
            messages.error(
                &default.place,
                format!("there is no authorizer {name:?} in Authorizers"),
            );
        }
        auth.default = Some(Value::text(&default.place, name));
    }
    auth
}

impl Auth {
    fn defines(&self, name: &str) -> bool {
        self.schemes.iter().any(|(known, _)| known == name)
    }

    /// The requirement of operations that have none of their own.
    pub(super) fn default_requirement(&self) -> Option<Value> {
        let default = self.default.as_ref()?;
        Some(self.requirement(default.peek()?, None, &default.place))
    }

    fn requirement(&self, name: &str, scopes: Option<&Value>, place: &Place) -> Value {
        let of_authorizer = || self.authorizers.iter().find(|(known, _)| known == name)?.1.as_ref();
        let scopes = match name {
            NONE => None,
            IAM if self.has_iam => None,
            _ => scopes
                .filter(|scopes| !scopes.items().is_empty())
                .or_else(of_authorizer),
        };
        let scopes = scopes.cloned().unwrap_or_else(|| Value::list(place, Vec::new()));
        Value::list(place, vec![Value::map(place, vec![(name, scopes)])])
    }

    /// The requirement of an event; none where it says nothing, or says something wrong, which is told.
    pub(super) fn of_event(&self, value: &Value, place: &Place, messages: &Messages) -> Option<Value> {
        for member in messages.members(value)? {
            if !["Authorizer", "AuthorizationScopes"].contains(&&*member.key.name) {
                messages.error(
                    &member.key.place,
                    format!("Auth of an event has no property {:?}", member.key.name),
                );
            }
        }
        let scopes = value.get("AuthorizationScopes");
        if let Some(scopes) = scopes
            && !matches!(scopes.data, Data::List(_))
        {
            messages.error(&scopes.place, "AuthorizationScopes must be a list of texts");
            return None;
        }
        let (name, at) = match (value.get("Authorizer"), &self.default) {
            (Some(authorizer), _) => (messages.text(authorizer)?, &authorizer.place),
            (None, Some(default)) => (default.peek()?.to_owned(), place),
            (None, None) => {
                let text = "Auth wants an Authorizer, or a DefaultAuthorizer of the API";
                messages.error(&value.place, text);
                return None;
            }
        };
        if name == NONE && !self.defines(NONE) {
            if self.default.is_none() {
                messages.error(at, "NONE is for events of an API with a DefaultAuthorizer");
                return None;
            }
        } else if !self.defines(&name) {
            messages.error(at, format!("the API has no authorizer {name:?}"));
            return None;
        }
        Some(self.requirement(&name, scopes, at))
    }
}

fn authorizer(evaluator: &Evaluator<'_>, name: &str, place: &Place, value: &Value) -> Option<Value> {
    let messages = evaluator.messages;
    if let Some(url) = value.get("OpenIdConnectUrl") {
        messages.error(
            &url.place,
            "OpenIdConnectUrl is not supported any more: use JwtConfiguration",
        );
        return None;
    }
    let jwt = value.get("JwtConfiguration");
    for member in value.members() {
        match PROPERTIES.iter().find(|(known, _)| *known == &*member.key.name) {
            Some((_, is_of_jwt)) if *is_of_jwt == jwt.is_some() => {}
            Some((known, true)) => {
                messages.error(
                    &member.key.place,
                    format!("{known} is for authorizers with a JwtConfiguration"),
                );
            }
            Some((known, false)) => {
                messages.error(&member.key.place, format!("{known} is for Lambda authorizers"));
            }
            None => {
                messages.warning(
                    &member.key.place,
                    format!("an authorizer has no property {:?}", member.key.name),
                );
            }
        }
    }
    let mut inner = Value::map(place, Vec::new());
    let kind = match jwt {
        Some(jwt) => {
            messages.members(jwt)?;
            if let Some(scopes) = value.get("AuthorizationScopes")
                && !matches!(scopes.data, Data::List(_))
            {
                messages.error(&scopes.place, "AuthorizationScopes must be a list of texts");
            }
            let Some(source) = value.get("IdentitySource") else {
                messages.error(place, format!("the authorizer {name} has no IdentitySource"));
                return None;
            };
            for wanted in ["issuer", "audience"] {
                if jwt.get_any_case(wanted).is_none() {
                    messages.error(&jwt.place, format!("JwtConfiguration has no {wanted}"));
                }
            }
            inner.set("type", Value::text(place, "jwt"));
            inner.set("jwtConfiguration", jwt.clone());
            inner.set("identitySource", source.clone());
            "oauth2"
        }
        None => {
            lambda(evaluator, name, place, value, &mut inner)?;
            "apiKey"
        }
    };
    let mut scheme = Value::map(place, vec![("type", Value::text(place, kind))]);
    scheme.set(AUTHORIZER, inner);
    Some(scheme)
}

fn lambda(evaluator: &Evaluator<'_>, name: &str, place: &Place, value: &Value, inner: &mut Value) -> Option<()> {
    let messages = evaluator.messages;
    inner.set("type", Value::text(place, "request"));
    let (Some(function), Some(version)) = (value.get("FunctionArn"), value.get("AuthorizerPayloadFormatVersion"))
    else {
        for wanted in ["FunctionArn", "AuthorizerPayloadFormatVersion"] {
            if value.get(wanted).is_none() {
                messages.error(place, format!("the authorizer {name} has no {wanted}"));
            }
        }
        return None;
    };
    let arn = messages.text(function)?;
    let uri = evaluator.environment.invocation_arn(&arn);
    inner.set("authorizerUri", Value::text(&function.place, uri));
    inner.set("authorizerPayloadFormatVersion", version.clone());
    if let Some(simple) = value.get("EnableSimpleResponses") {
        inner.set("enableSimpleResponses", simple.clone());
    }
    if let Some(role) = value.get("FunctionInvokeRole").filter(|role| role.peek() != Some(NONE)) {
        inner.set("authorizerCredentials", role.clone());
    }
    let Some(identity) = value.get("Identity") else {
        return Some(());
    };
    let members = messages.members(identity)?;
    for member in members {
        let name = &*member.key.name;
        if name != "ReauthorizeEvery" && !SOURCES.iter().any(|(known, _)| *known == name) {
            messages.warning(&member.key.place, format!("Identity has no property {name:?}"));
        }
    }
    let mut sources = Vec::new();
    for (property, prefix) in SOURCES {
        let names = identity.get(property).and_then(|names| messages.texts(names, false));
        for name in names.unwrap_or_default() {
            let source = format!("{prefix}{}", name.peek().unwrap_or_default());
            sources.push(Value::text(&name.place, source));
        }
    }
    inner.set("identitySource", Value::list(&identity.place, sources));
    if let Some(seconds) = identity.get("ReauthorizeEvery") {
        inner.set("authorizerResultTtlInSeconds", seconds.clone());
    }
    Some(())
}
