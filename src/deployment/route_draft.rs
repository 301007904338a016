//! Routes whose fields have been checked, but for what a stage decides.

use std::collections::{BTreeMap, HashMap};

use crate::definition::notation::route_key::{RouteKey, Segment};
use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::resource::route::Route as RouteResource;
use crate::definition::suggestion::closest;
use crate::deployment::shared::Shared;
use crate::deployment::{authorization, authorizer};

/// A route whose key has been read.
#[derive(Debug)]
pub(super) struct RouteDraft<'a> {
    /// Where it was read.
    pub(super) file: &'a str,
    /// Its key as written.
    pub(super) key_text: &'a str,
    /// What it answers to.
    pub(super) key: RouteKey,
    /// What it asks of its callers; none where something is wrong with that.
    pub(super) authorization: Option<authorization::RouteDraft<'a>>,
    /// Where its requests go.
    pub(super) target: RouteTarget<'a>,
}

/// What a route's `Target` says.
#[derive(Clone, Copy, Debug)]
pub(super) enum RouteTarget<'a> {
    /// Nothing: AWS has such routes, and they cannot be served (`R1.11`).
    Absent,
    /// The id of an integration that is there.
    Integration(&'a str),
    /// Something that is wrong; it has a problem of its own.
    Invalid,
}

/// Reads the keys of all routes, and looks up what they name.
pub(super) fn draft_routes<'a>(
    resources: &'a Resources,
    shared: &Shared,
    authorizers: &'a authorizer::Drafts<'a>,
    problems: &mut Problems,
) -> BTreeMap<&'a str, RouteDraft<'a>> {
    let mut drafts = BTreeMap::new();
    for (id, route) in &resources.routes {
        let target = target(route, resources, problems);
        let authorization = authorization::of_route(route, authorizers, resources, shared, problems);
        let Some(text) = &route.route_key else {
            problems.error_unless_known(&route.file, "/RouteKey", "the field is missing");
            continue;
        };
        match RouteKey::parse(text) {
            Ok(key) => {
                let draft = RouteDraft {
                    file: &route.file,
                    key_text: text,
                    key,
                    authorization,
                    target,
                };
                drafts.insert(id.as_str(), draft);
            }
            Err(error) => problems.error(&route.file, "/RouteKey", error.to_string()),
        }
    }
    drafts
}

/// The integration that a route names (`R1.7`, `R1.11`).
fn target<'a>(route: &'a RouteResource, resources: &'a Resources, problems: &mut Problems) -> RouteTarget<'a> {
    let Some(target) = &route.target else {
        if problems.has_error(&route.file, "/Target") {
            return RouteTarget::Invalid;
        }
        let text = "the field is missing: a request that matches the route is answered 500";
        problems.warning(&route.file, "/Target", text);
        return RouteTarget::Absent;
    };
    let Some(id) = target.strip_prefix("integrations/") else {
        let text = format!("{target:?} is not of the form \"integrations/<id>\"");
        problems.error(&route.file, "/Target", text);
        return RouteTarget::Invalid;
    };
    match resources.integrations.get_key_value(id) {
        Some((id, _)) => RouteTarget::Integration(id),
        // A file that cannot be read has a problem of its own.
        None if resources.has_file("integrations", id) => RouteTarget::Invalid,
        None => {
            let known = resources.integrations.keys().map(String::as_str);
            let hint = closest(id, known).map(|id| format!("; did you mean \"integrations/{id}\"?"));
            let mut text = format!("there is no file integrations/{id}.json{}", hint.unwrap_or_default());
            if let Some(id) = id
                .strip_suffix(".json")
                .filter(|id| resources.integrations.contains_key(*id))
            {
                text = format!("the target is written without .json: \"integrations/{id}\"");
            }
            problems.error(&route.file, "/Target", text);
            RouteTarget::Invalid
        }
    }
}

/// Two keys that differ only in the names of their variables take the same requests (`R1.8`).
pub(super) fn refuse_equivalent_keys(routes: &BTreeMap<&str, RouteDraft<'_>>, problems: &mut Problems) {
    let mut seen: HashMap<String, &RouteDraft<'_>> = HashMap::new();
    for draft in routes.values() {
        let twin = *seen.entry(without_names(draft)).or_insert(draft);
        if std::ptr::eq(twin, draft) {
            continue;
        }
        let text = if twin.key_text == draft.key_text {
            format!("the route key {:?} is also that of {}", draft.key_text, twin.file)
        } else {
            format!(
                "the route key {:?} takes the same requests as {:?} of {}",
                draft.key_text, twin.key_text, twin.file
            )
        };
        problems.error(draft.file, "/RouteKey", text);
    }
}

/// The key with every variable's name taken out.
fn without_names(draft: &RouteDraft<'_>) -> String {
    let RouteKey::Path { method, path } = &draft.key else {
        return draft.key_text.to_owned();
    };
    let mut text = format!("{method:?} ");
    for segment in path {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Variable(_) => text.push_str("{}"),
            Segment::Greedy(_) => text.push_str("{+}"),
        }
    }
    text
}
