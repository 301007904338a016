//! The APIs that the gateway serves: what stands in their files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::certificate;
use crate::token;

/// Number of routes of [`Api::ManyRoutes`].
pub const ROUTES: usize = 10_000;

/// The pages of the upstream: a small answer, 1 MiB, and one that takes bodies.
pub const PAGES: [&str; 3] = ["small", "large", "post"];

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// One route for each page of the upstream, and nothing else.
    Plain,
    /// That beside [`ROUTES`] others, which have a literal and a variable each.
    ManyRoutes,
    /// Three request parameters and two response parameters.
    Mapping,
    /// An access log in a file, metrics that are listened for, and a throttle that never says no.
    Accounts,
    /// A JWT authorizer.
    Jwt,
    /// The upstream over TLS.
    Tls,
}

/// Where the upstream listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For HTTP.
    pub plain: u16,
    /// For HTTPS.
    pub tls: u16,
}

/// Files by their path below the root.
pub type Files = BTreeMap<String, Value>;

/// The files of an API.
pub fn files(api: Api, ports: Ports) -> Files {
    let mut files = Files::new();
    let base = format!("http://127.0.0.1:{}", ports.plain);
    for page in PAGES {
        let uri = match api {
            Api::Tls => format!("https://127.0.0.1:{}/{page}", ports.tls),
            _ => format!("{base}/{page}"),
        };
        files.insert(format!("routes/{page}.json"), route(api, &format!("ANY /{page}"), page));
        files.insert(format!("integrations/{page}.json"), integration(api, &uri));
    }
    files.insert(
        "routes/pets.json".to_owned(),
        route(api, "GET /p5000/pets/{id}", "small"),
    );
    if api == Api::ManyRoutes {
        for number in (0..ROUTES).filter(|number| *number != 5000) {
            let key = format!("GET /p{number}/pets/{{id}}");
            files.insert(format!("routes/p{number}.json"), route(api, &key, "small"));
        }
    }
    if api == Api::Jwt {
        let authorizer = json!({
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Issuer": base, "Audience": [token::AUDIENCE]},
        });
        files.insert("authorizers/idp.json".to_owned(), authorizer);
    }
    files.insert("stages/$default.json".to_owned(), stage(api));
    files
}

fn route(api: Api, key: &str, integration: &str) -> Value {
    let mut route = json!({"RouteKey": key, "Target": format!("integrations/{integration}")});
    if api == Api::Jwt {
        merge(
            &mut route,
            json!({"AuthorizationType": "JWT", "AuthorizerId": "authorizers/idp"}),
        );
    }
    route
}

fn integration(api: Api, uri: &str) -> Value {
    let mut integration = json!({
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "ANY",
        "IntegrationUri": uri,
    });
    match api {
        Api::Tls => {
            let tls = json!({"TlsConfig": {"ServerNameToVerify": certificate::NAME}});
            merge(&mut integration, tls);
        }
        Api::Mapping => {
            let mapping = json!({
                "RequestParameters": {
                    "append:header.tenant": "acme-${context.apiId}-${request.path}",
                    "overwrite:header.agent": "$request.header.user-agent",
                    "append:querystring.request": "$context.requestId",
                },
                "ResponseParameters": {"200": {
                    "append:header.request-id": "$context.requestId",
                    "remove:header.etag": "''",
                }},
            });
            merge(&mut integration, mapping);
        }
        _ => {}
    }
    integration
}

fn stage(api: Api) -> Value {
    let mut stage = json!({"Name": "$default"});
    if api == Api::Accounts {
        let throttle = json!({"ThrottlingRateLimit": 1_000_000, "ThrottlingBurstLimit": 1_000_000});
        merge(&mut stage, json!({ "DefaultRouteSettings": throttle }));
    }
    stage
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// Writes an API's files below a directory.
///
/// # Errors
/// One cannot be written.
pub fn write(files: &Files, root: &Path) -> Outcome<()> {
    for (path, json) in files {
        let path = root.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| fs::write(&path, json.to_string()));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
