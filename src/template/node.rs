//! A document as it is written: values with their places and tags, nothing evaluated.

use std::sync::Arc;

use crate::template::place::Place;

/// One value of a document.
#[derive(Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// Its tag, but for those of YAML's own types: `Ref` of `!Ref`.
    pub tag: Option<Box<str>>,
    /// What it holds.
    pub content: Content,
    /// How many values it holds with itself, aliases expanded.
    pub size: usize,
    /// How many levels it has, aliases expanded.
    pub height: usize,
}

/// What a value holds.
#[derive(Debug)]
pub enum Content {
    /// `null`, `~` or nothing.
    Null,
    /// A text, a number or a boolean; the property that reads it decides which.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Arc<Node>>),
    /// A mapping.
    Map(Map),
}

/// A scalar as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its characters, escapes read.
    pub text: Arc<str>,
    /// Whether it stands without quotes, so that it may be a number or a boolean.
    pub plain: bool,
}

/// A mapping in the order of the document.
#[derive(Debug, Default)]
pub struct Map {
    /// Its members. Of a key that occurs twice, the last.
    pub members: Vec<(Key, Arc<Node>)>,
    /// The keys that have occurred before.
    pub duplicates: Vec<Key>,
}

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: Arc<str>,
    /// Where it stands; the pointer leads to its value.
    pub place: Place,
}

impl Map {
    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.member(name).map(|(_, node)| node)
    }

    /// A key with its value.
    pub fn member(&self, name: &str) -> Option<&(Key, Arc<Node>)> {
        self.members.iter().find(|(key, _)| &*key.name == name)
    }

    /// Adds a member; a key that is there already is noted, and the later value holds.
    pub fn insert(&mut self, key: Key, node: Arc<Node>, position: Option<usize>) {
        match position.and_then(|at| self.members.get_mut(at)) {
            Some(member) => {
                self.duplicates.push(key.clone());
                *member = (key, node);
            }
            None => self.members.push((key, node)),
        }
    }
}

impl Node {
    /// The mapping that it is, without a tag.
    pub fn map(&self) -> Option<&Map> {
        match &self.content {
            Content::Map(map) if self.tag.is_none() => Some(map),
            _ => None,
        }
    }

    /// The text that it is, without a tag.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) if self.tag.is_none() => Some(&scalar.text),
            _ => None,
        }
    }

    /// What `content` gives for [`Node::height`].
    pub fn height_of(content: &Content) -> usize {
        let below = match content {
            Content::Null | Content::Scalar(_) => None,
            Content::List(items) => items.iter().map(|item| item.height).max(),
            Content::Map(map) => map.members.iter().map(|(_, node)| node.height).max(),
        };
        below.unwrap_or_default() + 1
    }

    /// What it is, with its article.
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "null",
            Content::Scalar(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// Calls a function for this node and each below it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        match &self.content {
            Content::Null | Content::Scalar(_) => {}
            Content::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Content::Map(map) => map.members.iter().for_each(|(_, node)| node.walk(visit)),
        }
    }
}
