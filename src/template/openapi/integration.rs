//! Integrations of an OpenAPI document (`R30.4` to `R30.8`).

use std::collections::{BTreeMap, HashSet};

use crate::definition::json::Json;
use crate::template::ids::{ids, of_name};
use crate::template::message::Messages;
use crate::template::openapi::file_id::{ID, id_of};
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::shape::{RESPONSE_PARAMETERS_OF_OPENAPI, Shape, put};
use crate::template::value::Value;

/// Where shared integrations stand.
pub(super) const SHARED: &str = "x-amazon-apigateway-integrations";
const REFERENCE: &str = "#/components/x-amazon-apigateway-integrations/";

/// What an export calls an integration that no route has, before its id.
pub(super) const UNUSED: &str = "unusedIntegration_";

/// What AWS has where no timeout is given, in milliseconds.
pub(super) const DEFAULT_TIMEOUT: &str = "30000";

/// Fields that an integration of a REST API has.
const OF_REST_APIS: [&str; 8] = [
    "passthroughBehavior",
    "requestTemplates",
    "responses",
    "contentHandling",
    "cacheKeyParameters",
    "cacheNamespace",
    "responseTransferMode",
    "integrationTarget",
];

const KNOWN: [&str; 13] = [
    "type",
    "uri",
    "httpMethod",
    "payloadFormatVersion",
    "timeoutInMillis",
    "connectionType",
    "connectionId",
    "credentials",
    "integrationSubtype",
    "requestParameters",
    "responseParameters",
    "tlsConfig",
    ID,
];

/// An operation's integration: its own, or a shared one.
pub(super) enum Integration {
    Own(Box<VirtualFile>, Option<String>),
    Shared(String),
}

/// The integrations of a document.
pub(super) struct Integrations {
    /// Shared ones by their names: the id and the file, none where it cannot be read.
    shared: BTreeMap<String, (String, Option<VirtualFile>)>,
    own: Vec<VirtualFile>,
    /// Ids in small letters.
    taken: HashSet<String>,
}

impl Integrations {
    pub(super) fn of(document: &Value, messages: &Messages) -> Integrations {
        let section = document.get("components").and_then(|components| components.get(SHARED));
        let members = section
            .and_then(|section| messages.members(section))
            .unwrap_or_default();
        let bare = |name: &str| of_name(name.strip_prefix(UNUSED).unwrap_or(name));
        let ids = ids(members.iter().map(|member| &*member.key.name), bare);
        let mut shared = BTreeMap::new();
        for (member, derived) in members.iter().zip(ids) {
            let id = id_of(&member.value, messages).unwrap_or(derived);
            let path = format!("integrations/{id}.json");
            let file = read(&member.value, path, messages);
            shared.insert(member.key.name.to_string(), (id, file));
        }
        Integrations {
            taken: shared.values().map(|(id, _)| id.to_ascii_lowercase()).collect(),
            shared,
            own: Vec::new(),
        }
    }

    /// The integration of an operation; none where it cannot be read, which is told.
    pub(super) fn read(&self, value: &Value, messages: &Messages) -> Option<Integration> {
        let Some(reference) = value.get("$ref") else {
            let id = id_of(value, messages);
            return Some(Integration::Own(Box::new(read(value, String::new(), messages)?), id));
        };
        let text = messages.text(reference)?;
        let name = text
            .strip_prefix(REFERENCE)
            .map(|name| name.replace("~1", "/").replace("~0", "~"));
        match name {
            Some(name) if self.shared.contains_key(&name) => Some(Integration::Shared(name)),
            Some(name) => {
                let text = format!("components has no {SHARED} named {name:?}");
                messages.error(&reference.place, text);
                None
            }
            None => {
                messages.error(&reference.place, format!("{text:?} is not below {REFERENCE}"));
                None
            }
        }
    }

    /// The id of an integration of the route with an id; an operation's own one becomes a file.
    pub(super) fn target(&mut self, integration: &Integration, route: &str, messages: &Messages) -> String {
        match integration {
            Integration::Shared(name) => self.shared.get(name).map(|(id, _)| id.clone()).unwrap_or_default(),
            Integration::Own(file, given) => {
                let id = given.clone().unwrap_or_else(|| route.to_owned());
                let id = match (self.taken.contains(&id.to_ascii_lowercase()), given) {
                    (true, Some(_)) => {
                        messages.error(&file.place, format!("another integration has the id {id:?}"));
                        id
                    }
                    (true, None) => format!("{id}-integration"),
                    (false, _) => id,
                };
                self.taken.insert(id.to_ascii_lowercase());
                let path = format!("integrations/{id}.json");
                self.own.push(VirtualFile {
                    path,
                    ..(**file).clone()
                });
                id
            }
        }
    }

    pub(super) fn into_files(self) -> impl Iterator<Item = VirtualFile> {
        let shared = self.shared.into_values().filter_map(|(_, file)| file);
        self.own.into_iter().chain(shared)
    }
}

fn read(value: &Value, path: String, messages: &Messages) -> Option<VirtualFile> {
    let members = messages.members(value)?;
    let mut file = VirtualFile::new(path, &value.place);
    let kind = value.get("type").and_then(|kind| messages.text(kind));
    let kind = match kind.map(|kind| kind.to_ascii_uppercase()).as_deref() {
        Some(kind @ ("HTTP_PROXY" | "AWS_PROXY")) => kind.to_owned(),
        Some(kind) => {
            let place = value.get("type").map_or(&value.place, |value| &value.place);
            let text = format!("an HTTP API has no integrations of type {kind}: http_proxy and aws_proxy");
            messages.error(place, text);
            return None;
        }
        None => {
            messages.error(&value.place, "the integration has no type");
            return None;
        }
    };
    for member in members {
        let name = &*member.key.name;
        if OF_REST_APIS.contains(&name) {
            messages.warning(&member.key.place, format!("{name} is of REST APIs: it has no effect"));
        } else if !KNOWN.contains(&name) {
            messages.warning(&member.key.place, "unknown key");
        }
    }
    let place_of = |name: &str| value.get(name).map_or(&value.place, |value| &value.place).clone();
    file.set_text("IntegrationType", &*kind, &place_of("type"));
    let subtype = value.get("integrationSubtype");
    let invokes_function = kind == "AWS_PROXY" && subtype.is_none();
    let method = value.get("httpMethod").and_then(|method| messages.text(method));
    let method = match method.map(|method| method.to_ascii_uppercase()) {
        // AWS takes whatever the author wrote, and invokes a function by POST.
        _ if invokes_function => Some("POST".to_owned()),
        Some(method) if method == "X-AMAZON-APIGATEWAY-ANY-METHOD" => Some("ANY".to_owned()),
        None if kind == "HTTP_PROXY" => Some("ANY".to_owned()),
        method => method.filter(|_| subtype.is_none()),
    };
    if let Some(method) = method {
        file.set_text("IntegrationMethod", method, &place_of("httpMethod"));
    }
    let fields: [(&str, &str, Shape); 5] = [
        ("IntegrationUri", "uri", Shape::Text),
        ("IntegrationSubtype", "integrationSubtype", Shape::Text),
        ("ConnectionType", "connectionType", Shape::Text),
        ("ConnectionId", "connectionId", Shape::Text),
        ("CredentialsArn", "credentials", Shape::TextIfKnown),
    ];
    for (field, name, shape) in fields {
        put_member(&mut file, field, value.get(name), shape, messages);
    }
    // What AWS prints wherever nothing else was said.
    if file
        .text_of("ConnectionType")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("INTERNET"))
    {
        file.remove("ConnectionType");
    }
    version(&mut file, value, &kind, messages);
    put_member(
        &mut file,
        "TimeoutInMillis",
        value.get("timeoutInMillis"),
        Shape::Number,
        messages,
    );
    if matches!(file.get("TimeoutInMillis"), Some(Json::Number(number)) if number.to_string() == DEFAULT_TIMEOUT) {
        file.remove("TimeoutInMillis");
    }
    let tls = Shape::Object(&[("ServerNameToVerify", Shape::Text)]);
    put_member(&mut file, "TlsConfig", value.get("tlsConfig"), tls, messages);
    let parameters = Shape::Map(&Shape::Text);
    put_member(
        &mut file,
        "RequestParameters",
        value.get("requestParameters"),
        parameters,
        messages,
    );
    let responses = value.get("responseParameters");
    put_member(
        &mut file,
        "ResponseParameters",
        responses,
        RESPONSE_PARAMETERS_OF_OPENAPI,
        messages,
    );
    for name in ["TlsConfig", "RequestParameters", "ResponseParameters"] {
        if file.get(name).is_some_and(Json::is_empty) {
            file.remove(name);
        }
    }
    Some(file)
}

fn put_member(file: &mut VirtualFile, field: &str, value: Option<&Value>, shape: Shape, messages: &Messages) {
    if let Some(value) = value {
        put(file, field, value, shape, messages);
    }
}

/// `payloadFormatVersion`, which may be written as a number.
fn version(file: &mut VirtualFile, value: &Value, kind: &str, messages: &Messages) {
    let Some(given) = value.get("payloadFormatVersion") else {
        match kind {
            "HTTP_PROXY" => file.set_text("PayloadFormatVersion", "1.0", &value.place),
            // A call of an AWS service has one format only.
            _ if value.get("integrationSubtype").is_some() => {}
            _ => messages.error(
                &value.place,
                "the integration has no payloadFormatVersion: \"1.0\" or \"2.0\"",
            ),
        }
        return;
    };
    if let Some(text) = messages.text(given) {
        let text = version_text(&text);
        file.set_text("PayloadFormatVersion", text, &given.place);
    }
}

/// A version as text: `2` is `2.0`.
pub(super) fn version_text(text: &str) -> &str {
    match text {
        "1" => "1.0",
        "2" => "2.0",
        text => text,
    }
}

/// The extension that invokes a function, as SAM writes it.
pub(in crate::template) fn function_integration(
    uri: Value,
    version: Option<Value>,
    timeout: Option<Value>,
    place: &Place,
) -> Value {
    let mut integration = Value::map(
        place,
        vec![
            ("type", Value::text(place, "aws_proxy")),
            ("httpMethod", Value::text(place, "POST")),
            ("uri", uri),
            (
                "payloadFormatVersion",
                version.unwrap_or_else(|| Value::text(place, "2.0")),
            ),
        ],
    );
    if let Some(timeout) = timeout {
        integration.set("timeoutInMillis", timeout);
    }
    integration
}
