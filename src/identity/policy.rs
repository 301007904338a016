//! IAM policies, as far as a Lambda authorizer answers with one (`R8.27`, `R8.28`): an explicit deny wins, then an
//! allow, and without either the answer is no.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>
//!
//! # Example
//! ```
//! use apigateway::identity::policy::Policy;
//! use apigateway::definition::json::Json;
//!
//! let text = r#"{"Version": "2012-10-17", "Statement": [
//!     {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:abc/*/GET/pets/*"}
//! ]}"#;
//! let policy = Policy::read(&Json::parse(text).unwrap()).unwrap();
//! assert!(policy.allows("arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/pets/7"));
//! assert!(!policy.allows("arn:aws:execute-api:us-east-1:123456789012:abc/prod/PUT/pets/7"));
//! ```

use crate::definition::json::Json;

/// What a caller of a route does, in IAM's words.
const ACTION: &str = "execute-api:Invoke";

/// The members that a policy and a statement may have. Another one might be a deny that was misspelt.
const POLICY_MEMBERS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_MEMBERS: [&str; 7] = [
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Most statements of a policy, and most patterns of one statement. IAM's own limit is 6,144 characters for all.
const MAX_ITEMS: usize = 1_000;

/// A policy that has the right shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    is_allow: bool,
    action: Patterns,
    resource: Patterns,
    /// It holds only under a condition, or for what a variable stands for; neither can be evaluated here.
    is_conditional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Patterns {
    texts: Vec<String>,
    /// All but what matches is meant: `NotAction`, `NotResource`.
    is_inverted: bool,
}

/// What keeps a document from being a policy, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPolicy(pub String);

impl Policy {
    /// Reads a `policyDocument`.
    ///
    /// # Errors
    /// It is no policy. What one does not understand cannot be passed over: it might be a deny.
    pub fn read(json: &Json) -> Result<Policy, InvalidPolicy> {
        let members = object("the policy document", json, &POLICY_MEMBERS)?;
        let statements = match member(members, "Statement")? {
            Some(Json::Array(items)) => items.as_slice(),
            Some(one @ Json::Object(_)) => std::slice::from_ref(one),
            Some(other) => return Err(invalid(format!("Statement is {}", other.kind()))),
            None => return Err(invalid("Statement is missing")),
        };
        if statements.len() > MAX_ITEMS {
            return Err(invalid(format!("there are more than {MAX_ITEMS} statements")));
        }
        statements
            .iter()
            .map(Statement::read)
            .collect::<Result<_, _>>()
            .map(Policy)
    }

    /// Whether the route with that ARN may be invoked.
    pub fn allows(&self, route_arn: &str) -> bool {
        let mut is_allowed = false;
        for statement in &self.0 {
            if !statement.is_about(route_arn) {
                continue;
            }
            match (statement.is_allow, statement.is_conditional) {
                (false, _) => return false,
                (true, false) => is_allowed = true,
                // Contract §3, R8.31: what cannot be evaluated does not allow.
                (true, true) => {}
            }
        }
        is_allowed
    }
}

impl Statement {
    fn read(json: &Json) -> Result<Statement, InvalidPolicy> {
        let members = object("a statement", json, &STATEMENT_MEMBERS)?;
        let is_allow = match member(members, "Effect")? {
            Some(Json::String(effect)) if effect == "Allow" => true,
            Some(Json::String(effect)) if effect == "Deny" => false,
            _ => return Err(invalid("Effect is neither \"Allow\" nor \"Deny\"")),
        };
        let is_conditional = match member(members, "Condition")? {
            None => false,
            Some(Json::Object(condition)) => !condition.is_empty(),
            Some(other) => return Err(invalid(format!("Condition is {}", other.kind()))),
        };
        let action = Patterns::read(members, "Action", "NotAction")?;
        let resource = Patterns::read(members, "Resource", "NotResource")?;
        Ok(Statement {
            is_allow,
            is_conditional: is_conditional || action.has_variable() || resource.has_variable(),
            action,
            resource,
        })
    }

    fn is_about(&self, route_arn: &str) -> bool {
        let action = |pattern: &str| matches(&pattern.to_ascii_lowercase(), &ACTION.to_ascii_lowercase());
        // What a variable stands for could be anything.
        let covers =
            |patterns: &Patterns, is_meant: &dyn Fn(&str) -> bool| patterns.has_variable() || patterns.cover(is_meant);
        covers(&self.action, &action) && covers(&self.resource, &|pattern| matches(pattern, route_arn))
    }
}

impl Patterns {
    fn read(members: &[(String, Json)], name: &str, inverted: &str) -> Result<Patterns, InvalidPolicy> {
        let (value, is_inverted) = match (member(members, name)?, member(members, inverted)?) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return Err(invalid(format!("a statement has either {name} or {inverted}"))),
        };
        let items = match value {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        if items.is_empty() {
            return Err(invalid(format!("{name} or {inverted} is empty")));
        }
        if items.len() > MAX_ITEMS {
            return Err(invalid(format!("{name} has more than {MAX_ITEMS} items")));
        }
        let text = |item: &Json| match item {
            Json::String(text) => Ok(text.clone()),
            other => Err(invalid(format!("{name} has {}, not a string", other.kind()))),
        };
        let texts = items.iter().map(text).collect::<Result<_, _>>()?;
        Ok(Patterns { texts, is_inverted })
    }

    /// Whether one of them has a policy variable, `${…}`.
    fn has_variable(&self) -> bool {
        self.texts.iter().any(|text| text.contains("${"))
    }

    fn cover(&self, matches: impl Fn(&str) -> bool) -> bool {
        self.texts.iter().any(|text| matches(text)) != self.is_inverted
    }
}

/// `*` stands for any characters, `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last star is, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(at) {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(wanted) if wanted == character || *wanted == '?' => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                of = star_at + 1;
                at = taken + 1;
            }
        }
    }
    pattern
        .get(of..)
        .unwrap_or_default()
        .iter()
        .all(|character| *character == '*')
}

/// The members of an object that has no others than these.
fn object<'a>(what: &str, json: &'a Json, known: &[&str]) -> Result<&'a [(String, Json)], InvalidPolicy> {
    match json {
        Json::Object(members) => match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(invalid(format!("{what} has a member {name:?}, which is not known"))),
            None => Ok(members),
        },
        other => Err(invalid(format!("{what} is {}, not an object", other.kind()))),
    }
}

/// A member, which may stand there once: of two, one could be a deny.
fn member<'a>(members: &'a [(String, Json)], name: &str) -> Result<Option<&'a Json>, InvalidPolicy> {
    let mut found = members.iter().filter(|(member, _)| member == name);
    let first = found.next().map(|(_, value)| value);
    if found.next().is_some() {
        return Err(invalid(format!("{name} stands there twice")));
    }
    Ok(first)
}

fn invalid(text: impl Into<String>) -> InvalidPolicy {
    InvalidPolicy(text.into())
}

#[cfg(test)]
mod tests;
