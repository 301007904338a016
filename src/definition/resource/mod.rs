//! What the JSON files say: field for field AWS's resources, strings as written, nothing decided yet.
//!
//! Only shapes are checked here (a string is a string, a field exists); what the values mean is the
//! business of the deployment that is compiled from them.

pub mod fields;
pub mod api;
pub mod stage;
pub mod route;
pub mod integration;
pub mod function;
pub mod authorizer;
pub mod credentials;
pub mod domain;
pub mod vpc_link;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::credentials::Credentials;
use crate::definition::json::Json;
use crate::definition::problem::Problems;
use crate::definition::resource::api::Api;
use crate::definition::resource::authorizer::Authorizer;
use crate::definition::resource::domain::Domain;
use crate::definition::resource::fields::Fields;
use crate::definition::resource::function::Function;
use crate::definition::resource::integration::Integration;
use crate::definition::resource::route::Route;
use crate::definition::resource::stage::Stage;
use crate::definition::resource::vpc_link::VpcLink;
use crate::definition::unit::{API_FILE, CREDENTIALS_FILE, File, Unit, UnitName};

/// Every resource of one API, by id.
#[derive(Debug)]
pub struct Resources {
    /// Which API it is.
    pub unit: UnitName,
    /// What the paths of its files begin with; empty for the root API.
    pub prefix: String,
    /// `api.json`.
    pub api: Option<Api>,
    /// `stages/<name>.json`.
    pub stages: BTreeMap<String, Stage>,
    /// `routes/<id>.json`.
    pub routes: BTreeMap<String, Route>,
    /// `integrations/<id>.json`.
    pub integrations: BTreeMap<String, Integration>,
    /// `authorizers/<id>.json`.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// What is wrong with the shape of the files.
    pub problems: Problems,
    /// Every file that is there, readable or not.
    paths: BTreeSet<String>,
}

impl Resources {
    /// Reads the files of an API.
    pub fn read(unit: &Unit) -> Resources {
        let mut resources = Resources {
            unit: unit.name.clone(),
            prefix: unit.name.prefix(),
            api: None,
            stages: BTreeMap::new(),
            routes: BTreeMap::new(),
            integrations: BTreeMap::new(),
            authorizers: BTreeMap::new(),
            problems: unit.problems.clone(),
            paths: paths(unit),
        };
        refuse_twins(unit, &mut resources.problems);
        for file in &unit.files {
            resources.read_file(file);
        }
        resources
    }

    /// The path of `api.json` below the root.
    pub fn api_file(&self) -> String {
        format!("{}{API_FILE}", self.prefix)
    }

    /// Whether a resource has a file, be it one that cannot be read.
    pub fn has_file(&self, directory: &str, id: &str) -> bool {
        self.paths.contains(&format!("{}{directory}/{id}.json", self.prefix))
    }

    /// Whether there is a file of that kind that could not be read as a resource.
    pub fn has_unread(&self, directory: &str) -> bool {
        let place = format!("{}{directory}/", self.prefix);
        let count = self.paths.iter().filter(|path| path.starts_with(&place)).count();
        let read = match directory {
            "stages" => self.stages.len(),
            "routes" => self.routes.len(),
            "integrations" => self.integrations.len(),
            "authorizers" => self.authorizers.len(),
            _ => count,
        };
        read < count
    }

    fn read_file(&mut self, file: &File) {
        let Some(json) = parse(file, &mut self.problems) else {
            return;
        };
        let (id, path) = (file.id().to_owned(), file.path.clone());
        let Some(fields) = fields(file, &json, &mut self.problems) else {
            return;
        };
        match file.directory(&self.prefix) {
            "stages" => drop(self.stages.insert(id, Stage::read(path, fields))),
            "routes" => drop(self.routes.insert(id, Route::read(path, fields))),
            "authorizers" => drop(self.authorizers.insert(id, Authorizer::read(path, fields))),
            "integrations" => drop(self.integrations.insert(id, Integration::read(path, fields))),
            _ => self.api = Some(Api::read(fields)),
        }
    }
}

/// What all APIs share, by name.
#[derive(Debug, Default)]
pub struct SharedResources {
    /// The root, below which functions find their programs.
    pub root: PathBuf,
    /// `functions/<name>.json`.
    pub functions: BTreeMap<String, Function>,
    /// `vpclinks/<id>.json`.
    pub vpc_links: BTreeMap<String, VpcLink>,
    /// `credentials.json`, without what has an error; none where it has no list.
    pub credentials: Option<Arc<Credentials>>,
    /// What is wrong with the shape of the files.
    pub problems: Problems,
    /// Every file that is there, readable or not.
    paths: BTreeSet<String>,
}

impl SharedResources {
    /// Reads the files of the unit, which stand below that root.
    pub fn read(root: &Path, unit: &Unit) -> SharedResources {
        let mut resources = SharedResources {
            root: root.to_owned(),
            problems: unit.problems.clone(),
            paths: paths(unit),
            ..SharedResources::default()
        };
        refuse_twins(unit, &mut resources.problems);
        for file in &unit.files {
            resources.read_file(file);
        }
        resources
    }

    /// Whether a function has a file, be it one that cannot be read.
    pub fn has_function(&self, name: &str) -> bool {
        self.paths.contains(&format!("functions/{name}.json"))
    }

    /// Whether there is a `credentials.json`, be it one that cannot be read.
    pub fn has_credentials(&self) -> bool {
        self.paths.contains(CREDENTIALS_FILE)
    }

    fn read_file(&mut self, file: &File) {
        let Some(mut json) = parse(file, &mut self.problems) else {
            return;
        };
        let (id, path) = (file.id().to_owned(), file.path.clone());
        if let Some(fields) = fields(file, &json, &mut self.problems) {
            match file.directory("") {
                "functions" => drop(self.functions.insert(id, Function::read(path, fields))),
                "vpclinks" => drop(self.vpc_links.insert(id, VpcLink::read(path, fields))),
                _ => {
                    let list = credentials::read(fields);
                    self.credentials = list.is_list.then(|| Arc::new(Credentials::from(list.valid)));
                }
            }
        }
        if file.path == CREDENTIALS_FILE {
            json.wipe();
        }
    }
}

/// Reads the file of a domain; the problems come with it.
pub fn read_domain(unit: &Unit) -> (Option<Domain>, Problems) {
    let mut problems = unit.problems.clone();
    let mut domain = None;
    for file in &unit.files {
        let Some(json) = parse(file, &mut problems) else {
            continue;
        };
        domain = fields(file, &json, &mut problems).map(|fields| Domain::read(file.path.clone(), fields));
    }
    (domain, problems)
}

fn paths(unit: &Unit) -> BTreeSet<String> {
    unit.files.iter().map(|file| file.path.clone()).collect()
}

/// Refuses names that differ only by case.
fn refuse_twins(unit: &Unit, problems: &mut Problems) {
    let mut by_folded_path: BTreeMap<String, &str> = BTreeMap::new();
    for file in &unit.files {
        if let Some(twin) = by_folded_path.insert(file.path.to_lowercase(), &file.path) {
            let text = format!("the name differs from {twin} only by case, which not every file system tells apart");
            problems.error(&file.path, "", text);
        }
    }
}

/// The JSON of a file; none where it is not readable, which is noted.
fn parse(file: &File, problems: &mut Problems) -> Option<Json> {
    let text = match &file.text {
        Ok(text) => text,
        Err(reason) => {
            problems.error(&file.path, "", reason);
            return None;
        }
    };
    // What editors and PowerShell put before UTF-8 (RFC 8259 §8.1).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Json::parse(text)
        .map_err(|error| problems.error(&file.path, "", format!("not JSON: {error}")))
        .ok()
}

/// The members of a file, which holds one resource.
fn fields<'a>(file: &'a File, json: &'a Json, problems: &'a mut Problems) -> Option<Fields<'a>> {
    if file.path != CREDENTIALS_FILE
        && let Some((pointer, text)) = several_resources(json)
    {
        problems.error(&file.path, pointer, text);
        return None;
    }
    Fields::of(&file.path, json, problems)
}

/// Where a file shows that it is no resource, but what people take resources from, and what is to be done about it.
fn several_resources(json: &Json) -> Option<(&'static str, &'static str)> {
    let Json::Object(members) = json else {
        let is_list = matches!(json, Json::Array(items) if !items.is_empty());
        return is_list.then_some(("", "must be a JSON object, not a list: one file each"));
    };
    let value = |name: &str| {
        let found = members.iter().find(|(member, _)| member == name);
        found.map(|(_, value)| value)
    };
    let is_of_aws = |json: &Json| matches!(json, Json::String(kind) if kind.starts_with("AWS::"));
    let has_type_of_aws = |json: &Json| match json {
        Json::Object(members) => members.iter().any(|(name, value)| name == "Type" && is_of_aws(value)),
        _ => false,
    };
    for (name, pointer) in [("Items", "/Items"), ("Functions", "/Functions")] {
        if matches!(value(name), Some(Json::Array(_))) {
            return Some((pointer, "this is a list as the CLI prints it: one file each"));
        }
    }
    if has_type_of_aws(json) && value("Properties").is_some() {
        let text = "this is a resource of a CloudFormation template: the file has what stands in Properties";
        return Some(("/Properties", text));
    }
    match value("Resources") {
        Some(Json::Object(resources)) if resources.iter().any(|(_, resource)| has_type_of_aws(resource)) => {
            let text = "this is a CloudFormation template: one file for what stands in the Properties of each";
            Some(("/Resources", text))
        }
        _ => None,
    }
}
