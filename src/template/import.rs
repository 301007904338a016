//! Writes what a document means as the files that a person would write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::definition::json::Json;
use crate::definition::store::Store;
use crate::platform::files;
use crate::template::message::{Level, Message};
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::reading::Reading;

/// Directories whose files are all of one API, so that an import replaces them as a whole.
const REPLACED: [&str; 3] = ["routes", "integrations", "authorizers"];

/// Most bytes of a file that is compared with what is to be written.
const MAX_LENGTH: u64 = 1024 * 1024;

/// What an import is to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// Files by their paths below the directory, and what they are to hold. What is there already is left out.
    pub writes: BTreeMap<String, String>,
    /// Files that are to go.
    pub removes: BTreeSet<String>,
    /// What is told besides.
    pub notes: Vec<Message>,
}

/// Plans an import into a directory.
///
/// # Errors
/// A sentence: the directory has that API already, and it is not to be replaced.
pub fn plan(reading: &Reading, root: &Path, under: Option<&str>, replace: bool) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let mut prefixes: Vec<String> = reading.apis.iter().map(|api| reading.prefix(api, under)).collect();
    let moved = moved_from_root(reading, root, &prefixes);
    prefixes.extend(moved.clone());
    for prefix in &prefixes {
        let existing: Vec<String> = REPLACED
            .iter()
            .flat_map(|kind| json_files(root, &format!("{prefix}{kind}")))
            .collect();
        if existing.is_empty() && moved.as_ref() != Some(prefix) {
            continue;
        }
        if !replace {
            return Err(format!("{} has an API already; --replace replaces it", root.display()));
        }
        plan.removes.extend(existing);
    }
    if let Some(prefix) = moved {
        // The API is one of several now, and has its files below apis/.
        plan.removes.extend(json_files(root, &format!("{prefix}stages")));
        plan.removes.insert(format!("{prefix}api.json"));
    }
    let mut files = reading.files(under);
    if let Some(id) = under {
        rename(&mut files, reading, id);
    }
    for mut file in files {
        prepare(&mut file, reading, root, under, &mut plan);
    }
    for code in &reading.inline {
        let path = format!("functions/{}/{}", code.function, code.file);
        plan.writes.insert(path, code.text.clone());
    }
    let paths: Vec<String> = plan.writes.keys().cloned().collect();
    for path in paths {
        plan.removes.remove(&path);
        let known = files::read_at_most(&root.join(&path), MAX_LENGTH).unwrap_or_default();
        if plan.writes.get(&path).is_some_and(|text| text.as_bytes() == known) {
            plan.writes.remove(&path);
        }
    }
    Ok(plan)
}

/// Gives an API of an OpenAPI document the stages that the directory has for it, since the document says nothing of any.
pub(super) fn take_stages(reading: &mut Reading, root: &Path, under: Option<&str>) {
    let Some(api) = reading.apis.first() else { return };
    let prefix = reading.prefix(api, under);
    let mut stages = Vec::new();
    for path in json_files(root, &format!("{prefix}stages")) {
        let Some(Json::Object(fields)) = read_json(&root.join(&path)) else {
            continue;
        };
        let shown = root.join(&path).to_string_lossy().into_owned();
        let mut file = VirtualFile::new(path.strip_prefix(&prefix).unwrap_or(&path), &Place::file(&shown));
        file.fields = fields;
        stages.push(file);
    }
    if stages.is_empty() {
        return;
    }
    if let Some(api) = reading.apis.first_mut() {
        api.files.retain(|file| !file.path.starts_with("stages/"));
        api.files.extend(stages);
    }
    reading
        .messages
        .retain(|message| !message.text.starts_with("no stage is made"));
}

/// The API of the root, where it is one of several that lie below `apis/` from now on.
fn moved_from_root(reading: &Reading, root: &Path, prefixes: &[String]) -> Option<String> {
    if prefixes.iter().any(String::is_empty) {
        return None;
    }
    let api = read_json(&root.join("api.json"))?;
    let id = text_of(&api, "ApiId")?;
    reading.apis.iter().any(|api| api.id == id).then(String::new)
}

/// Gives the only API another id.
fn rename(files: &mut [VirtualFile], reading: &Reading, id: &str) {
    let Some(api) = reading.apis.first() else { return };
    for file in files {
        let place = file.place.clone();
        if file.path.ends_with("/api.json") {
            file.set_text("ApiId", id, &place);
            file.order(&["ApiId"]);
        }
        if file.path.starts_with("domains/")
            && let Some(Json::Array(mappings)) = file.get("ApiMappings").cloned()
        {
            let renamed = mappings.into_iter().map(|mapping| match mapping {
                Json::Object(fields) => Json::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| match (name.as_str(), &value) {
                            ("ApiId", Json::String(text)) if *text == api.id => (name, Json::String(id.to_owned())),
                            _ => (name, value),
                        })
                        .collect(),
                ),
                other => other,
            });
            file.set("ApiMappings", Json::Array(renamed.collect()), &place);
        }
    }
}

/// Adds a file to a plan, with paths relative to the directory.
fn prepare(file: &mut VirtualFile, reading: &Reading, root: &Path, under: Option<&str>, plan: &mut Plan) {
    let at = root.join(&file.path);
    let is_function = file.path.starts_with("functions/");
    if is_function {
        if let Some(known) = read_json(&at)
            && let Some(form) = ["InvokeUri", "Command"].into_iter().find(|name| has(&known, name))
        {
            let text = format!("{} is kept, since it has {form}", file.path);
            plan.notes.push(Message {
                place: file.place.clone(),
                level: Level::Note,
                text,
            });
            return;
        }
        relative_paths(file, root);
    }
    if reading.is_openapi {
        // A document says nothing of stages, so those that are there stay; and the id of the API stays.
        let is_stage = file.path.rsplit('/').nth(1) == Some("stages");
        let prefix = file.path.split("stages/").next().unwrap_or_default();
        if is_stage && !json_files(root, &format!("{prefix}stages")).is_empty() {
            return;
        }
        if file.path.ends_with("api.json")
            && under.is_none()
            && let Some(known) = read_json(&at)
            && let Some(id) = text_of(&known, "ApiId")
        {
            let place = file.place.clone();
            file.set_text("ApiId", id, &place);
            file.order(&["ApiId"]);
        }
    }
    plan.writes.insert(file.path.clone(), file.text());
}

/// Code stays where it is; the file names it from the directory.
fn relative_paths(file: &mut VirtualFile, root: &Path) {
    let name = file.id().to_owned();
    if let Some(directory) = file.text_of("WorkingDirectory").map(str::to_owned) {
        let place = file.origin("/WorkingDirectory").clone();
        let directory = match directory.is_empty() {
            true => format!("functions/{name}"),
            false => relative(Path::new(&directory), root),
        };
        file.set_text("WorkingDirectory", directory, &place);
    }
    if let Some(Json::Array(layers)) = file.get("Layers").cloned() {
        let place = file.origin("/Layers").clone();
        let relative = layers.into_iter().map(|layer| match layer {
            Json::String(layer) => Json::String(relative(Path::new(&layer), root)),
            other => other,
        });
        let relative = relative.collect();
        file.set("Layers", Json::Array(relative), &place);
    }
}

/// An absolute path as one from a directory.
fn relative(path: &Path, directory: &Path) -> String {
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let directory: PathBuf = directory
        .components()
        .filter(|part| *part != Component::CurDir)
        .collect();
    let (mut ours, mut theirs) = (directory.components().peekable(), path.components().peekable());
    while let (Some(one), Some(other)) = (ours.peek(), theirs.peek())
        && one == other
    {
        ours.next();
        theirs.next();
    }
    let up = ours.map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(theirs).collect();
    match relative.as_os_str().is_empty() {
        true => ".".to_owned(),
        false => relative.to_string_lossy().into_owned(),
    }
}

/// The JSON files of a directory, by their paths below the root.
fn json_files(root: &Path, directory: &str) -> Vec<String> {
    let names = Store::at(root).names_in(directory).into_iter();
    names
        .filter(|name| name.ends_with(".json"))
        .map(|name| format!("{directory}/{name}"))
        .collect()
}

fn read_json(path: &Path) -> Option<Json> {
    let bytes = files::read_at_most(path, MAX_LENGTH).ok()?;
    Json::parse(&String::from_utf8(bytes).ok()?).ok()
}

fn text_of<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    let Json::Object(members) = json else { return None };
    members.iter().find_map(|(known, value)| match value {
        Json::String(text) if known == name => Some(text.as_str()),
        _ => None,
    })
}

fn has(json: &Json, name: &str) -> bool {
    matches!(json, Json::Object(members) if members.iter().any(|(known, value)| known == name && *value != Json::Null))
}

impl Plan {
    /// What becomes of each file, by its path: its text, or nothing where it goes. Those come first that others name.
    pub fn steps(&self) -> Vec<(&str, Option<&str>)> {
        let order = |path: &str| {
            let kinds = [
                "functions",
                "authorizers",
                "integrations",
                "routes",
                "api.json",
                "stages",
            ];
            let parts: Vec<&str> = path.split('/').collect();
            kinds
                .iter()
                .position(|kind| parts.contains(kind))
                .unwrap_or(kinds.len())
        };
        let mut writes: Vec<(&str, Option<&str>)> = Vec::new();
        writes.extend(
            self.writes
                .iter()
                .map(|(path, text)| (path.as_str(), Some(text.as_str()))),
        );
        writes.sort_by_key(|(path, _)| order(path));
        let mut removes: Vec<&str> = self.removes.iter().map(String::as_str).collect();
        removes.sort_by_key(|path| std::cmp::Reverse(order(path)));
        writes
            .into_iter()
            .chain(removes.into_iter().map(|path| (path, None)))
            .collect()
    }

    /// A line for each file, sorted by path, and their numbers.
    pub fn report(&self) -> String {
        let writes = self.writes.keys().map(|path| (path, "wrote"));
        let mut lines: Vec<(&String, &str)> = writes
            .chain(self.removes.iter().map(|path| (path, "removed")))
            .collect();
        lines.sort();
        let lines: String = lines
            .into_iter()
            .map(|(path, done)| format!("{done} {path}\n"))
            .collect();
        format!(
            "{lines}{} files written, {} removed\n",
            self.writes.len(),
            self.removes.len()
        )
    }
}
