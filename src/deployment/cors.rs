//! The CORS configuration, checked, with its lists joined (`R7.1`–`R7.4`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use crate::definition::problem::Problems;
use crate::definition::resource::api::Cors as Resource;
use crate::http1::message::{Method, is_token};
use crate::http1::target::is_authority;

/// What `MaxAge` may be, in seconds; -1 forbids to remember the answer (`R7.18`).
const MAX_AGE: std::ops::RangeInclusive<i64> = -1..=86_400;

/// The field of `api.json` that all problems are about.
const POINTER: &str = "/CorsConfiguration";

/// What browsers are told. Lists are joined with `,`; those that are empty are none.
#[derive(Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose scripts may read answers.
    pub origins: Vec<AllowedOrigin>,
    /// `Access-Control-Allow-Methods`.
    pub methods: Option<String>,
    /// `Access-Control-Allow-Headers`.
    pub headers: Option<String>,
    /// `Access-Control-Expose-Headers`.
    pub exposed: Option<String>,
    /// Whether cookies may come along.
    pub credentials: bool,
    /// `Access-Control-Max-Age`, in seconds.
    pub max_age: Option<i64>,
}

/// An entry of `AllowOrigins` (`R7.2`).
#[derive(Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every origin.
    Any,
    /// `https://*`: every origin that begins so.
    Prefix(&'static str),
    /// This origin.
    Exact(String),
}

impl AllowedOrigin {
    fn parse(text: &str) -> Option<AllowedOrigin> {
        match text {
            "*" => return Some(AllowedOrigin::Any),
            "https://*" => return Some(AllowedOrigin::Prefix("https://")),
            "http://*" => return Some(AllowedOrigin::Prefix("http://")),
            _ => {}
        }
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        (is_scheme && is_authority(authority)).then(|| AllowedOrigin::Exact(text.to_owned()))
    }
}

impl Cors {
    /// Checks the configuration.
    pub(super) fn check(file: &str, resource: &Resource, problems: &mut Problems) -> Cors {
        let mut origins = Vec::new();
        for (at, text) in resource.allow_origins.iter().enumerate() {
            match AllowedOrigin::parse(text) {
                Some(origin) => origins.push(origin),
                None => {
                    let text = format!(
                        "{text:?} is not an origin such as https://www.example.com, nor *, https://* or http://*"
                    );
                    problems.error(file, format!("{POINTER}/AllowOrigins/{at}"), text);
                }
            }
        }
        if resource.allow_origins.is_empty() && !problems.has_error(file, &format!("{POINTER}/AllowOrigins")) {
            let text = "no origin is allowed: no browser will show an answer to another site";
            problems.warning(file, format!("{POINTER}/AllowOrigins"), text);
        }
        if resource.allow_credentials && origins.contains(&AllowedOrigin::Any) {
            // R7.4: AWS's own words.
            let text = "allow-credentials is not supported if 'allow-origin' is *";
            problems.error(file, format!("{POINTER}/AllowCredentials"), text);
        }
        if let Some(age) = resource.max_age.filter(|age| !MAX_AGE.contains(age)) {
            let (least, most) = (MAX_AGE.start(), MAX_AGE.end());
            let text = format!("{age} is not between {least} and {most} s");
            problems.error(file, format!("{POINTER}/MaxAge"), text);
        }
        let is_method = |text: &str| Method::parse(text).is_some();
        // A `*` may stand in a name, but a user who writes x-* means something else (R7.3).
        let is_name = |text: &str| is_token(text.as_bytes()) && !text.contains('*');
        Cors {
            origins,
            methods: joined(
                file,
                "AllowMethods",
                &resource.allow_methods,
                "a method",
                is_method,
                problems,
            ),
            headers: joined(
                file,
                "AllowHeaders",
                &resource.allow_headers,
                "a header name",
                is_name,
                problems,
            ),
            exposed: joined(
                file,
                "ExposeHeaders",
                &resource.expose_headers,
                "a header name",
                is_name,
                problems,
            ),
            credentials: resource.allow_credentials,
            max_age: resource.max_age,
        }
    }
}

fn joined(
    file: &str,
    field: &str,
    texts: &[String],
    wanted: &str,
    is_wanted: impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<String> {
    for (at, text) in texts.iter().enumerate() {
        if text != "*" && !is_wanted(text) {
            let text = format!("{text:?} is neither {wanted} nor *");
            problems.error(file, format!("{POINTER}/{field}/{at}"), text);
        }
    }
    (!texts.is_empty()).then(|| texts.join(","))
}
