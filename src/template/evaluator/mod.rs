//! Evaluates the expressions of a template, each where it is read (`R31.3`): what cannot be told is a value of its own.

mod conditions;
mod functions;
mod globals;
mod parameters;
mod references;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::template::document::Documents;
use crate::template::message::Messages;
use crate::template::node::{Content, Key, Map, Node};
use crate::template::options::{Environment, Options};
use crate::template::place::Place;
use crate::template::value::{Data, Member, Value};

/// Most bytes of a text that functions make.
const MAX_TEXT: usize = 1024 * 1024;

/// Most bytes of all texts that functions make.
const MAX_TEXTS: usize = 64 * 1024 * 1024;

/// Most expressions and references that lead into one another.
const MAX_DEPTH: usize = 150;

/// What the name of an import begins with in `--resolve`.
const IMPORT_VALUE: &str = "ImportValue:";

/// The transform that SAM templates name.
const SAM_TRANSFORM: &str = "AWS::Serverless-2016-10-31";

/// The API that SAM makes for events that name none.
pub(super) const IMPLICIT_API: &str = "ServerlessHttpApi";

/// Whether a condition holds, or why that cannot be told.
pub(super) type Truth = Result<bool, Arc<str>>;

/// A template and what its expressions have given so far.
pub(super) struct Evaluator<'a> {
    root: Arc<Node>,
    pub(super) environment: Environment,
    pub(super) options: &'a Options,
    pub(super) messages: &'a Messages,
    pub(super) documents: &'a Documents,
    /// The folder of the template, below which relative paths lead.
    pub(super) folder: PathBuf,
    resources: HashMap<Arc<str>, usize>,
    transforms: Vec<String>,
    /// None for one that is being evaluated.
    conditions: RefCell<HashMap<String, Option<Truth>>>,
    names: RefCell<HashMap<String, Option<String>>>,
    used_resolutions: RefCell<BTreeSet<String>>,
    /// Keys that occur twice and were told of.
    told_duplicates: RefCell<HashSet<String>>,
    made: Cell<usize>,
    depth: Cell<usize>,
}

/// A resource of the template.
#[derive(Clone)]
pub(super) struct Resource {
    pub(super) id: Arc<str>,
    pub(super) place: Place,
    pub(super) kind: String,
    pub(super) node: Arc<Node>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        root: Arc<Node>,
        environment: Environment,
        options: &'a Options,
        messages: &'a Messages,
        documents: &'a Documents,
        folder: PathBuf,
    ) -> Evaluator<'a> {
        let section = root.map().and_then(|map| map.get("Resources"));
        let members = section.and_then(|node| node.map()).map(|map| map.members.as_slice());
        let numbered = members.unwrap_or_default().iter().enumerate();
        let resources = numbered.map(|(at, (key, _))| (Arc::clone(&key.name), at)).collect();
        let transforms = match root
            .map()
            .and_then(|map| map.get("Transform"))
            .map(|node| &node.content)
        {
            Some(Content::Scalar(scalar)) => vec![scalar.text.to_string()],
            Some(Content::List(items)) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        Evaluator {
            root,
            environment,
            options,
            messages,
            documents,
            folder,
            resources,
            transforms,
            conditions: RefCell::default(),
            names: RefCell::default(),
            used_resolutions: RefCell::default(),
            told_duplicates: RefCell::default(),
            made: Cell::new(0),
            depth: Cell::new(0),
        }
    }

    pub(super) fn root(&self) -> &Arc<Node> {
        &self.root
    }

    /// A section of the template.
    pub(super) fn section(&self, name: &str) -> Option<&Map> {
        self.root.map()?.get(name)?.map()
    }

    pub(super) fn is_sam(&self) -> bool {
        self.transforms.iter().any(|transform| transform == SAM_TRANSFORM)
    }

    pub(super) fn has_language_extensions(&self) -> bool {
        self.transforms
            .iter()
            .any(|transform| transform == "AWS::LanguageExtensions")
    }

    /// The transforms that are macros of the author's account.
    pub(super) fn macros(&self) -> impl Iterator<Item = &str> {
        let is_known = |name: &&String| [SAM_TRANSFORM, "AWS::LanguageExtensions"].contains(&name.as_str());
        self.transforms
            .iter()
            .filter(move |name| !is_known(name))
            .map(String::as_str)
    }

    /// A resource by its logical id.
    pub(super) fn resource(&self, id: &str) -> Option<Resource> {
        let at = *self.resources.get(id)?;
        let (key, node) = self.section("Resources")?.members.get(at)?;
        let kind = node.map().and_then(|map| map.get("Type")).and_then(|node| node.text());
        Some(Resource {
            id: Arc::clone(&key.name),
            place: key.place.clone(),
            kind: kind.unwrap_or_default().to_owned(),
            node: Arc::clone(node),
        })
    }

    /// All resources, in the order of the template.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let Some(section) = self.section("Resources") else {
            return Vec::new();
        };
        let ids = section.members.iter().map(|(key, _)| &key.name);
        ids.filter_map(|id| self.resource(id)).collect()
    }

    /// A property of a resource, evaluated; absent where there is none.
    pub(super) fn property(&self, resource: &Resource, name: &str) -> Value {
        match self.property_node(resource, name) {
            Some(node) => self.eval(&node),
            None => Value::absent(&resource.place),
        }
    }

    /// A property of a resource as it is written.
    pub(super) fn property_node(&self, resource: &Resource, name: &str) -> Option<Arc<Node>> {
        resource.node.map()?.get("Properties")?.map()?.get(name).cloned()
    }

    /// Another attribute of a resource than its properties, such as `Metadata`, evaluated.
    pub(super) fn attribute(&self, resource: &Resource, name: &str) -> Option<Value> {
        Some(self.eval(resource.node.map()?.get(name)?))
    }

    /// Tells of keys of a mapping that occur twice.
    pub(super) fn refuse_duplicates(&self, map: &Map) {
        for key in &map.duplicates {
            self.told_duplicates.borrow_mut().insert(key.place.to_string());
            self.messages
                .error(&key.place, format!("the key {:?} occurs twice", key.name));
        }
    }

    /// Whether it was told that a key occurs twice.
    pub(super) fn knows_duplicate(&self, key: &Key) -> bool {
        self.told_duplicates.borrow().contains(&key.place.to_string())
    }

    /// The value of an expression.
    pub(super) fn eval(&self, node: &Node) -> Value {
        let too_deep = || Value::unresolved(&node.place, "the expression refers to itself, or is nested too deep");
        self.deeper(too_deep, || match self.call_of(node) {
            Ok(Some(call)) => self.call(node, &call),
            Ok(None) => self.literal(&node.content, &node.place),
            Err(why) => Value::unresolved(&node.place, why),
        })
    }

    /// Does something one level deeper, unless that is too deep.
    fn deeper<T>(&self, too_deep: impl FnOnce() -> T, work: impl FnOnce() -> T) -> T {
        if self.depth.get() >= MAX_DEPTH {
            return too_deep();
        }
        self.depth.set(self.depth.get() + 1);
        let done = work();
        self.depth.set(self.depth.get() - 1);
        done
    }

    /// A list, a mapping or a scalar whose parts are evaluated.
    fn literal(&self, content: &Content, place: &Place) -> Value {
        let data = match content {
            Content::Null => Data::Absent,
            Content::Scalar(scalar) => Data::Scalar(scalar.clone()),
            Content::List(items) => {
                let items = items.iter().map(|item| (item, self.eval(item)));
                // A null stays: a requirement that is null is not an absent one.
                let kept = items.filter(|(node, item)| !item.is_absent() || is_null(node));
                Data::List(kept.map(|(_, item)| item).collect())
            }
            Content::Map(map) => {
                self.refuse_duplicates(map);
                let member = |(key, node): &(Key, Arc<Node>)| {
                    let value = self.eval(node);
                    let key = key.clone();
                    (!value.is_absent() || is_null(node)).then_some(Member { key, value })
                };
                Data::Map(map.members.iter().filter_map(member).collect())
            }
        };
        Value {
            place: place.clone(),
            data,
        }
    }

    /// A text that a function has made, within the bounds.
    fn made(&self, place: &Place, text: String) -> Value {
        self.made.set(self.made.get().saturating_add(text.len()));
        if text.len() > MAX_TEXT || self.made.get() > MAX_TEXTS {
            return Value::unresolved(place, format!("functions make a text over {MAX_TEXT} bytes"));
        }
        Value::text(place, text)
    }

    /// What `--resolve` gives for a name.
    fn resolution(&self, name: &str) -> Option<&str> {
        let (_, value) = self.options.resolve.iter().rev().find(|(known, _)| known == name)?;
        self.used_resolutions.borrow_mut().insert(name.to_owned());
        Some(value)
    }

    /// Warns of what `--resolve` names and no expression of the template has.
    pub(super) fn warn_of_unused_resolutions(&self) {
        let mut names: HashSet<String> = self.used_resolutions.borrow().iter().cloned().collect();
        if self.options.resolve.iter().all(|(name, _)| names.contains(name)) {
            return;
        }
        self.root.walk(&mut |node| self.names_in(node, &mut names));
        for (name, _) in self.options.resolve.iter().filter(|(name, _)| !names.contains(name)) {
            let text = format!("--resolve {name}: no expression has that name");
            self.messages.warning(&Place::file(&self.root.place.file), text);
        }
    }
}

fn is_null(node: &Node) -> bool {
    node.tag.is_none() && matches!(node.content, Content::Null)
}

/// A call of a function: its name and its argument.
struct Call<'a> {
    name: &'a str,
    content: &'a Content,
    place: &'a Place,
    /// The node of the argument, where it has one of its own.
    node: Option<&'a Node>,
}

/// The functions that have a short tag, which is their name without `Fn::`.
const SHORT: [&str; 18] = [
    "GetAtt",
    "Sub",
    "Join",
    "Select",
    "Split",
    "If",
    "Equals",
    "And",
    "Or",
    "Not",
    "FindInMap",
    "Base64",
    "ImportValue",
    "GetAZs",
    "Cidr",
    "Transform",
    "ToJsonString",
    "Length",
];

impl Evaluator<'_> {
    /// The name that a node has as its text, or refers to.
    pub(super) fn named_by<'n>(&self, node: &'n Node) -> Option<&'n str> {
        match self.call_of(node) {
            Ok(None) => node.text(),
            Ok(Some(Call {
                name: "Ref",
                content: Content::Scalar(scalar),
                ..
            })) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The function that a node calls, if it does.
    fn call_of<'n>(&self, node: &'n Node) -> Result<Option<Call<'n>>, String> {
        if let Some(tag) = &node.tag {
            let is_known = SHORT.contains(&&**tag) || ["Ref", "Condition"].contains(&&**tag);
            if !is_known {
                return Err(format!("!{tag} is no tag of CloudFormation"));
            }
            return Ok(Some(Call {
                name: tag,
                content: &node.content,
                place: &node.place,
                node: None,
            }));
        }
        let Content::Map(map) = &node.content else {
            return Ok(None);
        };
        let Some((key, argument)) = map.members.iter().find(|(key, _)| key.name.starts_with("Fn::")) else {
            return Ok(match map.members.as_slice() {
                [(key, argument)] if &*key.name == "Ref" => Some(Call {
                    name: "Ref",
                    content: &argument.content,
                    place: &argument.place,
                    node: Some(argument),
                }),
                _ => None,
            });
        };
        let name = key.name.trim_start_matches("Fn::");
        if !SHORT.contains(&name) {
            return Err(match name.starts_with("ForEach") {
                true => "Fn::ForEach is not supported: write the resources out".to_owned(),
                false => format!("{} is no function of CloudFormation", key.name),
            });
        }
        if map.members.len() > 1 && name != "Transform" {
            return Err(format!("{} stands alone in its mapping", key.name));
        }
        Ok(Some(Call {
            name,
            content: &argument.content,
            place: &argument.place,
            node: Some(argument),
        }))
    }
}
