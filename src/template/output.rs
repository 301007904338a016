//! The files that a template means: virtual ones, each value of which knows where in the template it comes from.

use std::collections::BTreeMap;

use crate::definition::json::Json;
use crate::definition::problem::member;
use crate::template::place::Place;

/// A file that is not written: its text is what a person would write.
#[derive(Clone, Debug)]
pub struct VirtualFile {
    /// Its path: `routes/list.json`, below the API's folder, or below the root for what all APIs share.
    pub path: String,
    /// The fields, in their order.
    pub fields: Vec<(String, Json)>,
    /// Where the file comes from as a whole.
    pub place: Place,
    /// Where its values come from, by JSON pointer.
    pub origins: BTreeMap<String, Place>,
}

impl VirtualFile {
    /// A file without fields.
    pub fn new(path: impl Into<String>, place: &Place) -> VirtualFile {
        VirtualFile {
            path: path.into(),
            fields: Vec::new(),
            place: place.clone(),
            origins: BTreeMap::new(),
        }
    }

    /// Adds a field, or replaces it where it is.
    pub fn set(&mut self, name: &str, value: Json, place: &Place) {
        self.origins.insert(member("", name), place.clone());
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// Adds a text.
    pub fn set_text(&mut self, name: &str, text: impl Into<String>, place: &Place) {
        self.set(name, Json::String(text.into()), place);
    }

    /// A field.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// A field that is a text.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Takes a field away.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(known, _)| known != name);
    }

    /// Where a value comes from: the place of the longest known beginning of its pointer.
    pub fn origin(&self, pointer: &str) -> &Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.origins.get(pointer) {
                return place;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return &self.place,
            }
        }
    }

    /// Puts the fields in the order of a list; others follow.
    pub fn order(&mut self, names: &[&str]) {
        let place_of = |name: &str| names.iter().position(|known| *known == name).unwrap_or(names.len());
        self.fields.sort_by_key(|(name, _)| place_of(name));
    }

    /// The id: the file's name without `.json`.
    pub fn id(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".json").unwrap_or(name)
    }

    /// The text: two-space JSON, and a newline at the end.
    pub fn text(&self) -> String {
        let mut text = pretty(&Json::Object(self.fields.clone()));
        text.push('\n');
        text
    }
}

/// JSON with two spaces for each level.
pub fn pretty(json: &Json) -> String {
    // A value of texts, numbers, lists and objects can always be written.
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// One API of a template.
#[derive(Clone, Debug)]
pub struct Api {
    /// `ApiId`.
    pub id: String,
    /// Where it is defined.
    pub place: Place,
    /// `api.json`, and what is in `routes/`, `integrations/`, `authorizers/` and `stages/`.
    pub files: Vec<VirtualFile>,
}
