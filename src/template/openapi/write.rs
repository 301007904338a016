//! Writes an API's files as an OpenAPI document, as AWS's ExportApi does (`R30.21` to `R30.27`).

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::json::Json;
use crate::template::openapi::file_id::ID;
use crate::template::openapi::integration::{SHARED, UNUSED};
use crate::template::openapi::read::{ANY_METHOD, INTEGRATION};
use crate::template::openapi::write_parts::{
    authorizer_scheme, boolean, cors_of, iam_scheme, integration, member, object, parameter, text, text_of, texts_of,
    variables,
};
use crate::template::openapi::yaml_writer;
use crate::template::output::pretty;

/// The files of an API, by their paths below its folder.
pub type Files = BTreeMap<String, Json>;

/// How an API is written.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The stage whose address stands in `servers`, and whose routes are written.
    pub stage: Option<String>,
    /// Whether what OpenAPI itself does not have is left out.
    pub no_extensions: bool,
    /// Whether the ids of files are written.
    pub ids: bool,
    /// The URL of the API.
    pub endpoint: String,
}

/// A document, and what it cannot say.
#[derive(Debug)]
pub struct Document {
    /// The document.
    pub json: Json,
    /// A sentence for each kind of thing that is not in it.
    pub notes: Vec<String>,
}

impl Document {
    /// As YAML.
    pub fn to_yaml(&self) -> String {
        yaml_writer::to_yaml(&self.json)
    }

    /// As two-space JSON.
    pub fn to_json(&self) -> String {
        pretty(&self.json) + "\n"
    }
}

/// The methods of a path, in their order.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", ANY_METHOD];

/// A route while it is being written.
struct Route<'a> {
    id: &'a str,
    key: &'a str,
    method: String,
    json: &'a Json,
    /// The id of its integration.
    target: Option<&'a str>,
}

/// Writes an API.
///
/// # Errors
/// A sentence: the stage is not there.
pub fn write(files: &Files, settings: &Settings) -> Result<Document, String> {
    let writer = Writer::of(files, settings)?;
    Ok(writer.document())
}

struct Writer<'a> {
    files: &'a Files,
    settings: &'a Settings,
    /// By path, then by the place of the method.
    routes: BTreeMap<String, Vec<Route<'a>>>,
    /// Ids of integrations that several routes have.
    shared: BTreeSet<&'a str>,
    used: BTreeSet<&'a str>,
    /// Names of schemes by the ids of authorizers.
    schemes: BTreeMap<&'a str, String>,
    iam: String,
    notes: Vec<String>,
}

/// The files of a kind, with their ids.
fn of_kind<'a>(files: &'a Files, directory: &'static str) -> impl Iterator<Item = (&'a str, &'a Json)> {
    files.iter().filter_map(move |(path, json)| {
        let name = path.strip_prefix(directory)?.strip_prefix('/')?.strip_suffix(".json")?;
        Some((name, json))
    })
}

impl<'a> Writer<'a> {
    fn of(files: &'a Files, settings: &'a Settings) -> Result<Writer<'a>, String> {
        let mut schemes = BTreeMap::new();
        let mut names = BTreeSet::new();
        for (id, json) in of_kind(files, "authorizers") {
            let name = text_of(json, "Name").filter(|name| !name.is_empty()).unwrap_or(id);
            let name = match names.insert(name.to_owned()) {
                true => name.to_owned(),
                false => id.to_owned(),
            };
            names.insert(name.clone());
            schemes.insert(id, name);
        }
        let mut iam = "AWS_IAM".to_owned();
        while names.contains(&iam) {
            iam.push('_');
        }
        let mut writer = Writer {
            files,
            settings,
            routes: BTreeMap::new(),
            shared: BTreeSet::new(),
            used: BTreeSet::new(),
            schemes,
            iam,
            notes: Vec::new(),
        };
        writer.gather(writer.served()?);
        Ok(writer)
    }

    /// The ids of the routes that the stage of the settings serves; none where it serves all.
    fn served(&self) -> Result<Option<BTreeSet<&'a str>>, String> {
        let Some(stage) = &self.settings.stage else {
            return Ok(None);
        };
        let Some((_, json)) = of_kind(self.files, "stages").find(|(name, _)| name == stage) else {
            return Err(format!("the API has no stage {stage:?}"));
        };
        let routes = member(json, "Routes").map(|routes| {
            let ids = texts_of(routes).into_iter();
            ids.map(|id| id.strip_prefix("routes/").unwrap_or(id)).collect()
        });
        Ok(routes)
    }

    fn gather(&mut self, served: Option<BTreeSet<&'a str>>) {
        for (id, json) in of_kind(self.files, "routes") {
            if served.as_ref().is_some_and(|served| !served.contains(id)) {
                continue;
            }
            let Some(key) = text_of(json, "RouteKey") else { continue };
            let (method, path) = match key.split_once(' ') {
                Some(("ANY", path)) => (ANY_METHOD.to_owned(), path),
                Some((method, path)) => (method.to_ascii_lowercase(), path),
                None => (ANY_METHOD.to_owned(), "/$default"),
            };
            let target = text_of(json, "Target").and_then(|target| target.strip_prefix("integrations/"));
            match target {
                Some(target) if !self.used.insert(target) => drop(self.shared.insert(target)),
                Some(_) => {}
                None => self
                    .notes
                    .push(format!("{key} has no integration, so no import makes it a route")),
            }
            self.routes.entry(path.to_owned()).or_default().push(Route {
                id,
                key,
                method,
                json,
                target,
            });
        }
        for routes in self.routes.values_mut() {
            routes.sort_by_key(|route| METHODS.iter().position(|method| *method == route.method));
        }
    }

    fn document(mut self) -> Document {
        let none = Json::Object(Vec::new());
        let api = self.files.get("api.json").unwrap_or(&none);
        let name = text_of(api, "Name").or_else(|| text_of(api, "ApiId")).unwrap_or("api");
        let mut info = vec![("title".to_owned(), text(name))];
        if let Some(description) = text_of(api, "Description").filter(|text| !text.is_empty()) {
            info.push(("description".to_owned(), text(description)));
        }
        let version = text_of(api, "Version")
            .filter(|version| !version.is_empty())
            .unwrap_or("1.0");
        info.push(("version".to_owned(), text(version)));
        let mut document = vec![
            ("openapi".to_owned(), text("3.0.1")),
            ("info".to_owned(), Json::Object(info)),
        ];
        let is_closed = member(api, "DisableExecuteApiEndpoint").and_then(boolean) == Some(true);
        document.extend(self.servers(is_closed).map(|servers| ("servers".to_owned(), servers)));
        document.push(("paths".to_owned(), self.paths()));
        document.extend(
            self.components()
                .map(|components| ("components".to_owned(), components)),
        );
        if !self.settings.no_extensions {
            if let Some(cors) = member(api, "CorsConfiguration").filter(|cors| !cors.is_empty()) {
                document.push(("x-amazon-apigateway-cors".to_owned(), cors_of(cors)));
            }
            document.push(("x-amazon-apigateway-importexport-version".to_owned(), text("1.0")));
        }
        self.note_the_rest();
        Document {
            json: Json::Object(document),
            notes: self.notes,
        }
    }

    fn servers(&self, is_closed: bool) -> Option<Json> {
        let endpoint = &self.settings.endpoint;
        let mut server = Vec::new();
        match &self.settings.stage {
            Some(stage) => {
                let base = if stage == "$default" { "" } else { stage };
                server.push(("url".to_owned(), text(&format!("{endpoint}/{{basePath}}"))));
                let variable = object([("basePath", object([("default", text(base))]))]);
                server.push(("variables".to_owned(), variable));
            }
            None if is_closed && !self.settings.no_extensions => server.push(("url".to_owned(), text(endpoint))),
            None => return None,
        }
        if is_closed && !self.settings.no_extensions {
            let flag = object([("disableExecuteApiEndpoint", Json::Bool(true))]);
            server.push(("x-amazon-apigateway-endpoint-configuration".to_owned(), flag));
        }
        Some(Json::Array(vec![Json::Object(server)]))
    }

    fn paths(&self) -> Json {
        let mut paths: Vec<(String, Json)> = Vec::new();
        let (default, named): (Vec<_>, Vec<_>) = self.routes.iter().partition(|(path, _)| *path == "/$default");
        for (path, routes) in named.into_iter().chain(default) {
            let is_default = path == "/$default";
            let is_written = |route: &&Route<'_>| !self.settings.no_extensions || route.method != ANY_METHOD;
            let written = routes.iter().filter(is_written);
            let mut item: Vec<(String, Json)> = written
                .map(|route| (route.method.clone(), self.operation(route, is_default)))
                .collect();
            if item.is_empty() {
                continue;
            }
            let parameters: Vec<Json> = variables(path).into_iter().map(parameter).collect();
            if !parameters.is_empty() {
                item.push(("parameters".to_owned(), Json::Array(parameters)));
            }
            paths.push((path.clone(), Json::Object(item)));
        }
        Json::Object(paths)
    }

    fn operation(&self, route: &Route<'_>, is_default: bool) -> Json {
        let mut operation = Vec::new();
        if let Some(name) = text_of(route.json, "OperationName") {
            operation.push(("operationId".to_owned(), text(name)));
        }
        let description = format!("Default response for {}", route.key);
        let response = object([("default", object([("description", text(&description))]))]);
        operation.push(("responses".to_owned(), response));
        operation.extend(
            self.security(route.json)
                .map(|security| ("security".to_owned(), security)),
        );
        if self.settings.no_extensions {
            return Json::Object(operation);
        }
        if is_default {
            operation.push(("isDefaultRoute".to_owned(), Json::Bool(true)));
        }
        if let Some(integration) = route.target.and_then(|target| self.integration(target)) {
            operation.push((INTEGRATION.to_owned(), integration));
        }
        if self.settings.ids {
            operation.push((ID.to_owned(), text(route.id)));
        }
        Json::Object(operation)
    }

    fn security(&self, route: &Json) -> Option<Json> {
        let name = match text_of(route, "AuthorizationType")? {
            "AWS_IAM" => self.iam.as_str(),
            "JWT" | "CUSTOM" => {
                let id = text_of(route, "AuthorizerId")?;
                self.schemes.get(id.strip_prefix("authorizers/").unwrap_or(id))?
            }
            _ => return None,
        };
        let is_jwt = text_of(route, "AuthorizationType") == Some("JWT");
        let scopes = member(route, "AuthorizationScopes").filter(|_| is_jwt);
        let scopes = scopes.cloned().unwrap_or_else(|| Json::Array(Vec::new()));
        Some(Json::Array(vec![object([(name, scopes)])]))
    }

    /// An integration in its place, or a reference to it.
    fn integration(&self, id: &str) -> Option<Json> {
        if self.is_referred_to(id) {
            let name = id.replace('~', "~0").replace('/', "~1");
            return Some(object([("$ref", text(&format!("#/components/{SHARED}/{name}")))]));
        }
        self.written_integration(id)
    }

    /// Whether routes refer to an integration. Without ids one is written for each route, unless its URI has a variable
    /// that only some of its routes have: alone, the others could not have it.
    fn is_referred_to(&self, id: &str) -> bool {
        if !self.shared.contains(id) {
            return false;
        }
        let json = self.files.get(&format!("integrations/{id}.json"));
        let uri = json
            .and_then(|json| text_of(json, "IntegrationUri"))
            .unwrap_or_default();
        let uri = uri.replace("${", "$");
        let is_in = |path: &str, name: &str| variables(path).iter().any(|known| known.trim_end_matches('+') == name);
        let of_some = |name: &&str| {
            let mut users = self
                .routes
                .iter()
                .filter(|(_, routes)| routes.iter().any(|route| route.target == Some(id)));
            users.any(|(path, _)| !is_in(path, name.trim_end_matches('+')))
        };
        self.settings.ids || variables(&uri).iter().any(of_some)
    }

    fn written_integration(&self, id: &str) -> Option<Json> {
        let json = self.files.get(&format!("integrations/{id}.json"))?;
        let mut fields = integration(json);
        if self.settings.ids {
            fields.push((ID.to_owned(), text(id)));
        }
        Some(Json::Object(fields))
    }

    fn components(&self) -> Option<Json> {
        let mut components = Vec::new();
        let mut schemes: BTreeMap<&str, Json> = BTreeMap::new();
        for (id, json) in of_kind(self.files, "authorizers") {
            let Some(name) = self.schemes.get(id) else { continue };
            let mut scheme = authorizer_scheme(json, self.settings.no_extensions);
            if self.settings.ids && !self.settings.no_extensions {
                scheme.push((ID.to_owned(), text(id)));
            }
            schemes.insert(name, Json::Object(scheme));
        }
        let has_iam = |route: &Route<'_>| text_of(route.json, "AuthorizationType") == Some("AWS_IAM");
        if self.routes.values().flatten().any(has_iam) {
            schemes.insert(&self.iam, Json::Object(iam_scheme(self.settings.no_extensions)));
        }
        if !schemes.is_empty() {
            let schemes = schemes.into_iter().map(|(name, scheme)| (name.to_owned(), scheme));
            components.push(("securitySchemes".to_owned(), Json::Object(schemes.collect())));
        }
        let mut integrations = Vec::new();
        for (id, _) in of_kind(self.files, "integrations").filter(|_| !self.settings.no_extensions) {
            let name = match (self.used.contains(id), self.is_referred_to(id)) {
                (false, _) => format!("{UNUSED}{id}"),
                (true, true) => id.to_owned(),
                (true, false) => continue,
            };
            integrations.extend(self.written_integration(id).map(|json| (name, json)));
        }
        if !integrations.is_empty() {
            components.push((SHARED.to_owned(), Json::Object(integrations)));
        }
        (!components.is_empty()).then_some(Json::Object(components))
    }

    /// Notes what no OpenAPI document says (`R30.27`).
    fn note_the_rest(&mut self) {
        let says = |json: &Json, name: &str| member(json, name).is_some_and(|value| !value.is_empty());
        let mut found = Vec::new();
        for (name, field) in [
            ("stage variables", "StageVariables"),
            ("access logs", "AccessLogSettings"),
            ("throttling", "DefaultRouteSettings"),
            ("throttling", "RouteSettings"),
        ] {
            if of_kind(self.files, "stages").any(|(_, json)| says(json, field)) && !found.contains(&name) {
                found.push(name);
            }
        }
        for (name, directory) in [("functions", "functions"), ("domains", "domains")] {
            if of_kind(self.files, directory).next().is_some() {
                found.push(name);
            }
        }
        if !self.shared.is_empty() && !self.settings.ids {
            found.push("that routes share an integration (--ids says it)");
        }
        for name in found {
            self.notes
                .push(format!("not exported, since OpenAPI has no place for it: {name}"));
        }
    }
}
