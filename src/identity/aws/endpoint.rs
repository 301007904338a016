//! Where a service is, and for which region requests to it are signed (contract S10, S16, S17).

use crate::definition::notation::arn::is_region;
use crate::definition::notation::integration_subtype::{IntegrationSubtype, Service};
use crate::http1::target::Scheme;
use crate::identity::aws::profile::Profile;
use crate::identity::aws::settings::Settings;
use crate::outbound::upstream::url::Url;

/// The region where nothing says another.
const DEFAULT_REGION: &str = "us-east-1";

/// How AWS's own hosts end. What is behind them checks signatures.
const DOMAINS_OF_AWS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// Where the services are.
#[derive(Debug)]
pub(super) struct Configuration {
    /// Each service with its endpoint, where that is not AWS's.
    endpoints: Vec<(Service, Option<Url>)>,
    region: String,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's.
    pub authority: String,
    /// What stands before the path of every request; no slash at its end.
    pub path_prefix: String,
    /// The region for which the call is signed.
    pub region: String,
    /// Whether the endpoint was configured.
    is_own: bool,
}

/// Reads the URL of an endpoint.
///
/// # Errors
/// A sentence on what is wrong with it: it needs a scheme and a host, and has no query.
pub fn parse_endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)?;
    match url.query {
        Some(_) => Err("the URI of an endpoint has no query".to_owned()),
        None => Ok(url),
    }
}

impl Configuration {
    /// Looks for endpoints and region. The profile is read only where nothing before it says so.
    ///
    /// # Errors
    /// A sentence that names the variable or the file.
    pub(super) fn read(settings: &Settings) -> Result<Configuration, String> {
        let environment = &settings.environment;
        let mut profile = None;
        let mut of_profile = |name: &str| {
            if profile.is_none() {
                profile = Some(Profile::load(environment)?);
            }
            let value = profile.as_ref().and_then(|profile| profile.get(name));
            Ok::<_, String>(value.map(str::to_owned))
        };
        let is_ignored = environment.says_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let mut endpoints = Vec::new();
        for service in Service::ALL {
            let url = match &settings.endpoint_url {
                Some(url) => Some(url.clone()),
                None if is_ignored => None,
                None => {
                    let own = format!("AWS_ENDPOINT_URL_{}", service.endpoint_suffix());
                    let variables = [own.as_str(), "AWS_ENDPOINT_URL"].into_iter();
                    let mut found = variables.filter_map(|name| Some((name, environment.get(name)?)));
                    let (name, text) = match found.next() {
                        Some((name, text)) => (name, Some(text)),
                        None => ("endpoint_url of the AWS profile", of_profile("endpoint_url")?),
                    };
                    let parsed = text.map(|text| parse_endpoint(&text)).transpose();
                    parsed.map_err(|error| format!("{name}: {error}"))?
                }
            };
            endpoints.push((service, url));
        }
        let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        let mut found = variables
            .iter()
            .filter_map(|name| Some((*name, environment.get(name)?)));
        let (name, region) = match (&settings.region, found.next()) {
            (Some(region), _) => ("--region", Some(region.clone())),
            (None, Some((name, region))) => (name, Some(region)),
            (None, None) => ("region of the AWS profile", of_profile("region")?),
        };
        let region = region.unwrap_or_else(|| DEFAULT_REGION.to_owned());
        // It becomes a part of the host.
        if !is_region(&region) {
            return Err(format!("{name}: {region:?} is not a region"));
        }
        if profile.is_some_and(|profile| profile.get("services").is_some()) {
            log::warn!("the AWS profile names a section of services: endpoints in it are not read");
        }
        Ok(Configuration { endpoints, region })
    }

    /// Where a call goes; `region` is that of the call, where it has one.
    pub(super) fn destination(&self, subtype: IntegrationSubtype, region: Option<&str>) -> Destination {
        let region = region.unwrap_or(&self.region);
        let service = subtype.service();
        let endpoint = self.endpoints.iter().find(|(known, _)| *known == service);
        match endpoint.and_then(|(_, url)| url.as_ref()) {
            Some(url) => Destination {
                scheme: url.scheme,
                authority: url.authority.clone(),
                path_prefix: url.path.trim_end_matches('/').to_owned(),
                region: region.to_owned(),
                is_own: true,
            },
            None => {
                let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
                Destination {
                    scheme: Scheme::Https,
                    authority: format!("{}.{region}.amazonaws.com{suffix}", subtype.host_label()),
                    path_prefix: String::new(),
                    region: region.to_owned(),
                    is_own: false,
                }
            }
        }
    }
}

impl Destination {
    /// Whether it is no service of AWS's, so that any key will do.
    pub(super) fn is_stand_in(&self) -> bool {
        // An IPv6 address has colons too, but no such end.
        let host = match self.authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => &self.authority,
        };
        let host = host.trim_end_matches('.');
        self.is_own && !DOMAINS_OF_AWS.iter().any(|domain| host.ends_with(domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::aws::environment::Environment;

    fn settings(endpoint_url: &str, region: &str, variables: &[(&str, &str)]) -> Settings {
        let given = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings {
            endpoint_url: (!endpoint_url.is_empty()).then(|| parse_endpoint(endpoint_url).unwrap()),
            region: (!region.is_empty()).then(|| region.to_owned()),
            environment: Environment::Given(given.collect()),
        }
    }

    fn url_of(settings: &Settings, subtype: &str, region: Option<&str>) -> Result<(String, String), String> {
        let subtype = IntegrationSubtype::parse(subtype).unwrap();
        let destination = Configuration::read(settings)?.destination(subtype, region);
        let scheme = destination.scheme.as_str();
        let url = format!("{scheme}://{}{}", destination.authority, destination.path_prefix);
        Ok((url, destination.region))
    }

    #[test]
    fn the_first_endpoint_that_is_set_counts() {
        let (own, all) = (
            ("AWS_ENDPOINT_URL_SQS", "http://own"),
            ("AWS_ENDPOINT_URL", "http://all:1/base/"),
        );
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        for (flag, variables, subtype, expected) in [
            ("http://flag", &[own, all][..], "SQS-SendMessage", "http://flag"),
            ("", &[own, all], "SQS-SendMessage", "http://own"),
            ("", &[own, all], "Kinesis-PutRecord", "http://all:1/base"),
            (
                "",
                &[own],
                "Kinesis-PutRecord",
                "https://kinesis.us-east-1.amazonaws.com",
            ),
            (
                "",
                &[own, all, ignored],
                "SQS-SendMessage",
                "https://sqs.us-east-1.amazonaws.com",
            ),
            ("http://flag", &[ignored], "SQS-SendMessage", "http://flag"),
            (
                "",
                &[("AWS_ENDPOINT_URL_SQS", ""), all],
                "SQS-SendMessage",
                "http://all:1/base",
            ),
            (
                "",
                &[("AWS_ENDPOINT_URL_SFN", "http://sfn")],
                "StepFunctions-StartSyncExecution",
                "http://sfn",
            ),
            (
                "",
                &[("AWS_ENDPOINT_URL_EVENTBRIDGE", "http://e")],
                "EventBridge-PutEvents",
                "http://e",
            ),
            (
                "",
                &[("AWS_ENDPOINT_URL_APPCONFIG", "http://a")],
                "AppConfig-GetConfiguration",
                "http://a",
            ),
        ] {
            let got = url_of(&settings(flag, "", variables), subtype, None).unwrap();
            assert_eq!(got.0, expected, "{flag} {variables:?}");
        }
        for url in [
            "localhost:4566",
            "http://",
            "http://h?a=b",
            "http://u:p@h",
            "ftp://h",
            "/a",
        ] {
            let error = url_of(&settings("", "", &[("AWS_ENDPOINT_URL", url)]), "SQS-PurgeQueue", None);
            let error = error.unwrap_err();
            assert!(
                error.starts_with("AWS_ENDPOINT_URL: ") && !error.contains("u:p"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_host_follows_the_region() {
        for (flag, variables, region, subtype, host) in [
            ("", &[][..], None, "SQS-PurgeQueue", "sqs.us-east-1.amazonaws.com"),
            (
                "eu-west-1",
                &[("AWS_REGION", "a-1")],
                None,
                "SQS-PurgeQueue",
                "sqs.eu-west-1.amazonaws.com",
            ),
            (
                "eu-west-1",
                &[],
                Some("cn-north-1"),
                "SQS-PurgeQueue",
                "sqs.cn-north-1.amazonaws.com.cn",
            ),
            (
                "",
                &[("AWS_DEFAULT_REGION", "eu-west-2"), ("AWS_REGION", "eu-west-3")],
                None,
                "EventBridge-PutEvents",
                "events.eu-west-3.amazonaws.com",
            ),
            (
                "",
                &[("AWS_DEFAULT_REGION", "eu-west-2")],
                None,
                "StepFunctions-StartSyncExecution",
                "sync-states.eu-west-2.amazonaws.com",
            ),
            (
                "",
                &[],
                None,
                "StepFunctions-StopExecution",
                "states.us-east-1.amazonaws.com",
            ),
            (
                "",
                &[],
                None,
                "AppConfig-GetConfiguration",
                "appconfig.us-east-1.amazonaws.com",
            ),
        ] {
            let (url, signed) = url_of(&settings("", flag, variables), subtype, region).unwrap();
            assert_eq!(url, format!("https://{host}"));
            assert!(host.contains(&format!(".{signed}.")), "{signed}");
        }
        let evil = settings("", "", &[("AWS_REGION", "evil.test/")]);
        assert!(
            url_of(&evil, "SQS-PurgeQueue", None)
                .unwrap_err()
                .starts_with("AWS_REGION: ")
        );
    }

    #[test]
    fn a_stand_in_is_no_host_of_aws() {
        for (url, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://[::1]:1", true),
            ("https://vpce-1.sqs.us-east-1.vpce.amazonaws.com", false),
            ("https://sqs.us-east-1.amazonaws.com:443", false),
            ("https://sqs.us-east-1.amazonaws.com.", false),
            ("https://sqs.us-east-1.api.aws", false),
            ("https://amazonaws.com.evil.test", true),
        ] {
            let configuration = Configuration::read(&settings(url, "", &[])).unwrap();
            let destination = configuration.destination(IntegrationSubtype::PurgeQueue, None);
            assert_eq!(destination.is_stand_in(), expected, "{url}");
        }
        let aws = Configuration::read(&settings("", "", &[])).unwrap();
        assert!(!aws.destination(IntegrationSubtype::PurgeQueue, None).is_stand_in());
    }
}
