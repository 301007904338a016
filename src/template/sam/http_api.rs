//! `AWS::Serverless::HttpApi`, and the API that SAM makes for events that name none (`R32.5` to `R32.11`).

use std::sync::Arc;

use crate::definition::json::Json;
use crate::template::cloudformation::api::warn_of_others;
use crate::template::cloudformation::sections;
use crate::template::draft::{Draft, is_true};
use crate::template::evaluator::{Evaluator, IMPLICIT_API, Resource};
use crate::template::ids::api_id;
use crate::template::openapi::read::{Settings, read};
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::sam::auth::{self, Auth};
use crate::template::sam::events::Event;
use crate::template::sam::operations;
use crate::template::shape::{STAGE, put_all};
use crate::template::value::{Data, Value};

const CORS: &str = "x-amazon-apigateway-cors";

const CORS_KEYS: [&str; 6] = [
    "AllowMethods",
    "AllowHeaders",
    "AllowOrigins",
    "MaxAge",
    "ExposeHeaders",
    "AllowCredentials",
];

const PROPERTIES: [&str; 17] = [
    "Name",
    "Description",
    "StageName",
    "StageVariables",
    "AccessLogSettings",
    "DefaultRouteSettings",
    "RouteSettings",
    "DefinitionBody",
    "DefinitionUri",
    "CorsConfiguration",
    "Auth",
    "Domain",
    "FailOnWarnings",
    "DisableExecuteApiEndpoint",
    "Tags",
    "PropagateTags",
    "MergeDefinitions",
];

/// What works with an inline definition only.
const WITH_BODY_ONLY: [&str; 6] = [
    "CorsConfiguration",
    "Auth",
    "Tags",
    "Name",
    "Description",
    "DisableExecuteApiEndpoint",
];

/// An API, be it one that no resource defines.
pub(in crate::template) struct Source<'a> {
    evaluator: &'a Evaluator<'a>,
    resource: Option<Resource>,
    place: Place,
}

impl<'a> Source<'a> {
    pub(in crate::template) fn of(evaluator: &'a Evaluator<'a>, resource: Resource) -> Source<'a> {
        Source {
            evaluator,
            place: resource.place.clone(),
            resource: Some(resource),
        }
    }

    /// The API that SAM makes for an event.
    pub(in crate::template) fn implicit(evaluator: &'a Evaluator<'a>, event: &Event) -> Source<'a> {
        Source {
            evaluator,
            place: event.place.clone(),
            resource: None,
        }
    }

    pub(super) fn property(&self, name: &str) -> Value {
        match &self.resource {
            Some(resource) => self.evaluator.property_with_globals(resource, name),
            None => self
                .evaluator
                .property_of_implicit_api(name, Value::absent(&self.place)),
        }
    }

    pub(super) fn id(&self) -> Arc<str> {
        self.resource
            .as_ref()
            .map_or_else(|| IMPLICIT_API.into(), |resource| Arc::clone(&resource.id))
    }

    /// The API with the routes of its events.
    pub(in crate::template) fn read(&self, events: &[&Event]) -> Draft {
        let (evaluator, messages) = (self.evaluator, self.evaluator.messages);
        if let Some(resource) = &self.resource {
            sections::open(evaluator, resource);
            warn_of_others(evaluator, resource, &[], &PROPERTIES);
        }
        let id = self.id();
        let mut draft = Draft::new(&id, &api_id(&id), &self.place);
        let auth_value = self.property("Auth");
        let auth = auth::read(evaluator, &auth_value);
        if let Some(document) = self.document(events, &auth) {
            let fail = self.property("FailOnWarnings");
            let settings = Settings {
                environment: &evaluator.environment,
                base_path: evaluator.options.base_path,
                fail_on_warnings: match fail.is_absent() {
                    true => evaluator.options.fail_on_warnings,
                    false => is_true(&fail, messages),
                },
            };
            draft.take(read(&document, &settings, messages), messages);
        }
        let disabled = self.property("DisableExecuteApiEndpoint");
        if !disabled.is_absent() && is_true(&disabled, messages) {
            draft
                .api_file
                .set("DisableExecuteApiEndpoint", Json::Bool(true), &disabled.place);
        }
        self.add_stage(&mut draft, events);
        draft
    }

    /// The OpenAPI document that the API is described by; none where there is none, which is told.
    fn document(&self, events: &[&Event], auth: &Auth) -> Option<Value> {
        let messages = self.evaluator.messages;
        let (body, uri) = (self.property("DefinitionBody"), self.property("DefinitionUri"));
        if !uri.is_absent() {
            if !body.is_absent() {
                messages.error(&uri.place, "an API has either a DefinitionBody or a DefinitionUri");
                return None;
            }
            return self.included(&uri);
        }
        let is_managed = body.is_absent();
        let mut document = match is_managed {
            true => self.skeleton(),
            false => body,
        };
        if let Data::Unresolved(why) = &document.data {
            messages.error(&document.place, &**why);
            return None;
        }
        let is_3 = document
            .get("openapi")
            .and_then(Value::peek)
            .is_some_and(|version| version.starts_with("3."));
        if !is_3 || !document.get("paths").is_some_and(Value::is_map) {
            let text = "DefinitionBody is no OpenAPI document: it wants openapi 3.x and a mapping paths";
            messages.error(&document.place, text);
            return None;
        }
        if let Some(tags) = document.get("tags")
            && !matches!(tags.data, Data::List(_))
        {
            messages.error(&tags.place, "tags of an OpenAPI document are a list");
        }
        for event in events {
            operations::add(&mut document, event, is_managed, auth, messages);
        }
        operations::check(&document, messages);
        operations::add_schemes(&mut document, auth);
        if let Some(requirement) = auth.default_requirement() {
            operations::guard(&mut document, &requirement, messages);
        }
        self.add_info(&mut document, is_managed);
        self.add_cors(&mut document);
        Some(document)
    }

    fn skeleton(&self) -> Value {
        let place = &self.place;
        let info = Value::map(
            place,
            vec![
                ("version", Value::text(place, "1.0")),
                (
                    "title",
                    Value::text(place, self.evaluator.environment.stack_name.as_str()),
                ),
            ],
        );
        Value::map(
            place,
            vec![
                ("openapi", Value::text(place, "3.0.1")),
                ("info", info),
                ("paths", Value::map(place, Vec::new())),
            ],
        )
    }

    /// The document of `DefinitionUri`, which is uploaded as it is: it holds no expressions.
    fn included(&self, uri: &Value) -> Option<Value> {
        let (evaluator, messages) = (self.evaluator, self.evaluator.messages);
        for name in WITH_BODY_ONLY {
            let value = self.property(name);
            if !value.is_absent() {
                messages.error(&value.place, format!("{name} works with a DefinitionBody only"));
            }
        }
        let location = match &uri.data {
            Data::Map(_) => {
                messages.error(&uri.place, "a definition in S3 is not read: name a local file");
                return None;
            }
            _ => messages.text(uri)?,
        };
        if location.contains("://") {
            messages.error(&uri.place, format!("{location} is not read: name a local file"));
            return None;
        }
        match evaluator.documents.read(&evaluator.folder.join(&location), &location) {
            Ok(document) => Some(Value::of(&document)),
            Err((place, text)) => {
                messages.error(&place, text);
                None
            }
        }
    }

    fn add_info(&self, document: &mut Value, is_managed: bool) {
        let messages = self.evaluator.messages;
        for (property, name) in [("Name", "title"), ("Description", "description")] {
            let value = self.property(property);
            if value.is_absent() {
                continue;
            }
            let known = document.get("info").and_then(|info| info.get(name));
            if let Some(known) = known.filter(|_| !is_managed) {
                let text = format!(
                    "the DefinitionBody has info.{name} at {} already",
                    known.place.position()
                );
                messages.error(&value.place, text);
                continue;
            }
            if document.get("info").is_none() {
                document.set("info", Value::map(&value.place, Vec::new()));
            }
            if let Some(info) = document.get_mut("info") {
                info.set(name, value);
            }
        }
    }

    /// Lays `CorsConfiguration` over what the document says, key by key (`R32.7`).
    fn add_cors(&self, document: &mut Value) {
        let messages = self.evaluator.messages;
        let value = self.property("CorsConfiguration");
        let place = &value.place;
        let mut keys: Vec<(String, Value)> = Vec::new();
        match &value.data {
            Data::Absent => return,
            Data::Scalar(_) => {
                if !is_true(&value, messages) {
                    return;
                }
                let any = Value::list(place, vec![Value::text(place, "*")]);
                keys.push(("AllowOrigins".to_owned(), any));
            }
            _ => {
                for member in messages.members(&value).unwrap_or_default() {
                    match CORS_KEYS.contains(&&*member.key.name) {
                        true => keys.push((member.key.name.to_string(), member.value.clone())),
                        false => {
                            let text = format!("CorsConfiguration has no property {:?}", member.key.name);
                            messages.error(&member.key.place, text);
                        }
                    }
                }
            }
        }
        let of = |wanted: &str| keys.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let allows_all = of("AllowOrigins").is_some_and(|origins| match &origins.data {
            Data::List(items) => items.iter().any(|item| item.peek() == Some("*")),
            _ => origins.peek() == Some("*"),
        });
        if let Some(credentials) = of("AllowCredentials")
            && allows_all
            && is_true(credentials, messages)
        {
            messages.error(
                &credentials.place,
                "AllowCredentials cannot be true where AllowOrigins is \"*\"",
            );
        }
        if document.get(CORS).is_none() {
            document.set(CORS, Value::map(place, Vec::new()));
        }
        let Some(cors) = document.get_mut(CORS) else { return };
        for (name, value) in keys {
            let small = name.chars().take(1).map(|first| first.to_ascii_lowercase());
            let small: String = small.chain(name.chars().skip(1)).collect();
            cors.set(&small, value);
        }
    }

    /// The stage that SAM makes for each API (`R32.6`).
    fn add_stage(&self, draft: &mut Draft, events: &[&Event]) {
        let messages = self.evaluator.messages;
        let name = self.property("StageName");
        let text = match name.is_absent() {
            true => Some("$default".to_owned()),
            false => messages.text(&name),
        };
        let Some(text) = text else { return };
        let mut fields = VirtualFile::new("", &self.place);
        let mut settings = self.property("RouteSettings");
        for event in events {
            let Some(own) = &event.route_settings else { continue };
            if settings.is_absent() {
                settings = Value::map(&own.place, Vec::new());
            }
            let key = event.route_key();
            match settings.get_mut(&key) {
                Some(known) => own
                    .members()
                    .iter()
                    .for_each(|member| known.set(&member.key.name, member.value.clone())),
                None => settings.set(&key, own.clone()),
            }
        }
        let property = |name: &str| match name {
            "RouteSettings" => settings.clone(),
            "StageVariables" | "AccessLogSettings" | "DefaultRouteSettings" => self.property(name),
            _ => Value::absent(&self.place),
        };
        put_all(&mut fields, STAGE, property, messages);
        draft.add_stage(&text, &self.place, fields, messages);
    }
}
