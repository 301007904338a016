//! Where the code of functions and layers lies (`R33.1`, `R33.2`): beside the template, in it, or among a CDK's assets.

use std::path::{Path, PathBuf};

use crate::template::evaluator::{Evaluator, Resource};
use crate::template::place::Place;
use crate::template::value::{Data, Value};

/// Where code is.
pub(super) enum Code {
    /// A folder, absolute.
    Folder(PathBuf, Place),
    /// A text of the template.
    Inline(String, Place),
    /// Not on this machine, or not unpacked: why.
    Elsewhere(String, Place),
}

/// The code of a function.
pub(super) fn of_function(evaluator: &Evaluator<'_>, function: &Resource) -> Option<Code> {
    let place = &function.place;
    let is_sam = function.kind == "AWS::Serverless::Function";
    let property = |name: &str| evaluator.property_with_globals(function, name);
    let package = property("PackageType");
    let image = property("ImageUri");
    if package.peek() == Some("Image") || !image.is_absent() {
        let place = if image.is_absent() { package.place } else { image.place };
        return Some(Code::Elsewhere("its code is a container image".to_owned(), place));
    }
    if is_sam {
        let inline = property("InlineCode");
        if !inline.is_absent() {
            let text = evaluator.messages.text(&inline)?;
            return Some(Code::Inline(text, inline.place));
        }
    }
    let code = property(if is_sam { "CodeUri" } else { "Code" });
    located(evaluator, function, &code, if is_sam { Some(".") } else { None }, place)
}

/// The folder of a layer.
pub(super) fn of_layer(evaluator: &Evaluator<'_>, layer: &Resource) -> Option<Code> {
    let property = match layer.kind.as_str() {
        "AWS::Serverless::LayerVersion" => "ContentUri",
        _ => "Content",
    };
    let content = evaluator.property(layer, property);
    located(evaluator, layer, &content, None, &layer.place)
}

fn located(
    evaluator: &Evaluator<'_>,
    resource: &Resource,
    code: &Value,
    default: Option<&str>,
    place: &Place,
) -> Option<Code> {
    let messages = evaluator.messages;
    match &code.data {
        Data::Unresolved(why) => {
            messages.error(&code.place, &**why);
            None
        }
        Data::Absent => match default {
            Some(path) => Some(in_folder(&evaluator.folder, path, place)),
            None => {
                messages.error(place, format!("{} has no code", resource.id));
                None
            }
        },
        Data::Scalar(scalar) if scalar.text.starts_with("s3://") => {
            Some(Code::Elsewhere("its code is in S3".to_owned(), code.place.clone()))
        }
        Data::Scalar(scalar) => Some(in_folder(&evaluator.folder, &scalar.text, &code.place)),
        _ => {
            if let Some(text) = code.get("ZipFile") {
                return Some(Code::Inline(messages.text(text)?, text.place.clone()));
            }
            if let Some(image) = code.get("ImageUri") {
                return Some(Code::Elsewhere(
                    "its code is a container image".to_owned(),
                    image.place.clone(),
                ));
            }
            if let Some(path) = asset_of_metadata(evaluator, resource) {
                return Some(in_folder(&evaluator.folder, &path, &code.place));
            }
            let key = code.get("S3Key").and_then(Value::peek).map(str::to_owned);
            match key.and_then(|key| asset_of_manifest(evaluator, &key)) {
                Some(path) => Some(in_folder(&evaluator.folder, &path, &code.place)),
                None => Some(Code::Elsewhere("its code is in S3".to_owned(), code.place.clone())),
            }
        }
    }
}

fn in_folder(folder: &Path, path: &str, place: &Place) -> Code {
    let joined = folder.join(path);
    let absolute = std::path::absolute(&joined).unwrap_or(joined);
    // Without the `.` that a default has, and what points back up.
    let absolute: PathBuf = absolute.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            std::path::Component::ParentDir if path.parent().is_some() => drop(path.pop()),
            other => path.push(other),
        }
        path
    });
    let is_packed = ["zip", "jar"]
        .iter()
        .any(|ending| absolute.extension().is_some_and(|found| found == *ending));
    if is_packed {
        let text = format!("its code {path} is packed: unpack it");
        return Code::Elsewhere(text, place.clone());
    }
    Code::Folder(absolute, place.clone())
}

/// What the CDK's command notes in a resource's metadata.
fn asset_of_metadata(evaluator: &Evaluator<'_>, resource: &Resource) -> Option<String> {
    let metadata = evaluator.attribute(resource, "Metadata")?;
    let property = metadata.get("aws:asset:property").and_then(Value::peek);
    let path = metadata.get("aws:asset:path")?.peek()?;
    property
        .is_none_or(|property| property.starts_with("Code") || property.starts_with("Content"))
        .then(|| path.to_owned())
}

/// The source of an asset, by the key of its object, in the `assets.json` beside the template.
fn asset_of_manifest(evaluator: &Evaluator<'_>, key: &str) -> Option<String> {
    let file = Path::new(&*evaluator.root().place.file).file_name()?.to_str()?;
    let stack = file
        .strip_suffix(".template.json")
        .or_else(|| file.strip_suffix(".json"))?;
    let name = format!("{stack}.assets.json");
    let path = evaluator.folder.join(&name);
    evaluator.documents.watch(&path);
    if !path.is_file() {
        return None;
    }
    let document = match evaluator.documents.read(&path, &name) {
        Ok(document) => document,
        Err((place, text)) => {
            evaluator.messages.error(&place, text);
            return None;
        }
    };
    let files = document.map()?.get("files")?.map()?;
    for (_, file) in &files.members {
        let file = Value::of(file);
        let destinations = file.get("destinations").map(Value::members).unwrap_or_default();
        let is_it = |destination: &str| key == destination || key.ends_with(&format!("/{destination}"));
        let has_key = destinations.iter().any(|destination| {
            let object = destination.value.get("objectKey").and_then(Value::peek);
            object.is_some_and(is_it)
        });
        if has_key {
            return file.get("source")?.get("path")?.peek().map(str::to_owned);
        }
    }
    None
}
