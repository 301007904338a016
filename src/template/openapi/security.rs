//! Who may call the operations of an OpenAPI document (`R30.9` to `R30.12`). Nothing that AWS closes is open here.

use std::collections::BTreeMap;

use crate::definition::json::Json;
use crate::template::ids::{ids, of_name};
use crate::template::message::Messages;
use crate::template::openapi::file_id::{ID, id_of};
use crate::template::openapi::integration::version_text;
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::shape::{Shape, put, texts};
use crate::template::value::{Data, Value};

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const AUTHTYPE: &str = "x-amazon-apigateway-authtype";
const AUTH: &str = "x-amazon-apigateway-auth";

/// The requirement that SAM writes for a route without an authorizer.
const NONE: &str = "NONE";

const AUTHORIZER_KEYS: [&str; 9] = [
    "type",
    "identitySource",
    "jwtConfiguration",
    "authorizerUri",
    "authorizerCredentials",
    "authorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds",
    "enableSimpleResponses",
    ID,
];

/// What enforces a scheme.
enum Scheme {
    Jwt(String),
    Lambda(String),
    Iam,
    /// Nothing here does: why.
    Unenforceable(String),
}

/// The security schemes of a document.
pub(super) struct Schemes {
    by_name: BTreeMap<String, Scheme>,
    files: Vec<VirtualFile>,
}

impl Schemes {
    pub(super) fn of(document: &Value, messages: &Messages) -> Schemes {
        let section = document
            .get("components")
            .and_then(|components| components.get("securitySchemes"));
        let members = section
            .and_then(|section| messages.members(section))
            .unwrap_or_default();
        let with_file: Vec<_> = members
            .iter()
            .filter(|member| member.value.get(AUTHORIZER).is_some())
            .collect();
        let ids = ids(with_file.iter().map(|member| &*member.key.name), of_name);
        let mut schemes = Schemes {
            by_name: BTreeMap::new(),
            files: Vec::new(),
        };
        for (member, derived) in with_file.iter().zip(ids) {
            let id = id_of(&member.value, messages).unwrap_or(derived);
            let (name, value) = (&member.key.name, &member.value);
            if let Some((scheme, file)) = authorizer(name, value, &id, &member.key.place, messages) {
                schemes.by_name.insert(name.to_string(), scheme);
                schemes.files.push(file);
            }
        }
        for member in members.iter().filter(|member| member.value.get(AUTHORIZER).is_none()) {
            let scheme = without_authorizer(&member.value);
            schemes.by_name.insert(member.key.name.to_string(), scheme);
        }
        schemes
    }

    pub(super) fn into_files(self) -> Vec<VirtualFile> {
        self.files
    }

    /// Says in a route's file who may call an operation.
    pub(super) fn guard(
        &self,
        operation: &Value,
        place: &Place,
        document: &Value,
        file: &mut VirtualFile,
        messages: &Messages,
    ) {
        let own = operation.get("security");
        if let Some(auth) = operation.get(AUTH) {
            let kind = auth.get("type").and_then(|kind| messages.text(kind));
            match kind.map(|kind| kind.to_ascii_uppercase()).as_deref() {
                Some("AWS_IAM") if own.is_none_or(is_open) => {
                    return file.set_text("AuthorizationType", "AWS_IAM", &auth.place);
                }
                Some("NONE") if own.is_none_or(is_open) => return,
                Some("AWS_IAM" | "NONE") => {
                    messages.error(&auth.place, format!("{AUTH} and security say different things"));
                    return;
                }
                _ => return messages.error(&auth.place, format!("{AUTH} wants the type AWS_IAM or NONE")),
            }
        }
        let Some(security) = own.or_else(|| document.get("security")) else {
            return;
        };
        let requirements = match &security.data {
            Data::List(items) => items,
            Data::Unresolved(why) => return messages.error(&security.place, &**why),
            _ => return messages.error(&security.place, "security must be a list of requirements"),
        };
        let requirement = match requirements.as_slice() {
            [] => return,
            [requirement] => requirement,
            _ => {
                let text = "an operation of an HTTP API has one security requirement at most";
                return messages.error(&security.place, text);
            }
        };
        let Some(schemes) = messages.members(requirement) else {
            if requirement.is_absent() {
                messages.error(
                    &security.place,
                    "the requirement is null: an open operation has {} or no requirement",
                );
            }
            return;
        };
        let scheme = match schemes {
            [] => return,
            [scheme] => scheme,
            _ => {
                let text = "an operation of an HTTP API is guarded by one scheme at most";
                return messages.error(&requirement.place, text);
            }
        };
        let name = &*scheme.key.name;
        let scopes = match &scheme.value.data {
            Data::Absent => Vec::new(),
            _ => messages.texts(&scheme.value, false).unwrap_or_default(),
        };
        match self.by_name.get(name) {
            None if name == NONE => {}
            None => {
                let text = format!(
                    "there is no security scheme {name:?}, so {} would be open",
                    file_key(file)
                );
                messages.error(&scheme.key.place, text);
            }
            Some(Scheme::Unenforceable(why)) => {
                let text = format!("the security scheme {name:?} cannot be enforced: {why}");
                messages.error(&scheme.key.place, text);
            }
            Some(Scheme::Jwt(id)) => {
                file.set_text("AuthorizationType", "JWT", place);
                file.set_text("AuthorizerId", format!("authorizers/{id}"), &scheme.key.place);
                if !scopes.is_empty() {
                    let names = scopes.iter().filter_map(Value::peek);
                    file.set("AuthorizationScopes", texts(names), &scheme.value.place);
                }
            }
            Some(Scheme::Lambda(id)) => {
                file.set_text("AuthorizationType", "CUSTOM", place);
                file.set_text("AuthorizerId", format!("authorizers/{id}"), &scheme.key.place);
                warn_of_scopes(&scopes, messages);
            }
            Some(Scheme::Iam) => {
                file.set_text("AuthorizationType", "AWS_IAM", &scheme.key.place);
                warn_of_scopes(&scopes, messages);
            }
        }
    }
}

fn file_key(file: &VirtualFile) -> &str {
    file.text_of("RouteKey").unwrap_or("the operation")
}

/// Whether an operation's own security asks for nothing.
fn is_open(security: &Value) -> bool {
    match &security.data {
        Data::List(items) => items.iter().all(|item| item.is_map() && item.members().is_empty()),
        _ => false,
    }
}

fn warn_of_scopes(scopes: &[Value], messages: &Messages) {
    if let Some(scope) = scopes.first() {
        messages.warning(&scope.place, "scopes have an effect with JWT authorizers only");
    }
}

/// A scheme without an authorizer of its own.
fn without_authorizer(value: &Value) -> Scheme {
    if let Some(kind) = value.get(AUTHTYPE) {
        let kind = kind.peek().unwrap_or_default();
        return match kind.eq_ignore_ascii_case("awsSigv4") {
            true => Scheme::Iam,
            false => Scheme::Unenforceable(format!("{AUTHTYPE} is not awsSigv4")),
        };
    }
    match value.get("type").and_then(Value::peek) {
        Some("openIdConnect") => Scheme::Unenforceable(format!(
            "openIdConnectUrl does not tell the audience: {AUTHORIZER} with jwtConfiguration does"
        )),
        _ => Scheme::Unenforceable(format!("it has neither {AUTHORIZER} nor {AUTHTYPE}")),
    }
}

fn authorizer(
    name: &str,
    scheme: &Value,
    id: &str,
    place: &Place,
    messages: &Messages,
) -> Option<(Scheme, VirtualFile)> {
    let value = scheme.get(AUTHORIZER)?;
    let members = messages.members(value)?;
    for member in members {
        let known = AUTHORIZER_KEYS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&member.key.name));
        if !known {
            messages.warning(&member.key.place, "unknown key");
        }
    }
    let get = |name: &str| value.get_any_case(name);
    let mut file = VirtualFile::new(format!("authorizers/{id}.json"), place);
    file.set_text("Name", name, place);
    let kind = get("type").and_then(|kind| messages.text(kind)).unwrap_or_default();
    let lambda = match kind.to_ascii_lowercase().as_str() {
        "jwt" => false,
        "request" => true,
        _ => {
            let text = format!("an authorizer of an HTTP API is of type jwt or request, not {kind:?}");
            messages.error(&value.place, text);
            return None;
        }
    };
    let written = if lambda { "REQUEST" } else { "JWT" };
    file.set_text("AuthorizerType", written, &value.place);
    let mut take = |field: &str, name: &str, shape: Shape| {
        if let Some(value) = get(name) {
            put(&mut file, field, value, shape, messages);
        }
    };
    take("IdentitySource", "identitySource", Shape::CommaTexts);
    if !lambda {
        let shape = Shape::Object(&[("Issuer", Shape::Text), ("Audience", Shape::CommaTexts)]);
        take("JwtConfiguration", "jwtConfiguration", shape);
    } else {
        take("AuthorizerUri", "authorizerUri", Shape::Text);
        take("AuthorizerCredentialsArn", "authorizerCredentials", Shape::TextIfKnown);
        take("EnableSimpleResponses", "enableSimpleResponses", Shape::Boolean);
        take(
            "AuthorizerResultTtlInSeconds",
            "authorizerResultTtlInSeconds",
            Shape::Number,
        );
        if let Some(given) = get("authorizerPayloadFormatVersion")
            && let Some(text) = messages.text(given)
        {
            file.set_text("AuthorizerPayloadFormatVersion", version_text(&text), &given.place);
        }
    }
    if file.get("IdentitySource").is_some_and(Json::is_empty) {
        file.remove("IdentitySource");
    }
    let id = id.to_owned();
    let scheme = if lambda { Scheme::Lambda(id) } else { Scheme::Jwt(id) };
    Some((scheme, file))
}
