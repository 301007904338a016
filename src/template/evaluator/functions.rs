//! The functions of templates (`R31.9` to `R31.13`), but for references.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::template::evaluator::{Call, Evaluator, IMPORT_VALUE};
use crate::template::node::{Content, Node};
use crate::template::place::Place;
use crate::template::value::{Data, Value};

impl Evaluator<'_> {
    pub(super) fn call(&self, node: &Node, call: &Call<'_>) -> Value {
        let place = &node.place;
        let wrong = |text: &str| Value::unresolved(place, text);
        let items: &[Arc<Node>] = match call.content {
            Content::List(items) if call.node.is_none_or(|node| node.tag.is_none()) => items,
            _ => &[],
        };
        match (call.name, items) {
            ("Ref", _) => match call.content {
                Content::Scalar(scalar) => self.reference(&scalar.text, place),
                _ => wrong("Ref wants the name of a parameter or a resource"),
            },
            ("GetAtt", _) => self.get_att(call, place),
            ("Sub", _) => self.sub(call, place),
            ("Join", [separator, list]) => self.join(separator, list, place),
            ("Select", [index, list]) => self.select(index, list, place),
            ("Split", [separator, text]) => self.split(separator, text, place),
            ("If", [condition, yes, no]) => match condition.text() {
                None => wrong("Fn::If wants the name of a condition"),
                Some(name) => match self.condition(name) {
                    Ok(true) => self.eval(yes),
                    Ok(false) => self.eval(no),
                    Err(why) => Value::unresolved(place, why),
                },
            },
            ("Equals" | "And" | "Or" | "Not" | "Condition", _) => match self.test_call(node, call) {
                Ok(truth) => Value::plain(place, truth.to_string()),
                Err(why) => Value::unresolved(place, why),
            },
            ("FindInMap", [map, top, second, rest @ ..]) if rest.len() < 2 => {
                self.find_in_map([map, top, second], rest.first(), place)
            }
            ("Base64", _) => match self.argument_text(call) {
                Ok(text) => self.made(place, STANDARD.encode(text)),
                Err(why) => Value::unresolved(place, why),
            },
            ("ImportValue", _) => match self.argument_text(call) {
                Ok(name) => match self.resolution(&format!("{IMPORT_VALUE}{name}")) {
                    Some(value) => Value::text(place, value),
                    None => wrong(&format!(
                        "the value {name:?} is exported by another stack: --resolve {IMPORT_VALUE}{name}=VALUE gives it"
                    )),
                },
                Err(why) => Value::unresolved(place, why),
            },
            ("Transform", _) => self.transform(call, place),
            ("Length", _) | ("ToJsonString", _) if !self.has_language_extensions() => {
                wrong(&format!("Fn::{} wants AWS::LanguageExtensions in Transform", call.name))
            }
            ("Length", _) => match self.argument(call).data {
                Data::List(items) => Value::plain(place, items.len().to_string()),
                Data::Unresolved(why) => Value::unresolved(place, why),
                _ => wrong("Fn::Length wants a list"),
            },
            ("ToJsonString", _) => match json_text(&self.argument(call)) {
                Ok(json) => self.made(place, json),
                Err(why) => Value::unresolved(place, why),
            },
            ("GetAZs" | "Cidr", _) => wrong(&format!("what Fn::{} gives is known to AWS only", call.name)),
            (name, _) => wrong(&format!("Fn::{name} wants a list of its arguments")),
        }
    }

    fn argument(&self, call: &Call<'_>) -> Value {
        match call.node {
            Some(node) => self.eval(node),
            None => self.literal(call.content, call.place),
        }
    }

    fn argument_text(&self, call: &Call<'_>) -> Result<String, Arc<str>> {
        text(&self.argument(call))
    }

    fn get_att(&self, call: &Call<'_>, place: &Place) -> Value {
        let (name, attribute) = match call.content {
            Content::Scalar(scalar) => match scalar.text.split_once('.') {
                Some((name, attribute)) => (name.to_owned(), attribute.to_owned()),
                None => return Value::unresolved(place, "Fn::GetAtt wants NAME.Attribute"),
            },
            Content::List(items) => match items.as_slice() {
                [name, attribute] => match (text(&self.eval(name)), text(&self.eval(attribute))) {
                    (Ok(name), Ok(attribute)) => (name, attribute),
                    (Err(why), _) | (_, Err(why)) => return Value::unresolved(place, why),
                },
                _ => return Value::unresolved(place, "Fn::GetAtt wants a name and an attribute"),
            },
            _ => return Value::unresolved(place, "Fn::GetAtt wants NAME.Attribute"),
        };
        self.get_attribute(&name, &attribute, place)
    }

    fn sub(&self, call: &Call<'_>, place: &Place) -> Value {
        let (template, map) = match call.content {
            Content::Scalar(scalar) => (scalar.text.to_string(), None),
            Content::List(items) => match items.as_slice() {
                [template, map] => match (text(&self.eval(template)), map.map()) {
                    (Ok(template), Some(map)) => (template, Some(map)),
                    (Err(why), _) => return Value::unresolved(place, why),
                    _ => return Value::unresolved(place, "Fn::Sub wants a text and a mapping"),
                },
                _ => return Value::unresolved(place, "Fn::Sub wants a text, or a text and a mapping"),
            },
            _ => return Value::unresolved(place, "Fn::Sub wants a text, or a text and a mapping"),
        };
        let mut made = String::new();
        for piece in pieces(&template) {
            let name = match piece {
                Piece::Text(text) => {
                    made.push_str(text);
                    continue;
                }
                Piece::Literal(name) => {
                    made.push_str("${");
                    made.push_str(name);
                    made.push('}');
                    continue;
                }
                Piece::Name(name) => name,
            };
            let value = match map.and_then(|map| map.get(name)) {
                Some(node) => self.eval(node),
                None => self.named_in_text(name, place),
            };
            match text(&value) {
                Ok(text) => made.push_str(&text),
                Err(why) => return Value::unresolved(place, why),
            }
            if made.len() > super::MAX_TEXT {
                break;
            }
        }
        self.made(place, made)
    }

    fn join(&self, separator: &Node, list: &Node, place: &Place) -> Value {
        let separator = match text(&self.eval(separator)) {
            Ok(separator) => separator,
            Err(why) => return Value::unresolved(place, why),
        };
        let items = match self.eval(list).data {
            Data::List(items) => items,
            Data::Unresolved(why) => return Value::unresolved(place, why),
            _ => return Value::unresolved(place, "Fn::Join wants a separator and a list"),
        };
        let mut made = String::new();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                made.push_str(&separator);
            }
            match text(item) {
                Ok(text) => made.push_str(&text),
                Err(why) => return Value::unresolved(place, why),
            }
            if made.len() > super::MAX_TEXT {
                break;
            }
        }
        self.made(place, made)
    }

    fn select(&self, index: &Node, list: &Node, place: &Place) -> Value {
        let index = match text(&self.eval(index)) {
            Ok(index) => index,
            Err(why) => return Value::unresolved(place, why),
        };
        let items = match self.eval(list).data {
            Data::List(items) => items,
            Data::Unresolved(why) => return Value::unresolved(place, why),
            _ => return Value::unresolved(place, "Fn::Select wants a number and a list"),
        };
        let found = index.trim().parse::<usize>().ok().and_then(|index| items.get(index));
        match found {
            Some(item) => Value {
                place: place.clone(),
                data: item.data.clone(),
            },
            None => {
                let length = items.len();
                Value::unresolved(
                    place,
                    format!("Fn::Select: there is no item {index:?} in a list of {length}"),
                )
            }
        }
    }

    fn split(&self, separator: &Node, whole: &Node, place: &Place) -> Value {
        let (separator, whole) = match (text(&self.eval(separator)), text(&self.eval(whole))) {
            (Ok(separator), Ok(whole)) => (separator, whole),
            (Err(why), _) | (_, Err(why)) => return Value::unresolved(place, why),
        };
        if separator.is_empty() {
            return Value::unresolved(place, "Fn::Split wants a separator that is not empty");
        }
        let parts = whole.split(separator.as_str()).map(|part| Value::text(place, part));
        Value::list(place, parts.collect())
    }

    fn find_in_map(&self, [map, top, second]: [&Arc<Node>; 3], rest: Option<&Arc<Node>>, place: &Place) -> Value {
        let texts: Result<Vec<String>, Arc<str>> =
            [map, top, second].iter().map(|node| text(&self.eval(node))).collect();
        let texts = match texts {
            Ok(texts) => texts,
            Err(why) => return Value::unresolved(place, why),
        };
        let [map, top, second] = texts.as_slice() else {
            return Value::unresolved(place, "Fn::FindInMap wants three names");
        };
        let found = self
            .section("Mappings")
            .and_then(|section| section.get(map)?.map()?.get(top)?.map()?.get(second));
        if let Some(found) = found {
            return Value {
                place: place.clone(),
                data: Value::of(found).data,
            };
        }
        match rest.and_then(|node| node.map()?.get("DefaultValue")) {
            Some(default) if self.has_language_extensions() => self.eval(default),
            Some(_) => Value::unresolved(place, "DefaultValue wants AWS::LanguageExtensions in Transform"),
            None => {
                let text = format!("Mappings has no entry {map:?}, {top:?}, {second:?}");
                Value::unresolved(place, text)
            }
        }
    }

    /// `AWS::Include` of a local file (`R31.12`).
    fn transform(&self, call: &Call<'_>, place: &Place) -> Value {
        let argument = self.argument(call);
        let name = argument.get("Name").and_then(Value::peek).unwrap_or_default();
        if name != "AWS::Include" {
            return Value::unresolved(place, format!("the macro {name:?} runs in AWS only"));
        }
        let location = argument
            .get("Parameters")
            .and_then(|parameters| parameters.get("Location"));
        let location = match location.map(text) {
            Some(Ok(location)) => location,
            Some(Err(why)) => return Value::unresolved(place, why),
            None => return Value::unresolved(place, "AWS::Include wants a Location"),
        };
        if location.contains("://") {
            return Value::unresolved(place, format!("AWS::Include: {location} is not a local file"));
        }
        match self.documents.read(&self.folder.join(&location), &location) {
            Ok(document) => self.eval(&document),
            Err((inner, text)) => {
                self.messages.error(&inner, text);
                Value::unresolved(place, format!("AWS::Include: {location} cannot be included"))
            }
        }
    }

    /// Notes the names that an expression has, as `--resolve` writes them.
    pub(super) fn names_in(&self, node: &Node, names: &mut HashSet<String>) {
        let Ok(Some(call)) = self.call_of(node) else { return };
        let written = match call.content {
            Content::Scalar(scalar) => scalar.text.to_string(),
            Content::List(items) if call.name == "GetAtt" => {
                let texts: Vec<&str> = items.iter().filter_map(|item| item.text()).collect();
                texts.join(".")
            }
            Content::List(items) => items
                .first()
                .and_then(|item| item.text())
                .unwrap_or_default()
                .to_owned(),
            _ => return,
        };
        match call.name {
            "Ref" | "GetAtt" => drop(names.insert(written)),
            "ImportValue" => drop(names.insert(format!("{IMPORT_VALUE}{written}"))),
            "Sub" => {
                for piece in pieces(&written) {
                    if let Piece::Name(name) = piece {
                        names.insert(name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

/// A part of the text of `Fn::Sub`.
enum Piece<'a> {
    Text(&'a str),
    /// `${!name}`.
    Literal(&'a str),
    /// `${name}`.
    Name(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        pieces.push(Piece::Text(before));
        pieces.push(match name.strip_prefix('!') {
            Some(literal) => Piece::Literal(literal),
            None => Piece::Name(name.trim()),
        });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// A value as a part of a text.
fn text(value: &Value) -> Result<String, Arc<str>> {
    match &value.data {
        Data::Scalar(scalar) if scalar.plain => Ok(match scalar.text.to_ascii_lowercase().as_str() {
            word @ ("true" | "false") => word.to_owned(),
            _ => scalar.text.to_string(),
        }),
        Data::Scalar(scalar) => Ok(scalar.text.to_string()),
        Data::Unresolved(why) => Err(Arc::clone(why)),
        _ => Err(format!("{} cannot be a part of a text", value.kind()).into()),
    }
}

fn json_text(value: &Value) -> Result<String, Arc<str>> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    Ok(match &value.data {
        Data::Absent => "null".to_owned(),
        Data::Scalar(scalar) => match serde_json::from_str::<serde_json::Value>(&scalar.text) {
            Ok(json) if scalar.plain && (json.is_number() || json.is_boolean()) => json.to_string(),
            _ => quoted(&scalar.text),
        },
        Data::List(items) => {
            let texts: Result<Vec<String>, Arc<str>> = items.iter().map(json_text).collect();
            format!("[{}]", texts?.join(","))
        }
        Data::Map(members) => {
            let mut texts = Vec::new();
            for member in members {
                texts.push(format!("{}:{}", quoted(&member.key.name), json_text(&member.value)?));
            }
            format!("{{{}}}", texts.join(","))
        }
        Data::Unresolved(why) => return Err(Arc::clone(why)),
    })
}
