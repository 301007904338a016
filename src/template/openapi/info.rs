//! What an OpenAPI document says that HTTP APIs do not have: valid, and without effect (`R12.2`, `R30.16`).

use crate::template::node::{Map, Node};
use crate::template::openapi::integration::SHARED;
use crate::template::openapi::read::is_method;

/// Members of an operation or a path that nothing here reads.
const OF_OPERATIONS: [&str; 3] = ["requestBody", "callbacks", "servers"];

/// Parts of `components` that are read.
const READ_COMPONENTS: [&str; 2] = ["securitySchemes", SHARED];

/// A sentence for each of them, in the order of the document.
pub(in crate::template) fn infos(document: &Node) -> Vec<String> {
    let mut infos = Vec::new();
    let mut tell = |node: &Node| {
        infos.push(format!(
            "{} is ignored: HTTP APIs do not support it",
            node.place.pointer
        ));
    };
    for path in members(document, "paths") {
        tell_of(path, &mut tell);
        for (name, operation) in path.map().map(|map| map.members.as_slice()).unwrap_or_default() {
            if is_method(&name.name) {
                tell_of(operation, &mut tell);
            }
        }
    }
    let components = document
        .map()
        .and_then(|map| map.get("components"))
        .and_then(|node| node.map());
    for (name, part) in components.map(|map| map.members.as_slice()).unwrap_or_default() {
        if !READ_COMPONENTS.contains(&&*name.name) {
            tell(part);
        }
    }
    infos
}

fn tell_of(node: &Node, tell: &mut impl FnMut(&Node)) {
    let Some(map) = node.map() else { return };
    for part in OF_OPERATIONS.iter().filter_map(|name| map.get(name)) {
        tell(part);
    }
}

/// The values of a member that is a mapping.
fn members<'a>(node: &'a Node, name: &str) -> impl Iterator<Item = &'a Node> {
    let map: Option<&Map> = node.map().and_then(|map| map.get(name)).and_then(|node| node.map());
    map.into_iter().flat_map(|map| &map.members).map(|(_, node)| &**node)
}
