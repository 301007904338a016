//! An API while its parts are being gathered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::definition::json::Json;
use crate::template::message::Messages;
use crate::template::openapi::read::Document;
use crate::template::output::{Api, VirtualFile};
use crate::template::place::Place;
use crate::template::shape::{CORS_WITH_COMMAS, Shape, order_of, put};
use crate::template::value::Value;

/// An API, and what decides its files besides them.
pub(super) struct Draft {
    pub(super) logical_id: Arc<str>,
    pub(super) id: String,
    pub(super) place: Place,
    /// `api.json`.
    pub(super) api_file: VirtualFile,
    pub(super) files: Vec<VirtualFile>,
    /// Where each of them is, by its path in small letters.
    by_path: HashMap<String, usize>,
    /// What quick create has made.
    pub(super) quick_create: Option<QuickCreate>,
}

/// Paths of what quick create makes besides the stage (`R31.17`).
#[derive(Clone)]
pub(super) struct QuickCreate {
    pub(super) route: String,
    pub(super) integration: String,
}

impl Draft {
    /// An API with nothing but its `api.json`.
    pub(super) fn new(logical_id: &Arc<str>, id: &str, place: &Place) -> Draft {
        let mut file = VirtualFile::new("api.json", place);
        file.set_text("ApiId", id, place);
        Draft {
            logical_id: Arc::clone(logical_id),
            id: id.to_owned(),
            place: place.clone(),
            api_file: file,
            files: Vec::new(),
            by_path: HashMap::new(),
            quick_create: None,
        }
    }

    /// A file of the API.
    pub(super) fn file(&mut self, path: &str) -> Option<&mut VirtualFile> {
        self.files.iter_mut().find(|file| file.path == path)
    }

    /// The names of its stages.
    pub(super) fn stages(&self) -> Vec<String> {
        let stages = self.files.iter().filter(|file| file.path.starts_with("stages/"));
        stages.map(|file| file.id().to_owned()).collect()
    }

    /// Adds a file; one that is there already is an error.
    pub(super) fn add(&mut self, file: VirtualFile, messages: &Messages) {
        let twin = self
            .by_path
            .get(&file.path.to_ascii_lowercase())
            .and_then(|at| self.files.get(*at));
        if let Some(twin) = twin {
            let text = format!("it has the same id as what stands at {}", twin.place.position());
            return messages.error(&file.place, text);
        }
        self.by_path.insert(file.path.to_ascii_lowercase(), self.files.len());
        self.files.push(file);
    }

    /// Takes over what an OpenAPI document says. What `api.json` says already holds.
    pub(super) fn take(&mut self, document: Document, messages: &Messages) {
        let fields = [
            ("Name", document.title, Shape::TextIfKnown),
            ("Version", document.version, Shape::TextIfKnown),
            ("Description", document.description, Shape::TextIfKnown),
            ("CorsConfiguration", document.cors, CORS_WITH_COMMAS),
        ];
        let file = &mut self.api_file;
        for (name, value, shape) in fields {
            let Some(value) = value else { continue };
            let mut given = VirtualFile::new("api.json", &value.place);
            put(&mut given, name, &value, shape, messages);
            match (file.get(name).cloned(), given.get(name)) {
                (_, None) => {}
                (None, Some(json)) => {
                    file.set(name, json.clone(), &value.place);
                    file.origins.extend(given.origins);
                }
                (Some(before), Some(json)) if before != *json => {
                    messages.warning(&value.place, format!("the property {name} of the API holds instead"));
                }
                (Some(_), Some(_)) => {}
            }
        }
        if let Some((is_disabled, place)) = document.disabled_endpoint
            && file.get("DisableExecuteApiEndpoint").is_none()
        {
            file.set("DisableExecuteApiEndpoint", Json::Bool(is_disabled), &place);
        }
        for file in document.files {
            self.add(file, messages);
        }
    }

    /// Adds a stage that serves what is there.
    pub(super) fn add_stage(&mut self, name: &str, place: &Place, fields: VirtualFile, messages: &Messages) {
        let mut file = VirtualFile::new(format!("stages/{name}.json"), place);
        file.set_text("StageName", name, place);
        file.set("AutoDeploy", Json::Bool(true), place);
        for (name, value) in fields.fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            file.set(&name, value, place);
        }
        file.origins.extend(fields.origins);
        self.add(file, messages);
    }

    /// The finished API: a name, and its fields in order.
    pub(super) fn finish(self) -> Api {
        let Draft {
            id,
            place,
            api_file: mut file,
            mut files,
            ..
        } = self;
        if file.get("Name").is_none() {
            file.set_text("Name", id.clone(), &place);
        }
        if let Some(Json::Object(cors)) = file.get("CorsConfiguration").cloned() {
            let place = file.origin("/CorsConfiguration").clone();
            let says = cors.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            file.set("CorsConfiguration", Json::Object(says), &place);
        }
        for name in ["CorsConfiguration", "Description", "Version"] {
            if file.get(name).is_some_and(Json::is_empty) {
                file.remove(name);
            }
        }
        if file.get("DisableExecuteApiEndpoint") == Some(&Json::Bool(false)) {
            file.remove("DisableExecuteApiEndpoint");
        }
        files.insert(0, file);
        for file in &mut files {
            let order = order_of(&file.path);
            file.order(order);
        }
        Api { id, place, files }
    }
}

/// What CloudFormation lists as sources and destinations, as mappings by destination.
pub(super) fn response_parameters(file: &mut VirtualFile) {
    let Some(Json::Object(statuses)) = file.get("ResponseParameters").cloned() else {
        return;
    };
    let place = file.origin("/ResponseParameters").clone();
    let mut origins = BTreeMap::new();
    let mut mapped = Vec::new();
    for (status, value) in statuses {
        let mut mappings: Vec<(String, Json)> = Vec::new();
        let list = match &value {
            Json::Object(members) => members.iter().find_map(|(name, list)| match list {
                Json::Array(items) if name == "ResponseParameters" => Some(items),
                _ => None,
            }),
            _ => None,
        };
        for (at, item) in list.into_iter().flatten().enumerate() {
            let text = |wanted: &str| match item {
                Json::Object(members) => members
                    .iter()
                    .find(|(name, _)| name == wanted)
                    .map(|(_, value)| value.clone()),
                _ => None,
            };
            let (Some(Json::String(destination)), Some(source)) = (text("Destination"), text("Source")) else {
                // Left as it is, so that the check of the file tells what is missing.
                return;
            };
            let from = format!("/ResponseParameters/{status}/ResponseParameters/{at}");
            let to = crate::definition::problem::member(&format!("/ResponseParameters/{status}"), &destination);
            origins.insert(to, file.origin(&from).clone());
            mappings.push((destination, source));
        }
        mapped.push((status, Json::Object(mappings)));
    }
    file.set("ResponseParameters", Json::Object(mapped), &place);
    file.origins.extend(origins);
}

/// Whether a value says yes; what is wrong with it is told.
pub(super) fn is_true(value: &Value, messages: &Messages) -> bool {
    messages.boolean(value).unwrap_or_default()
}
