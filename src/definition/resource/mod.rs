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

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::definition::credentials::Credentials;
use crate::definition::json::Json;
use crate::definition::problem::Problems;
use crate::definition::resource::api::Api;
use crate::definition::resource::authorizer::Authorizer;
use crate::definition::resource::fields::Fields;
use crate::definition::resource::function::Function;
use crate::definition::resource::integration::Integration;
use crate::definition::resource::route::Route;
use crate::definition::resource::stage::Stage;

/// The directories of an API, one for each kind of resource.
pub const DIRECTORIES: [&str; 5] = ["stages", "routes", "integrations", "authorizers", FUNCTIONS_DIRECTORY];

/// The directories without which there is no API.
pub const REQUIRED_DIRECTORIES: [&str; 3] = ["stages", "routes", "integrations"];

/// That of them in which code may lie too.
pub const FUNCTIONS_DIRECTORY: &str = "functions";

/// The file that holds secrets.
pub const CREDENTIALS_FILE: &str = "credentials.json";

/// The files at the root that belong to an API.
pub const ROOT_FILES: [&str; 2] = ["api.json", CREDENTIALS_FILE];

/// Everything at the root that holds resources, or may come to: it is no source of a function's.
pub const ROOT_NAMES: [&str; 11] = [
    "api.json",
    CREDENTIALS_FILE,
    "stages",
    "routes",
    "integrations",
    "authorizers",
    FUNCTIONS_DIRECTORY,
    "deployments",
    "apis",
    "domains",
    "vpclinks",
];

/// A file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the root, with `/` between the parts: `routes/pets.json`.
    pub path: String,
    /// Its text, or why that cannot be had.
    pub text: Result<String, String>,
}

/// Secrets do not stay in memory that is given back.
impl Drop for File {
    fn drop(&mut self) {
        if let Ok(text) = &mut self.text
            && self.path == CREDENTIALS_FILE
        {
            text.zeroize();
        }
    }
}

impl File {
    /// The directory, empty for a file at the root.
    fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// The id: the file's name without `.json`.
    fn id(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".json").unwrap_or(name)
    }
}

/// Every resource of an API, by id.
#[derive(Debug, Default)]
pub struct Resources {
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
    /// `functions/<name>.json`.
    pub functions: BTreeMap<String, Function>,
    /// The directory that they are below.
    pub root: PathBuf,
    /// `credentials.json`, without what has an error; none where it has no list.
    pub credentials: Option<Arc<Credentials>>,
    /// What is wrong with the shape of the files.
    pub problems: Problems,
    /// Every file that is there, readable or not.
    paths: BTreeSet<String>,
}

impl Resources {
    /// Reads the files' texts.
    pub fn read(files: &[File]) -> Resources {
        let mut resources = Resources::default();
        let mut by_folded_path: BTreeMap<String, &str> = BTreeMap::new();
        for file in files {
            if let Some(twin) = by_folded_path.insert(file.path.to_lowercase(), &file.path) {
                resources.problems.error(
                    &file.path,
                    "",
                    format!("the name differs from {twin} only by case, which not every file system tells apart"),
                );
            }
            resources.paths.insert(file.path.clone());
            resources.read_file(file);
        }
        resources
    }

    /// Whether a resource has a file, be it one that cannot be read.
    pub fn has_file(&self, directory: &str, id: &str) -> bool {
        self.paths.contains(&format!("{directory}/{id}.json"))
    }

    /// Whether there is a `credentials.json`, be it one that cannot be read.
    pub fn has_credentials(&self) -> bool {
        self.paths.contains(CREDENTIALS_FILE)
    }

    /// Whether there is a file of that kind that could not be read as a resource.
    pub fn has_unread(&self, directory: &str) -> bool {
        let place = format!("{directory}/");
        let count = self.paths.iter().filter(|path| path.starts_with(&place)).count();
        let read = match directory {
            "stages" => self.stages.len(),
            "routes" => self.routes.len(),
            "integrations" => self.integrations.len(),
            "authorizers" => self.authorizers.len(),
            "functions" => self.functions.len(),
            _ => count,
        };
        read < count
    }

    fn read_file(&mut self, file: &File) {
        let text = match &file.text {
            Ok(text) => text,
            Err(reason) => return self.problems.error(&file.path, "", reason),
        };
        // What editors and PowerShell put before UTF-8 (RFC 8259 §8.1).
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut json = match Json::parse(text) {
            Ok(json) => json,
            Err(error) => {
                return self.problems.error(&file.path, "", format!("not JSON: {error}"));
            }
        };
        if let Some((pointer, text)) = several_resources(&json)
            && file.path != CREDENTIALS_FILE
        {
            return self.problems.error(&file.path, pointer, text);
        }
        let id = file.id().to_owned();
        let Some(fields) = Fields::of(&file.path, &json, &mut self.problems) else {
            return;
        };
        let path = file.path.clone();
        match file.directory() {
            "" if file.path == CREDENTIALS_FILE => {
                let list = credentials::read(fields);
                self.credentials = list.is_list.then(|| Arc::new(Credentials::from(list.valid)));
                json.wipe();
            }
            "stages" => drop(self.stages.insert(id, Stage::read(path, fields))),
            "routes" => drop(self.routes.insert(id, Route::read(path, fields))),
            "authorizers" => drop(self.authorizers.insert(id, Authorizer::read(path, fields))),
            "functions" => drop(self.functions.insert(id, Function::read(path, fields))),
            "integrations" => drop(self.integrations.insert(id, Integration::read(path, fields))),
            _ => self.api = Some(Api::read(fields)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_resources_is_known_at_the_root() {
        for name in DIRECTORIES.iter().chain(&ROOT_FILES) {
            assert!(ROOT_NAMES.contains(name), "{name}");
        }
    }
}
