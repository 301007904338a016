//! Reads YAML and JSON texts as documents. It is the one user of the YAML parser.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::definition::json::Json;
use crate::template::node::{Content, Key, Map, Node, Scalar};
use crate::template::place::{Place, Pointer};

/// Most values of a document, aliases expanded.
pub(super) const MAX_NODES: usize = 200_000;

/// Most levels of a document.
pub(super) const MAX_DEPTH: usize = 100;

/// The key that brings in the members of other mappings.
const MERGE: &str = "<<";

/// Why a text is no document, and where.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) place: Place,
    pub(super) text: String,
}

/// Reads a YAML text, which must hold one document.
pub(super) fn parse_yaml(file: &Arc<str>, text: &str) -> Result<Arc<Node>, SyntaxError> {
    let mut options = Options::default();
    // One more than the composer allows, so that the composer tells what is wrong.
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    let mut composer = Composer {
        parser: Parser::new_from_str_with_options(text, options),
        file: Arc::clone(file),
        anchors: HashMap::new(),
        nodes: 0,
    };
    composer.document()
}

/// Reads a JSON text. Its values have no lines.
pub(super) fn parse_json(file: &Arc<str>, text: &str) -> Result<Arc<Node>, SyntaxError> {
    let json = Json::parse(text).map_err(|error| {
        let to_number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let told = error.to_string();
        let text = told.rsplit_once(" at line ").map_or(told.as_str(), |(text, _)| text);
        SyntaxError {
            place: Place {
                line: to_number(error.line()),
                column: to_number(error.column().max(1)),
                ..Place::file(file)
            },
            text: format!("not JSON: {text}"),
        }
    })?;
    let mut nodes = 0;
    json_node(file, json, Pointer::default(), 1, &mut nodes)
}

fn json_node(
    file: &Arc<str>,
    json: Json,
    pointer: Pointer,
    depth: usize,
    nodes: &mut usize,
) -> Result<Arc<Node>, SyntaxError> {
    let place = Place {
        file: Arc::clone(file),
        line: 0,
        column: 0,
        pointer: pointer.clone(),
    };
    *nodes += 1;
    bounded(&place, depth, *nodes)?;
    let before = *nodes;
    let scalar = |text: String, plain| {
        Content::Scalar(Scalar {
            text: text.into(),
            plain,
        })
    };
    let content = match json {
        Json::Null => Content::Null,
        Json::Bool(value) => scalar(value.to_string(), true),
        Json::Number(number) => scalar(number.to_string(), true),
        Json::String(text) => scalar(text, false),
        Json::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (at, item) in items.into_iter().enumerate() {
                list.push(json_node(file, item, pointer.item(at), depth + 1, nodes)?);
            }
            Content::List(list)
        }
        Json::Object(members) => {
            let mut map = Map::default();
            let mut positions: HashMap<Arc<str>, usize> = HashMap::new();
            for (name, value) in members {
                let key = Key {
                    place: Place {
                        pointer: pointer.member(&name),
                        ..place.clone()
                    },
                    name: name.into(),
                };
                let node = json_node(file, value, key.place.pointer.clone(), depth + 1, nodes)?;
                add(&mut map, &mut positions, key, node);
            }
            Content::Map(map)
        }
    };
    Ok(Arc::new(Node {
        place,
        tag: None,
        height: Node::height_of(&content),
        content,
        size: *nodes - before + 1,
    }))
}

fn bounded(place: &Place, depth: usize, nodes: usize) -> Result<(), SyntaxError> {
    let text = if depth > MAX_DEPTH {
        format!("the document is nested deeper than {MAX_DEPTH} levels")
    } else if nodes > MAX_NODES {
        format!("the document has more than {MAX_NODES} values, aliases expanded")
    } else {
        return Ok(());
    };
    Err(SyntaxError {
        place: place.clone(),
        text,
    })
}

fn add(map: &mut Map, positions: &mut HashMap<Arc<str>, usize>, key: Key, node: Arc<Node>) {
    let known = positions.get(&key.name).copied();
    if known.is_none() {
        positions.insert(Arc::clone(&key.name), map.members.len());
    }
    map.insert(key, node, known);
}

struct Composer<'a> {
    parser: Parser<'a, StrInput<'a>>,
    file: Arc<str>,
    /// Finished nodes with an anchor, by its id.
    anchors: HashMap<usize, Arc<Node>>,
    nodes: usize,
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<Arc<Node>, SyntaxError> {
        let mut document: Option<Arc<Node>> = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) => {
                    if document.is_some() {
                        return Err(self.error(span, Pointer::default(), "the file has a second document"));
                    }
                }
                Event::StreamEnd => break,
                event => document = Some(self.node(event, span, Pointer::default(), 1)?),
            }
        }
        document.ok_or_else(|| SyntaxError {
            place: Place::file(&self.file),
            text: "the file is empty".to_owned(),
        })
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let marker = error.marker();
                Err(SyntaxError {
                    place: Place {
                        line: number(marker.line()),
                        column: number(marker.col() + 1),
                        ..Place::file(&self.file)
                    },
                    text: format!("not YAML: {}", error.info()),
                })
            }
            None => Err(SyntaxError {
                place: Place::file(&self.file),
                text: "not YAML: the file ends early".to_owned(),
            }),
        }
    }

    fn place(&self, span: Span, pointer: Pointer) -> Place {
        let start = span.tag_start().unwrap_or(span.start);
        Place {
            file: Arc::clone(&self.file),
            line: number(start.line()),
            column: number(start.col() + 1),
            pointer,
        }
    }

    fn error(&self, span: Span, pointer: Pointer, text: impl Into<String>) -> SyntaxError {
        SyntaxError {
            place: self.place(span, pointer),
            text: text.into(),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, pointer: Pointer, depth: usize) -> Result<Arc<Node>, SyntaxError> {
        let place = self.place(span, pointer.clone());
        self.nodes += 1;
        bounded(&place, depth, self.nodes)?;
        let before = self.nodes;
        let (anchor, tag, content) = match event {
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(self.error(span, pointer, "the alias stands in the value that it stands for"));
                };
                // What the alias stands for counts again, before anything is done with it.
                self.nodes = self.nodes.saturating_add(node.size - 1);
                bounded(&place, depth + node.height - 1, self.nodes)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let (tag, content) = scalar(&text, style, tag.as_deref());
                (anchor, tag, content)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    items.push(self.node(event, span, pointer.item(items.len()), depth + 1)?);
                }
                (anchor, own_tag(tag.as_deref()), Content::List(items))
            }
            Event::MappingStart(_, anchor, tag) => {
                let map = self.map(&pointer, depth)?;
                (anchor, own_tag(tag.as_deref()), Content::Map(map))
            }
            _ => return Err(self.error(span, pointer, "not YAML: a value is missing")),
        };
        let node = Arc::new(Node {
            place,
            tag,
            height: Node::height_of(&content),
            content,
            size: self.nodes - before + 1,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        Ok(node)
    }

    fn map(&mut self, pointer: &Pointer, depth: usize) -> Result<Map, SyntaxError> {
        let mut map = Map::default();
        let mut positions = HashMap::new();
        let mut merged: Vec<Arc<Node>> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let name = self.key(&event, span, pointer)?;
            let key = Key {
                place: self.place(span, pointer.member(&name)),
                name,
            };
            let is_merge = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, _, None)) && &*key.name == MERGE;
            let (event, span) = self.next()?;
            let node = self.node(event, span, key.place.pointer.clone(), depth + 1)?;
            if is_merge {
                match &node.content {
                    Content::Map(_) => merged.push(node),
                    Content::List(items) => merged.extend(items.iter().cloned()),
                    _ => return Err(self.error(span, key.place.pointer, "<< wants a mapping, or a list of mappings")),
                }
            } else {
                add(&mut map, &mut positions, key, node);
            }
        }
        for node in merged {
            let Content::Map(from) = &node.content else {
                return Err(SyntaxError {
                    place: node.place.clone(),
                    text: "<< wants a mapping, or a list of mappings".to_owned(),
                });
            };
            for (key, node) in &from.members {
                // What stands in the mapping itself, or in an earlier one, holds.
                if !positions.contains_key(&key.name) {
                    self.nodes = self.nodes.saturating_add(node.size);
                    bounded(&node.place, depth + node.height, self.nodes)?;
                    add(&mut map, &mut positions, key.clone(), Arc::clone(node));
                }
            }
            map.duplicates.extend(from.duplicates.iter().cloned());
        }
        Ok(map)
    }

    fn key(&mut self, event: &Event<'a>, span: Span, pointer: &Pointer) -> Result<Arc<str>, SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if *anchor != 0 {
                    let (tag, content) = scalar(text, *style, tag.as_deref());
                    let node = Node {
                        place: self.place(span, pointer.clone()),
                        tag,
                        content,
                        size: 1,
                        height: 1,
                    };
                    self.anchors.insert(*anchor, Arc::new(node));
                }
                Ok(Arc::from(&**text))
            }
            Event::Alias(id) => match self.anchors.get(id).map(|node| &node.content) {
                Some(Content::Scalar(scalar)) => Ok(Arc::clone(&scalar.text)),
                _ => Err(self.error(span, pointer.clone(), "a key must be a text")),
            },
            _ => Err(self.error(span, pointer.clone(), "a key must be a text")),
        }
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A tag that is none of YAML's own types.
fn own_tag(tag: Option<&Tag>) -> Option<Box<str>> {
    let tag = tag.filter(|tag| !tag.is_yaml_core_schema())?;
    match (tag.handle(), tag.suffix()) {
        ("!" | "", "") => None,
        ("!", suffix) => Some(suffix.into()),
        (handle, suffix) => Some(format!("{handle}{suffix}").into()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> (Option<Box<str>>, Content) {
    let is_text =
        tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str") || (tag.handle() == "!" && tag.suffix().is_empty()));
    let plain = style == ScalarStyle::Plain && !is_text;
    let own = own_tag(tag);
    let is_null = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("null"));
    if own.is_none() && (is_null || (plain && matches!(text, "" | "~" | "null" | "Null" | "NULL"))) {
        return (None, Content::Null);
    }
    let text = Arc::from(text);
    (own, Content::Scalar(Scalar { text, plain }))
}
