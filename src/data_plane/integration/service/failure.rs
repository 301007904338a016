//! What a service's answer says of an error: its code, its message, and whether it is the gateway that is refused.

use crate::definition::json::Json;
use crate::http1::message::Headers;

/// Most bytes of an answer that are looked at for an error. Errors of services are short.
pub const LOOKED_AT: usize = 64 * 1024;

/// Most characters of a message that are kept.
const MAX_MESSAGE_LENGTH: usize = 1024;

/// Codes of errors by which a service says that the gateway may not call it (contract S15), without `Exception` at
/// their ends.
const REFUSALS: [&str; 12] = [
    "AccessDenied",
    "AuthFailure",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignature",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];

/// What codes of SQS may begin with.
const SQS_PREFIX: &str = "AWS.SimpleQueueService.";

/// What the client's operator is told where a service refuses the gateway: AWS's own sentence.
pub const NO_PERMISSION: &str = "The IAM role configured on the integration or API Gateway doesn't have permissions to \
    call the integration. Check the permissions and try again.";

/// An error of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFailure {
    /// Its code.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

impl ServiceFailure {
    /// Reads an answer whose status is 400 or above; `body` is the beginning of its content.
    pub fn of(headers: &Headers, body: &[u8]) -> ServiceFailure {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start();
        let of_body = match text.as_bytes().first() {
            Some(b'{') => of_json(text),
            Some(b'<') => of_xml(text),
            _ => ServiceFailure::default(),
        };
        let in_field = headers.get("x-amzn-errortype").map(String::from_utf8_lossy);
        // `Code:http://internal…`
        let in_field = in_field.and_then(|text| Some(text.split(':').next()?.trim().to_owned()));
        ServiceFailure {
            code: of_body.code.or(in_field).map(shortened),
            message: of_body.message.map(shortened),
        }
    }

    /// Whether it is the gateway that is refused.
    pub fn refuses_the_gateway(&self, status: u16) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        let code = code.strip_prefix(SQS_PREFIX).unwrap_or(code);
        let code = code.strip_suffix("Exception").unwrap_or(code);
        matches!(status, 401 | 403) || REFUSALS.contains(&code)
    }
}

fn of_json(text: &str) -> ServiceFailure {
    let Ok(Json::Object(members)) = Json::parse(text) else {
        return ServiceFailure::default();
    };
    let text = |name: &str| {
        members.iter().find_map(|(member, value)| match value {
            Json::String(text) if member == name => Some(text.as_str()),
            _ => None,
        })
    };
    // `com.amazonaws.kinesis#Code`
    let code = text("__type").map(|kind| kind.rsplit('#').next().unwrap_or(kind));
    ServiceFailure {
        code: code.map(str::to_owned),
        message: text("message").or_else(|| text("Message")).map(str::to_owned),
    }
}

fn of_xml(text: &str) -> ServiceFailure {
    ServiceFailure {
        code: element(text, "Code"),
        message: element(text, "Message"),
    }
}

/// The text of the first element of that name.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let mut inner = inner.trim().to_owned();
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        inner = inner.replace(entity, character);
    }
    Some(inner)
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_MESSAGE_LENGTH) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(fields: &[(&'static str, &str)], body: &str) -> (Option<String>, Option<String>) {
        let ServiceFailure { code, message } = ServiceFailure::of(&Headers::of(fields), body.as_bytes());
        (code, message)
    }

    #[test]
    fn codes_and_messages_in_each_form() {
        let some = |text: &str| Some(text.to_owned());
        let xml = "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>A.B</Code>\
                   <Message>x &lt;y&gt; &amp;amp;</Message></Error></ErrorResponse>";
        for (fields, body, code, message) in [
            (&[][..], r#"{"__type":"com.x#A","message":"m"}"#, some("A"), some("m")),
            (&[], r#" {"__type":"A","Message":"M"}"#, some("A"), some("M")),
            (&[], xml, some("A.B"), some("x <y> &amp;")),
            (&[("x-amzn-errortype", "A:http://x")], "{}", some("A"), None),
            (&[("x-amzn-errortype", "A")], "", some("A"), None),
            (
                &[],
                r#"{"message":"<Code>AccessDenied</Code>"}"#,
                None,
                some("<Code>AccessDenied</Code>"),
            ),
            (&[], r#"{"message":1"#, None, None),
            (&[], "AccessDenied", None, None),
        ] {
            assert_eq!(failure(fields, body), (code, message), "{body}");
        }
        let long = format!(r#"{{"message":"{}"}}"#, "é".repeat(2000));
        assert_eq!(failure(&[], &long).1.map(|text| text.chars().count()), Some(1024));
    }

    #[test]
    fn which_errors_are_about_the_gateway() {
        let refuses = |status, code: &str| {
            let code = Some(code.to_owned());
            ServiceFailure { code, message: None }.refuses_the_gateway(status)
        };
        let codes = "AccessDenied AccessDeniedException AuthFailure ExpiredToken ExpiredTokenException \
            IncompleteSignature InvalidClientTokenId InvalidSignatureException MissingAuthenticationToken \
            MissingAuthenticationTokenException NotAuthorized OptInRequired RequestExpired SignatureDoesNotMatch \
            UnrecognizedClientException AWS.SimpleQueueService.AccessDenied";
        for code in codes.split_whitespace() {
            assert!(refuses(400, code), "{code}");
        }
        for code in [
            "",
            "ValidationException",
            "Exception",
            "accessdenied",
            "AccessDeniedX",
            "QueueDoesNotExist",
        ] {
            assert!(!refuses(400, code), "{code}");
            assert!(refuses(401, code) && refuses(403, code), "{code}");
        }
    }
}
