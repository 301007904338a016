//! Conditions of a template (`R31.10`). Each is evaluated once.

use std::sync::Arc;

use crate::template::evaluator::{Call, Evaluator, Resource, Truth};
use crate::template::node::{Content, Node};
use crate::template::value::{Data, Value};

impl Evaluator<'_> {
    /// Whether a condition holds.
    ///
    /// # Errors
    /// It cannot be told: a sentence.
    pub(in crate::template) fn condition(&self, name: &str) -> Truth {
        if let Some(known) = self.conditions.borrow().get(name) {
            return known
                .clone()
                .unwrap_or_else(|| Err(format!("the condition {name:?} refers to itself").into()));
        }
        let Some(node) = self.section("Conditions").and_then(|section| section.get(name)) else {
            return Err(format!("there is no condition named {name:?}").into());
        };
        self.conditions.borrow_mut().insert(name.to_owned(), None);
        let truth = self.test(node);
        self.conditions
            .borrow_mut()
            .insert(name.to_owned(), Some(truth.clone()));
        truth
    }

    /// Whether a resource exists.
    ///
    /// # Errors
    /// Its condition cannot be told: a sentence.
    pub(in crate::template) fn exists(&self, resource: &Resource) -> Truth {
        match self.condition_of(resource) {
            Some(condition) => self.condition(&condition),
            None => Ok(true),
        }
    }

    /// The name of a resource's condition.
    pub(in crate::template) fn condition_of(&self, resource: &Resource) -> Option<String> {
        let node = resource.node.map()?.get("Condition")?;
        node.text().map(str::to_owned)
    }

    /// Whether an expression is true.
    pub(super) fn test(&self, node: &Node) -> Truth {
        let too_deep = || Err("the condition refers to itself, or is nested too deep".into());
        self.deeper(too_deep, || {
            if let Some((name, operand)) = node.map().and_then(|map| match map.members.as_slice() {
                [(key, operand)] => Some((&*key.name, operand)),
                _ => None,
            }) && name == "Condition"
            {
                return self.named(operand);
            }
            match self.call_of(node) {
                Ok(Some(call)) => self.test_call(node, &call),
                Ok(None) => truth_of(&self.literal(&node.content, &node.place)),
                Err(why) => Err(why.into()),
            }
        })
    }

    fn named(&self, operand: &Node) -> Truth {
        match operand.text() {
            Some(name) => self.condition(name),
            None => Err("Condition wants the name of a condition".into()),
        }
    }

    pub(super) fn test_call(&self, node: &Node, call: &Call<'_>) -> Truth {
        let operands: &[Arc<Node>] = match call.content {
            Content::List(items) => items,
            _ => &[],
        };
        match (call.name, operands) {
            ("Condition", _) => match call.content {
                Content::Scalar(scalar) => self.condition(&scalar.text),
                _ => Err("!Condition wants the name of a condition".into()),
            },
            ("Equals", [one, other]) => Ok(text_of(&self.eval(one))? == text_of(&self.eval(other))?),
            ("Not", [operand]) => Ok(!self.test(operand)?),
            ("And" | "Or", operands) if (2..=10).contains(&operands.len()) => {
                // One false operand of And, one true of Or tell the whole, whatever the others are.
                let decisive = call.name == "Or";
                let mut unknown = None;
                for operand in operands {
                    match self.test(operand) {
                        Ok(truth) if truth == decisive => return Ok(decisive),
                        Ok(_) => {}
                        Err(why) => unknown = Some(why),
                    }
                }
                unknown.map_or(Ok(!decisive), Err)
            }
            ("Equals", _) => Err("Fn::Equals wants a list of two".into()),
            ("Not", _) => Err("Fn::Not wants a list of one condition".into()),
            ("And" | "Or", _) => Err(format!("Fn::{} wants a list of 2 to 10 conditions", call.name).into()),
            _ => truth_of(&self.call(node, call)),
        }
    }
}

fn truth_of(value: &Value) -> Truth {
    match &value.data {
        Data::Scalar(scalar) if scalar.text.eq_ignore_ascii_case("true") => Ok(true),
        Data::Scalar(scalar) if scalar.text.eq_ignore_ascii_case("false") => Ok(false),
        Data::Unresolved(why) => Err(Arc::clone(why)),
        _ => Err("a condition wants Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition".into()),
    }
}

/// How Fn::Equals sees a value: as text, in which booleans are in small letters.
fn text_of(value: &Value) -> Result<String, Arc<str>> {
    match &value.data {
        Data::Absent => Ok(String::new()),
        Data::Scalar(scalar) => Ok(match scalar.text.to_ascii_lowercase().as_str() {
            word @ ("true" | "false") => word.to_owned(),
            _ => scalar.text.to_string(),
        }),
        Data::List(items) => {
            let texts: Result<Vec<String>, Arc<str>> = items.iter().map(text_of).collect();
            Ok(format!("{:?}", texts?))
        }
        Data::Map(_) => Err("Fn::Equals does not compare mappings".into()),
        Data::Unresolved(why) => Err(Arc::clone(why)),
    }
}
