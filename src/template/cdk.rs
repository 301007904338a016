//! `cdk.out`: the stacks that a manifest lists (`R33.3`).

use std::path::{Path, PathBuf};

use crate::template::document::Documents;
use crate::template::message::Messages;
use crate::template::node::Node;
use crate::template::value::Value;

/// Most cloud assemblies inside one another.
const MAX_DEPTH: usize = 10;

/// A stack of a manifest.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// The artifact's name, or the stack's.
    pub(super) name: String,
    /// The artifact's name.
    pub(super) artifact: String,
    /// Its template.
    pub(super) path: PathBuf,
    /// What messages call the template.
    pub(super) shown: String,
    /// Where it is to be deployed, where that is known.
    pub(super) account_id: Option<String>,
    pub(super) region: Option<String>,
}

/// The stacks of a manifest, and of the assemblies in it.
pub(super) fn stacks(
    manifest: &Node,
    folder: &Path,
    shown_folder: &str,
    documents: &Documents,
    messages: &Messages,
) -> Vec<Stack> {
    let mut stacks = Vec::new();
    collect(
        manifest,
        folder,
        shown_folder,
        documents,
        messages,
        MAX_DEPTH,
        &mut stacks,
    );
    stacks
}

fn collect(
    manifest: &Node,
    folder: &Path,
    shown_folder: &str,
    documents: &Documents,
    messages: &Messages,
    depth: usize,
    stacks: &mut Vec<Stack>,
) {
    let manifest = Value::of(manifest);
    for artifact in manifest.get("artifacts").map(Value::members).unwrap_or_default() {
        let (name, value) = (&artifact.key.name, &artifact.value);
        let text = |value: Option<&Value>| value.and_then(Value::peek).map(str::to_owned);
        let properties = value.get("properties");
        let of_properties = |name: &str| text(properties.and_then(|properties| properties.get(name)));
        match value.get("type").and_then(Value::peek) {
            Some("aws:cloudformation:stack") => {
                let Some(file) = of_properties("templateFile") else {
                    continue;
                };
                let (account_id, region) = environment(text(value.get("environment")).as_deref());
                stacks.push(Stack {
                    name: of_properties("stackName").unwrap_or_else(|| name.to_string()),
                    artifact: name.to_string(),
                    path: folder.join(&file),
                    shown: format!("{shown_folder}{file}"),
                    account_id,
                    region,
                });
            }
            Some("cdk:cloud-assembly") if depth > 0 => {
                let Some(directory) = of_properties("directoryName") else {
                    continue;
                };
                let shown = format!("{shown_folder}{directory}/");
                let inner = folder.join(&directory);
                match documents.read(&inner.join("manifest.json"), &format!("{shown}manifest.json")) {
                    Ok(manifest) => collect(&manifest, &inner, &shown, documents, messages, depth - 1, stacks),
                    Err((place, text)) => messages.error(&place, text),
                }
            }
            _ => {}
        }
    }
}

/// `aws://123456789012/eu-central-1`, of which each part may be unknown.
fn environment(text: Option<&str>) -> (Option<String>, Option<String>) {
    let parts = text.and_then(|text| text.strip_prefix("aws://")?.split_once('/'));
    let Some((account, region)) = parts else {
        return (None, None);
    };
    let known = |part: &str| (!part.starts_with("unknown-")).then(|| part.to_owned());
    (known(account), known(region))
}
