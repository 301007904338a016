//! Parameter mappings as they are written: keys to values, or a list of sources and destinations as CloudFormation has it.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-integration.html>

use std::collections::{BTreeMap, HashSet};

use crate::definition::json::Json;
use crate::definition::problem::member;
use crate::definition::resource::fields::{Fields, described};

/// One mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// What is changed.
    pub key: String,
    /// What it is changed to.
    pub value: String,
    /// Where the key is written, as a JSON pointer.
    pub key_pointer: String,
    /// Where the value is written.
    pub value_pointer: String,
}

impl Fields<'_> {
    /// An object that maps keys to values.
    pub fn mappings(&mut self, name: &'static str) -> Vec<Mapping> {
        let members = self.members_of(name).unwrap_or_default();
        self.mappings_of(&member(&self.pointer, name), members)
    }

    /// An object of such objects. In the place of each may stand what CloudFormation writes there: an object with a list
    /// of that name, whose objects have each value and key under the names of `entry`.
    pub fn mapping_lists(&mut self, name: &'static str, entry: [&'static str; 2]) -> BTreeMap<String, Vec<Mapping>> {
        let members = self.members_of(name).unwrap_or_default();
        let mut lists = BTreeMap::new();
        for (key, value) in members {
            let pointer = member(&member(&self.pointer, name), key);
            let Json::Object(inner) = value else {
                let text = format!("must be an object, not {}", described(value));
                self.problems.error(self.file, pointer, text);
                continue;
            };
            let is_list = |(member, value): &(String, Json)| member == name && matches!(value, Json::Array(_));
            let mappings = match inner.iter().any(is_list) {
                true => self.listed(&pointer, inner, name, entry),
                false => self.mappings_of(&pointer, inner),
            };
            if lists.insert(key.clone(), mappings).is_some() {
                self.problems.error(self.file, pointer, "the name occurs twice");
            }
        }
        lists
    }

    fn mappings_of(&mut self, pointer: &str, members: &[(String, Json)]) -> Vec<Mapping> {
        let mapping = |(key, value): (String, String)| {
            let pointer = member(pointer, &key);
            Mapping {
                key,
                value,
                key_pointer: pointer.clone(),
                value_pointer: pointer,
            }
        };
        self.texts(pointer, members).into_iter().map(mapping).collect()
    }

    /// What stands in a list instead; each problem with an entry is told at its place in it.
    fn listed(
        &mut self,
        pointer: &str,
        members: &[(String, Json)],
        list: &'static str,
        [source, destination]: [&'static str; 2],
    ) -> Vec<Mapping> {
        let mut fields = Fields::at(self.file, pointer.to_owned(), members, Vec::new(), self.problems);
        for (name, _) in members.iter().filter(|(name, _)| name != list) {
            let text = format!("it stands beside a list of {source} and {destination}: which counts cannot be told");
            fields.error(name, text);
        }
        let mut keys = HashSet::new();
        let mappings = fields.objects(list, |fields| {
            let (value, key) = (fields.string(source), fields.string(destination));
            let (value, key) = (fields.required(source, value), fields.required(destination, key));
            let (value, key) = (value?, key?);
            if !keys.insert(key.clone()) {
                fields.error(destination, format!("{key:?} occurs twice"));
                return None;
            }
            Some(Mapping {
                key,
                value,
                key_pointer: member(&fields.pointer, destination),
                value_pointer: member(&fields.pointer, source),
            })
        });
        mappings.unwrap_or_default().into_iter().flatten().collect()
    }
}
