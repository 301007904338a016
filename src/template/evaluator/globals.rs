//! What `Globals` say of a property of a function or an HTTP API (`R32.2`).

use crate::template::evaluator::{Evaluator, Resource};
use crate::template::node::Node;
use crate::template::value::{Data, Value};

impl Evaluator<'_> {
    /// A property, with what `Globals` say of it where the resource is a function or an HTTP API of SAM.
    pub(in crate::template) fn property_with_globals(&self, resource: &Resource, name: &str) -> Value {
        let local = self.property(resource, name);
        match self.global_node(Some(resource), section_of(resource), name) {
            Some(node) => merged(self.eval(node), local),
            None => local,
        }
    }

    /// A property of the API that SAM makes.
    pub(in crate::template) fn property_of_implicit_api(&self, name: &str, absent: Value) -> Value {
        match self.global_node(None, "HttpApi", name) {
            Some(node) => self.eval(node),
            None => absent,
        }
    }

    fn global_node(&self, resource: Option<&Resource>, section: &str, name: &str) -> Option<&Node> {
        let node = self.section("Globals")?.get(section)?.map()?.get(name)?;
        let is_ignored = resource.is_some_and(|resource| match self.attribute(resource, "IgnoreGlobals") {
            Some(Value {
                data: Data::Scalar(scalar),
                ..
            }) => &*scalar.text == "*",
            Some(value) => value.items().iter().any(|item| item.peek() == Some(name)),
            None => false,
        });
        (!is_ignored).then_some(&**node)
    }
}

fn section_of(resource: &Resource) -> &'static str {
    match resource.kind.as_str() {
        "AWS::Serverless::Function" => "Function",
        "AWS::Serverless::HttpApi" => "HttpApi",
        _ => "",
    }
}

/// Mappings deep, lists one after the other, else what the resource says.
fn merged(global: Value, local: Value) -> Value {
    match (global.data, &local.data) {
        (data, Data::Absent) => Value {
            place: global.place,
            data,
        },
        (Data::List(mut items), Data::List(own)) => {
            items.extend(own.iter().cloned());
            Value::list(&local.place, items)
        }
        (Data::Map(members), Data::Map(own)) => {
            let mut all = members;
            for member in own {
                match all.iter_mut().find(|known| known.key.name == member.key.name) {
                    Some(known) => {
                        let global = std::mem::replace(&mut known.value, Value::absent(&local.place));
                        known.value = merged(global, member.value.clone());
                        known.key = member.key.clone();
                    }
                    None => all.push(member.clone()),
                }
            }
            Value {
                place: local.place.clone(),
                data: Data::Map(all),
            }
        }
        _ => local,
    }
}
