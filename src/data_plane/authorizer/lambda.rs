//! What a Lambda authorizer answers (`R8.27`–`R8.31`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>

use std::sync::Arc;

use crate::data_plane::lambda::answer::{self, InvalidAnswer, wrong};
use crate::definition::json::Json;
use crate::identity::caller::Caller;
use crate::identity::policy::{InvalidPolicy, Policy};

/// An answer that says yes or no.
#[derive(Debug)]
pub struct Answer {
    verdict: Verdict,
    principal_id: Option<String>,
    context: Option<Arc<Vec<(String, Json)>>>,
}

#[derive(Debug)]
enum Verdict {
    /// For every route.
    Simple(bool),
    /// For each route its own.
    Policy(Policy),
}

impl From<InvalidPolicy> for InvalidAnswer {
    fn from(InvalidPolicy(text): InvalidPolicy) -> InvalidAnswer {
        InvalidAnswer(format!("its policy is none: {text}"))
    }
}

impl Answer {
    /// Reads what the function gave back.
    ///
    /// # Errors
    /// It is neither a simple response, if it should be one, nor a policy.
    pub fn read(payload: &[u8], simple_responses: bool) -> Result<Answer, InvalidAnswer> {
        let members = answer::object(payload)?;
        let context = match member(&members, "context")? {
            None | Some(Json::Null) => None,
            Some(Json::Object(context)) if context.iter().any(|(name, _)| name == "claims") => {
                // R8.31: a function takes those for a token's.
                return Err(InvalidAnswer("\"claims\" is reserved in its context".to_owned()));
            }
            Some(Json::Object(context)) => Some(Arc::new(context.clone())),
            Some(other) => return Err(wrong("context", "an object", other)),
        };
        if simple_responses {
            return match member(&members, "isAuthorized")? {
                Some(Json::Bool(is_authorized)) => Ok(Answer {
                    verdict: Verdict::Simple(*is_authorized),
                    principal_id: None,
                    context,
                }),
                Some(other) => Err(wrong("isAuthorized", "true or false", other)),
                None => Err(InvalidAnswer("it has no \"isAuthorized\"".to_owned())),
            };
        }
        let principal_id = match member(&members, "principalId")? {
            Some(Json::String(id)) => id.clone(),
            Some(other) => return Err(wrong("principalId", "a string", other)),
            None => return Err(InvalidAnswer("it has no \"principalId\"".to_owned())),
        };
        let document = member(&members, "policyDocument")?;
        let document = document.ok_or_else(|| InvalidAnswer("it has no \"policyDocument\"".to_owned()))?;
        Ok(Answer {
            verdict: Verdict::Policy(Policy::read(document)?),
            principal_id: Some(principal_id),
            context,
        })
    }

    /// Who asks, if the route with that ARN may be invoked (`R8.33`).
    pub fn caller(&self, route_arn: &str) -> Option<Caller> {
        let passes = match &self.verdict {
            Verdict::Simple(passes) => *passes,
            Verdict::Policy(policy) => policy.allows(route_arn),
        };
        passes.then(|| Caller::Lambda {
            principal_id: self.principal_id.clone(),
            context: self.context.clone(),
        })
    }
}

/// Whether what a function throws or returns is its way to say that the caller is unknown (`R8.30`).
pub fn is_unauthorized(said: &[u8]) -> bool {
    match answer::parsed(said) {
        Some(Json::String(text)) => text == "Unauthorized",
        Some(Json::Object(members)) => members
            .iter()
            .any(|(name, value)| name == "errorMessage" && *value == Json::String("Unauthorized".to_owned())),
        _ => false,
    }
}

/// A member, which may stand there once: of two answers none counts.
fn member<'a>(members: &'a [(String, Json)], name: &str) -> Result<Option<&'a Json>, InvalidAnswer> {
    let mut found = members.iter().filter(|(member, _)| member == name);
    let first = found.next().map(|(_, value)| value);
    if found.next().is_some() {
        return Err(InvalidAnswer(format!("{name:?} stands there twice")));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_yes_lets_pass() {
        const ALLOW: &str = r#""principalId": "u", "policyDocument": {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
        for (answer, simple, expected) in [
            (r#"{"isAuthorized": true}"#.to_owned(), true, Ok(true)),
            (r#"{"isAuthorized": false}"#.to_owned(), true, Ok(false)),
            (r#"{"isAuthorized": "true"}"#.to_owned(), true, Err("not true or false")),
            (r#"{"isAuthorized": 1}"#.to_owned(), true, Err("not true or false")),
            (
                r#"{"isAuthorized": false, "isAuthorized": true}"#.to_owned(),
                true,
                Err("twice"),
            ),
            (r#"{"context": {}}"#.to_owned(), true, Err("no \"isAuthorized\"")),
            ("true".to_owned(), true, Err("not a JSON object")),
            (String::new(), true, Err("not a JSON object")),
            (
                r#"{"isAuthorized": true, "context": []}"#.to_owned(),
                true,
                Err("not an object"),
            ),
            (
                r#"{"isAuthorized": true, "context": {"claims": 1}}"#.to_owned(),
                true,
                Err("reserved"),
            ),
            (r#"{"isAuthorized": true}"#.to_owned(), false, Err("no \"principalId\"")),
            (format!("{{{ALLOW}}}"), false, Ok(true)),
            (format!("{{{ALLOW}}}"), true, Err("no \"isAuthorized\"")),
            (
                r#"{"principalId": "u"}"#.to_owned(),
                false,
                Err("no \"policyDocument\""),
            ),
            (
                r#"{"principalId": 1, "policyDocument": {}}"#.to_owned(),
                false,
                Err("not a string"),
            ),
            (
                r#"{"principalId": "u", "policyDocument": {}}"#.to_owned(),
                false,
                Err("Statement is missing"),
            ),
            (
                r#"{"principalId": "u", "policyDocument": {"Statement": []}}"#.to_owned(),
                false,
                Ok(false),
            ),
        ] {
            let got = Answer::read(answer.as_bytes(), simple);
            match expected {
                Ok(passes) => assert_eq!(got.unwrap().caller("arn").is_some(), passes, "{answer}"),
                Err(says) => {
                    let InvalidAnswer(text) = got.expect_err(&answer);
                    assert!(text.contains(says), "{answer}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_failure_can_say_that_nobody_is_known() {
        for (failure, expected) in [
            (r#"{"errorMessage": "Unauthorized", "errorType": "Error"}"#, true),
            (r#"{"errorMessage": "unauthorized"}"#, false),
            (r#"{"errorType": "Unauthorized"}"#, false),
            (r#""Unauthorized""#, true),
            ("Unauthorized", false),
            ("", false),
        ] {
            assert_eq!(is_unauthorized(failure.as_bytes()), expected, "{failure}");
        }
    }
}
