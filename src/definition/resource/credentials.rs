//! `credentials.json`: the callers that may sign requests for routes with `AWS_IAM`. AWS keeps this in IAM and has no
//! such file.
//!
//! No problem repeats a value: what stands in the wrong field may be a secret.

use std::collections::HashMap;

use crate::definition::credentials::{Credential, Secret, UserArn, is_access_key_id};
use crate::definition::resource::fields::Fields;

/// What the file says.
#[derive(Debug, Default)]
pub struct CredentialList {
    /// The credentials without an error.
    pub valid: Vec<Credential>,
    /// Whether the file says which callers may sign: by a list, be it one with errors in it, or by having none.
    pub is_list: bool,
}

/// Reads the file's credentials, and notes what is wrong with them.
///
/// # Example
/// ```
/// use apigateway::definition::problem::Problems;
/// use apigateway::definition::resource::credentials;
/// use apigateway::definition::resource::fields::Fields;
/// use apigateway::definition::json::Json;
///
/// let text = r#"{"Credentials": [{
///     "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
///     "UserArn": "arn:aws:iam::123456789012:user/ann", "UserId": "AIDAEXAMPLE"
/// }]}"#;
/// let mut problems = Problems::new();
/// let json = Json::parse(text).unwrap();
/// let credentials = credentials::read(Fields::of("credentials.json", &json, &mut problems).unwrap());
/// assert_eq!(credentials.valid[0].user_arn.account_id(), "123456789012");
/// assert!(!problems.has_errors());
/// ```
pub fn read(mut fields: Fields<'_>) -> CredentialList {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut place = 0;
    let list = fields.objects("Credentials", |fields| {
        let credential = read_one(fields, &mut places, place);
        place += 1;
        credential
    });
    // Without a list the file names no caller any more. What is no list is an accident, and the keys before it hold on.
    let is_list = !fields.has_error("Credentials");
    let list = fields.required("Credentials", list);
    fields.finish();
    CredentialList {
        is_list,
        valid: list.unwrap_or_default().into_iter().flatten().collect(),
    }
}

fn read_one(fields: &mut Fields<'_>, places: &mut HashMap<String, usize>, place: usize) -> Option<Credential> {
    let access_key_id = access_key_id(fields);
    if let Some(id) = &access_key_id {
        let first = *places.entry(id.clone()).or_insert(place);
        if first != place {
            let text = format!("/Credentials/{first} has the same access key id");
            fields.error("AccessKeyId", text);
        }
    }
    let secret_access_key = fields.secret("SecretAccessKey");
    let secret_access_key = fields.required("SecretAccessKey", secret_access_key);
    let secret_access_key = visible(fields, "SecretAccessKey", secret_access_key);
    let session_token = fields.secret("SessionToken");
    let session_token = visible(fields, "SessionToken", session_token);
    let user_arn = user_arn(fields);
    let user_id = user_id(fields);
    let is_administrator = fields.boolean("Administrator").unwrap_or_default();
    // A token that is wrong is not an absent one: the key would hold without it.
    if fields.has_error("AccessKeyId") || fields.has_error("SessionToken") {
        return None;
    }
    Some(Credential {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
        user_arn: user_arn?,
        user_id: user_id?,
        is_administrator,
    })
}

fn access_key_id(fields: &mut Fields<'_>) -> Option<String> {
    let id = fields.string("AccessKeyId");
    let id = fields.required("AccessKeyId", id)?;
    if is_access_key_id(&id) {
        return Some(id);
    }
    let text = "not an access key id: letters, digits, - and _, 128 characters at most";
    fields.error("AccessKeyId", text);
    None
}

fn user_arn(fields: &mut Fields<'_>) -> Option<UserArn> {
    let text = fields.string("UserArn");
    let arn = UserArn::parse(&fields.required("UserArn", text)?);
    if arn.is_none() {
        let text = "not the ARN of a user or a session, such as arn:aws:iam::123456789012:user/ann";
        fields.error("UserArn", text);
    }
    arn
}

fn user_id(fields: &mut Fields<'_>) -> Option<String> {
    let id = fields.string("UserId");
    let id = fields.required("UserId", id)?;
    // It goes into events, header fields and log lines.
    if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(id);
    }
    fields.error("UserId", "must be visible ASCII without blanks");
    None
}

fn visible(fields: &mut Fields<'_>, name: &'static str, secret: Option<Secret>) -> Option<Secret> {
    let secret = secret?;
    if secret.is_visible_ascii() {
        return Some(secret);
    }
    fields.error(name, "must be visible ASCII without blanks");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::json::Json;
    use crate::definition::problem::Problems;

    const GOOD: &str = r#"{"AccessKeyId":"AKID","SecretAccessKey":"hidden+/=","UserArn":"arn:aws:iam::123456789012:user/a","UserId":"AIDA"}"#;

    /// The ids of what was read, and the problems.
    fn read_text(text: &str) -> (Vec<String>, Vec<String>) {
        let mut problems = Problems::new();
        let json = Json::parse(text).unwrap();
        let fields = Fields::of("credentials.json", &json, &mut problems);
        let list = fields.map(read).unwrap_or_default().valid;
        let shown = format!("{list:?}");
        assert!(!shown.contains("hidden"), "{shown}");
        let problems = problems.sorted();
        let ids = list.into_iter().map(|credential| credential.access_key_id).collect();
        (ids, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn credentials_that_hold() {
        let session = GOOD
            .replace("AKID", "ASIA")
            .replace("{", "{\"SessionToken\":\"hidden//\",")
            .replace(":iam:", ":sts:");
        let null = GOOD.replace("AKID", "B").replace("{", "{\"SessionToken\":null,");
        let (ids, problems) = read_text(&format!(r#"{{"Credentials":[{GOOD},{session},{null}]}}"#));
        assert_eq!(
            (ids.join(" ").as_str(), problems.join("\n").as_str()),
            ("AKID ASIA B", "")
        );
        assert_eq!(read_text(r#"{"Credentials":[]}"#), (vec![], vec![]));
    }

    #[test]
    fn whole_files_that_are_wrong() {
        for (text, problem) in [
            ("[]", "credentials.json#: error: must be a JSON object, not a list"),
            ("{}", "credentials.json#/Credentials: error: the field is missing"),
            (
                r#"{"Credentials":{"hidden":1}}"#,
                "credentials.json#/Credentials: error: must be a list of objects, not an object",
            ),
            (
                r#"{"Credentials":["hidden"]}"#,
                "credentials.json#/Credentials/0: error: must be an object, not a string",
            ),
            (
                r#"{"Credentials":[],"credentials":[]}"#,
                "credentials.json#/credentials: warning: unknown field; did you mean \"Credentials\"?",
            ),
        ] {
            assert_eq!(read_text(text), (vec![], vec![problem.to_owned()]), "{text}");
        }
    }

    #[test]
    fn each_problem_has_its_place_and_no_value() {
        for (from, to, problem) in [
            ("\"AKID\"", "\"\"", "AccessKeyId: error: not an access key id"),
            ("AKID", "hidden/hidden", "AccessKeyId: error: not an access key id"),
            ("\"AKID\"", "null", "AccessKeyId: error: the field is missing"),
            ("\"AKID\"", "[]", "AccessKeyId: error: must be a string, not a list"),
            ("\"hidden+/=\"", "\"\"", "SecretAccessKey: error: must be visible ASCII"),
            (
                "hidden+/=",
                "hidden\\n",
                "SecretAccessKey: error: must be visible ASCII",
            ),
            (
                "hidden+/=",
                "hidden\u{e9}",
                "SecretAccessKey: error: must be visible ASCII",
            ),
            (
                "\"hidden+/=\"",
                "4711",
                "SecretAccessKey: error: must be a string, not a number",
            ),
            ("\"hidden+/=\"", "null", "SecretAccessKey: error: the field is missing"),
            (
                "{",
                "{\"SessionToken\":\"\",",
                "SessionToken: error: must be visible ASCII",
            ),
            (
                "{",
                "{\"SessionToken\":\"hid den\",",
                "SessionToken: error: must be visible ASCII",
            ),
            (
                "{",
                "{\"SessionToken\":4711,",
                "SessionToken: error: must be a string, not a number",
            ),
            ("arn:aws:iam:", "hidden:", "UserArn: error: not the ARN of a user"),
            ("UserArn", "userArn", "UserArn: error: the field is missing"),
            ("AIDA", "hidden hidden", "UserId: error: must be visible ASCII"),
            ("\"AIDA\"", "true", "UserId: error: must be a string, not a boolean"),
            ("{", "{\"UserId\":\"X\",", "UserId: error: the field occurs twice"),
        ] {
            let wrong = GOOD.replacen(from, to, 1);
            assert_ne!(wrong, GOOD, "{from}");
            let second = GOOD.replace("AKID", "OTHER");
            let (ids, problems) = read_text(&format!(r#"{{"Credentials":[{second},{wrong}]}}"#));
            let shown = problems.join("\n");
            assert!(
                shown.starts_with(&format!("credentials.json#/Credentials/1/{problem}")),
                "{wrong}: {shown}"
            );
            assert!(!shown.contains("hidden") && !shown.contains("4711"), "{shown}");
            assert!(ids.starts_with(&["OTHER".to_owned()]), "{wrong}");
            assert!(problem.contains("twice") || ids.len() == 1, "{wrong}: {ids:?}");
        }
    }

    #[test]
    fn an_access_key_id_belongs_to_one() {
        let (ids, problems) = read_text(&format!(r#"{{"Credentials":[{GOOD},{GOOD}]}}"#));
        assert_eq!(ids, ["AKID"]);
        let expected = "credentials.json#/Credentials/1/AccessKeyId: error: /Credentials/0 has the same access key id";
        assert_eq!(problems, [expected]);
    }
}
