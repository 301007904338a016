//! Stages that serve a deployment: the API's resources as they were then. They are compiled like files, each deployment by
//! itself, with the stages that serve it.

use std::collections::BTreeMap;

use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::deployment::SNAPSHOT;
use crate::definition::problem::{Problem, Problems, Severity, member};
use crate::definition::resource::Resources;
use crate::definition::resource::deployment::Deployment as Resource;
use crate::definition::unit::{API_FILE, File, Unit};
use crate::deployment::Deployment;
use crate::deployment::shared::Shared;

/// The directories of the resources that a deployment holds, beside the names under which it holds them.
const DIRECTORIES: [&str; 3] = ["routes", "integrations", "authorizers"];

/// Checks everything that was read of an API, and compiles it unless something is wrong: the live files, and the
/// deployments that stages serve.
pub(super) fn compile(unit: &Unit, resources: &Resources, shared: &Shared) -> (Option<Deployment>, Problems) {
    let (by_deployment, mut problems) = stages_by_deployment(resources);
    if by_deployment.is_empty() {
        let (deployment, found) = Deployment::compile(resources, shared);
        problems.extend(found);
        return (deployment, problems.sorted());
    }
    problems.extend(resources.problems.clone());
    let mut live = unit.clone();
    for name in by_deployment.values().flatten() {
        live.remove(&stage_path(resources, name));
    }
    let (mut served, found) = Deployment::compile(&Resources::read(&live), shared);
    // The root API has stages, though they are not among the live ones.
    let is_of_stages = |problem: &Problem| {
        problem.severity == Severity::Warning && problem.file == "stages" && problem.pointer.is_empty()
    };
    for problem in found.iter().filter(|problem| !is_of_stages(problem)) {
        problems.add(problem.clone());
    }
    for (id, stages) in &by_deployment {
        let Some(resource) = resources.deployments.get(*id) else {
            continue;
        };
        let snapshot = Snapshot { resources, resource };
        let snapshot_unit = snapshot.unit(unit, stages);
        let (deployment, found) = Deployment::compile_as(&Resources::read(&snapshot_unit), shared, true);
        snapshot.tell(&found, &mut problems);
        served = served
            .zip(deployment)
            .map(|(served, deployment)| served.with_stages_of(deployment));
    }
    let served = served.filter(|_| !problems.has_errors());
    (served, problems.sorted())
}

/// The names of the stages that serve a deployment which is there, by its id; and warnings of others.
fn stages_by_deployment(resources: &Resources) -> (BTreeMap<&str, Vec<&str>>, Problems) {
    let (mut stages, mut problems) = (BTreeMap::<&str, Vec<&str>>::new(), Problems::new());
    for (name, stage) in &resources.stages {
        if stage.is_undeployed() {
            let text = "the stage is not deployed: every request for it is answered 404";
            problems.warning(&stage.file, "/AutoDeploy", text);
        }
        let Some(id) = stage.served_deployment() else { continue };
        if resources.deployments.contains_key(id) {
            stages.entry(id).or_default().push(name);
        } else if !resources.has_file("deployments", id) {
            let text = format!("there is no file deployments/{id}.json: the stage serves the live files");
            problems.warning(&stage.file, "/DeploymentId", text);
        }
    }
    (stages, problems)
}

fn stage_path(resources: &Resources, name: &str) -> String {
    format!("{}stages/{name}.json", resources.prefix)
}

/// The members of a resource, by its id.
type Named = (String, Vec<(String, Json)>);

/// A deployment that stages serve.
struct Snapshot<'a> {
    resources: &'a Resources,
    resource: &'a Resource,
}

impl Snapshot<'_> {
    fn kinds(&self) -> [&[Named]; 3] {
        let Resource {
            routes,
            integrations,
            authorizers,
            ..
        } = self.resource;
        [routes, integrations, authorizers]
    }

    /// The files that the API had then, with those stages as they are now.
    fn unit(&self, live: &Unit, stages: &[&str]) -> Unit {
        let prefix = &self.resources.prefix;
        let mut unit = Unit::empty(live.name.clone());
        let mut api = match live.file(&format!("{prefix}{API_FILE}")).map(|file| &file.text) {
            Some(Ok(text)) => Document::of(text)
                .map(|document| document.members())
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        // The API's id and name are not deployed.
        api.retain(|(name, _)| name == "ApiId" || name == "Name");
        api.extend(self.resource.api.iter().cloned());
        unit.put(File::new(format!("{prefix}{API_FILE}"), Document::write(api)));
        for (directory, resources) in DIRECTORIES.iter().zip(self.kinds()) {
            for (id, members) in resources {
                let text = Document::write(members.clone());
                unit.put(File::new(format!("{prefix}{directory}/{id}.json"), text));
            }
        }
        for name in stages {
            let path = stage_path(self.resources, name);
            if let Some(Ok(text)) = live.file(&path).map(|file| &file.text) {
                unit.put(File::new(path, self.without_later_routes(text)));
            }
        }
        unit
    }

    /// A stage without settings of routes that are not deployed yet.
    fn without_later_routes(&self, stage: &str) -> String {
        let Ok(mut document) = Document::of(stage) else {
            return stage.to_owned();
        };
        let is_deployed = |key: &str| {
            let is_it = |(name, value): &(String, Json)| name == "RouteKey" && *value == Json::String(key.to_owned());
            self.resource
                .routes
                .iter()
                .any(|(_, members)| members.iter().any(is_it))
        };
        if let Some(Json::Object(settings)) = document.get(&["RouteSettings"]) {
            for (key, _) in settings.iter().filter(|(key, _)| !is_deployed(key)) {
                document.remove(&["RouteSettings", key]);
            }
        }
        document.text().to_owned()
    }

    /// Tells what is wrong: with the stages where they are written, and with the others inside the deployment's file.
    /// What was deployed is not warned of.
    fn tell(&self, found: &Problems, problems: &mut Problems) {
        let stages = format!("{}stages/", self.resources.prefix);
        for problem in found {
            if problem.file.starts_with(&stages) {
                problems.add(problem.clone());
            } else if problem.severity == Severity::Error {
                let pointer = self.place_of(&problem.file) + &problem.pointer;
                problems.error(&self.resource.file, pointer, &problem.text);
            }
        }
    }

    /// Where what stood in a file stands in the deployment's.
    fn place_of(&self, file: &str) -> String {
        let below = file.strip_prefix(self.resources.prefix.as_str()).unwrap_or(file);
        let [api, names @ ..] = SNAPSHOT;
        let Some((directory, name)) = below.split_once('/') else {
            return member("", api);
        };
        let id = name.strip_suffix(".json").unwrap_or(name);
        let place = DIRECTORIES.iter().zip(names).find(|(known, _)| **known == directory);
        place.map_or(String::new(), |(_, name)| member(&member("", name), id))
    }
}
