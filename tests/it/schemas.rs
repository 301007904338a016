//! The JSON Schemas of `schemas/`, which editors use, say what the code says, of fields and of values.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use apigateway::definition::notation::integration_subtype::IntegrationSubtype;
use serde_json::{Value, json};

use crate::support::json_schema::violations;
use crate::support::model::{gather, members_of};
use crate::support::repository::root;

/// Each kind of file: its schema, the source that reads it, and where such files are.
const KINDS: [(&str, &str, &str); 10] = [
    ("api", "src/definition/resource/api.rs", "api.json"),
    ("stage", "src/definition/resource/stage.rs", "stages/"),
    ("route", "src/definition/resource/route.rs", "routes/"),
    ("integration", "src/definition/resource/integration.rs", "integrations/"),
    ("authorizer", "src/definition/resource/authorizer.rs", "authorizers/"),
    ("function", "src/definition/resource/function.rs", "functions/"),
    ("deployment", "src/definition/resource/deployment.rs", "deployments/"),
    ("domain", "src/definition/resource/domain.rs", "domains/"),
    ("vpc-link", "src/definition/resource/vpc_link.rs", "vpclinks/"),
    (
        "credentials",
        "src/definition/resource/credentials.rs",
        "credentials.json",
    ),
];

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(kind: &str) -> Value {
    json(&root().join(format!("schemas/{kind}.json")))
}

/// The schema of a file; an API in `apis/` has those of the root API.
fn schema_of(file: &str) -> Option<Value> {
    let below = file.strip_prefix("apis/").and_then(|rest| rest.split_once('/'));
    let file = below.map_or(file, |(_, file)| file);
    let kind = KINDS.iter().find(|(_, _, place)| file.starts_with(place))?;
    Some(schema(kind.0))
}

/// Every text in quotes of a source, but for its comments and its tests.
fn literals(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let code: String = source.lines().filter(|line| !line.trim().starts_with("//")).collect();
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names of fields, and values that a field may have, wherever they stand in a schema.
fn collect(schema: &Value, fields: &mut BTreeSet<String>, values: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        fields.insert(name.clone());
        collect(inner, fields, values);
    }
    collect_if_object(&schema["additionalProperties"], fields, values);
    collect_if_object(&schema["items"], fields, values);
    let strings = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    values.extend(strings.map(str::to_owned));
}

fn collect_if_object(schema: &Value, fields: &mut BTreeSet<String>, values: &mut BTreeSet<String>) {
    if schema.is_object() {
        collect(schema, fields, values);
    }
}

#[test]
fn fields_and_values_are_those_of_the_code() {
    for (kind, source, _) in KINDS {
        let literals = literals(&fs::read_to_string(root().join(source)).unwrap());
        let is_field = |text: &&String| {
            text.starts_with(|c: char| c.is_ascii_uppercase())
                && text.chars().all(|c| c.is_ascii_alphanumeric())
                && text.contains(|c: char| c.is_ascii_lowercase())
        };
        let (mut names, mut choices) = (BTreeSet::new(), BTreeSet::new());
        gather(members_of(kind), &mut names, &mut choices);
        let in_code: BTreeSet<&String> = literals.iter().filter(is_field).chain(&names).collect();
        let (mut fields, mut values) = (BTreeSet::new(), BTreeSet::new());
        collect(&schema(kind), &mut fields, &mut values);
        fields.remove("$schema");
        assert_eq!(
            fields.iter().collect::<BTreeSet<_>>(),
            in_code,
            "the fields of schemas/{kind}.json, and of {source}"
        );
        let is_value = |text: &&String| {
            let is_shouted = !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            is_shouted || values.contains(*text)
        };
        let in_code: BTreeSet<&String> = literals.iter().filter(is_value).chain(&choices).collect();
        assert_eq!(
            values.iter().collect::<BTreeSet<_>>(),
            in_code,
            "the values of schemas/{kind}.json, and of {source}"
        );
    }
}

fn json_files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

#[test]
fn the_shipped_files_name_their_schema_and_follow_it() {
    let mut paths: Vec<PathBuf> = ["stages", "routes", "integrations", "functions"]
        .iter()
        .flat_map(|name| json_files(name))
        .collect();
    paths.push(root().join("api.json"));
    for path in paths {
        let file = json(&path);
        let named = file["$schema"].as_str().unwrap_or_else(|| panic!("{}", path.display()));
        let schema = json(&path.parent().unwrap().join(named));
        let expected = schema_of(path.strip_prefix(root()).unwrap().to_str().unwrap());
        assert_eq!(Some(&schema), expected.as_ref(), "{}", path.display());
        assert_eq!(violations(&schema, &file, ""), [""; 0], "{}", path.display());
    }
}

/// `{ab*3}` as it stands in the cases is left: lengths are not the business of this test.
fn cases() -> Vec<(String, Value, Value)> {
    let mut cases = Vec::new();
    for path in json_files("tests/cases/check") {
        let file = json(&path);
        for case in file["cases"].as_array().unwrap() {
            let name = format!("{}: {}", path.file_name().unwrap().display(), case["name"]);
            let mut files = case
                .get("files")
                .or_else(|| file.get("files"))
                .cloned()
                .unwrap_or(Value::Null);
            for (path, fields) in case["change"].as_object().into_iter().flatten() {
                for (field, value) in fields.as_object().unwrap() {
                    files[path][field] = value.clone();
                }
            }
            cases.push((name, files, case["expect"]["problems"].clone()));
        }
    }
    cases
}

#[test]
fn what_check_has_no_problem_with_follows_the_schemas_and_what_it_refuses_does_not() {
    let (mut followed, mut refused) = (0, 0);
    for (name, files, problems) in cases() {
        let Some(problems) = problems.as_array() else { continue };
        // What goes on after its start is marked: it does not tell all.
        let line = |problem: &Value| match problem.as_str() {
            Some(whole) => whole.to_owned(),
            None => format!("{}…", problem["starts"].as_str().unwrap()),
        };
        let problems: Vec<String> = problems.iter().map(line).collect();
        for (path, file) in files
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, file)| file.is_object())
        {
            let Some(schema) = schema_of(path) else { continue };
            let own = problems.iter().filter(|line| line.starts_with(&format!("{path}#")));
            let own: Vec<&String> = own.collect();
            let found = violations(&schema, file, path);
            let marks = [
                "unknown field",
                "must be a string, not",
                "must be an object, not",
                "must be a list of strings, not",
                "must be a number, not",
                "must be a whole number, not",
                "must be true or false, not",
                "is not one of",
                "error: the field is missing",
                "authorizer: the field is missing",
                "the function needs an InvokeUri, a Command or a Runtime",
                "either InvokeUri or Command or Runtime",
                "it is for a function with a",
            ];
            let is_of_shape = |line: &&String| marks.iter().any(|mark| line.contains(mark));
            let is_warning =
                |line: &&String| line.contains(": warning: ") && !line.ends_with('…') && !is_of_shape(line);
            if problems.is_empty() || (!own.is_empty() && own.iter().all(is_warning)) {
                assert_eq!(found, [""; 0], "{name}");
                followed += 1;
            } else if own.iter().any(is_of_shape) {
                assert_ne!(found, [""; 0], "{name}: {own:?}");
                refused += 1;
            }
        }
    }
    assert!(followed > 200 && refused > 40, "{followed} followed, {refused} refused");
}

#[test]
fn what_each_kind_must_have_is_said() {
    let http = json!({"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://h.test/"});
    let lambda = json!({"IntegrationType": "AWS_PROXY", "IntegrationUri": "arn"});
    let jwt = json!({"Issuer": "https://i.test/", "Audience": ["a"]});
    for (kind, value, is_right) in [
        ("route", json!({"RouteKey": "GET /a"}), true),
        ("route", json!({"RouteKey": "GET /a", "Target": null}), true),
        ("route", json!({"Target": "integrations/i"}), false),
        (
            "route",
            json!({"RouteKey": "GET /a", "AuthorizationType": "JWT"}),
            false,
        ),
        (
            "route",
            json!({"RouteKey": "GET /a", "AuthorizationType": "CUSTOM", "AuthorizerId": null}),
            false,
        ),
        (
            "route",
            json!({"RouteKey": "GET /a", "AuthorizationType": "CUSTOM", "AuthorizerId": "a"}),
            true,
        ),
        (
            "route",
            json!({"RouteKey": "GET /a", "AuthorizationType": "AWS_IAM"}),
            true,
        ),
        ("integration", http, true),
        ("integration", json!({"IntegrationType": "HTTP_PROXY"}), false),
        (
            "integration",
            json!({"IntegrationType": "HTTP_PROXY", "IntegrationUri": null}),
            false,
        ),
        ("integration", json!({"IntegrationUri": "http://h.test/"}), false),
        ("integration", lambda.clone(), false),
        ("integration", with(&lambda, "PayloadFormatVersion", json!("2.0")), true),
        ("function", json!({}), false),
        ("function", json!({"Command": null, "InvokeUri": null}), false),
        ("function", json!({"Command": ["a"]}), true),
        (
            "function",
            json!({"Command": ["a"], "InvokeUri": null, "Timeout": 3}),
            true,
        ),
        (
            "function",
            json!({"InvokeUri": "http://h.test/", "Concurrency": 2}),
            true,
        ),
        (
            "function",
            json!({"InvokeUri": "http://h.test/", "Timeout": null}),
            true,
        ),
        ("function", json!({"InvokeUri": "http://h.test/", "Timeout": 3}), false),
        (
            "function",
            json!({"InvokeUri": "http://h.test/", "Environment": {}}),
            false,
        ),
        (
            "function",
            json!({"Command": ["a"], "InvokeUri": "http://h.test/"}),
            false,
        ),
        (
            "function",
            json!({"Runtime": "python3.12", "Handler": "a.b", "Layers": ["l"]}),
            true,
        ),
        (
            "function",
            json!({"Runtime": "provided.al2023", "CodeUri": "src"}),
            true,
        ),
        ("function", json!({"Runtime": "python3.12", "Command": ["a"]}), false),
        ("function", json!({"Command": ["a"], "Handler": "a.b"}), false),
        ("function", json!({"Command": []}), false),
        ("function", json!({"Command": ["a", ""]}), false),
        ("authorizer", json!({"AuthorizerType": "JWT"}), false),
        (
            "authorizer",
            json!({"AuthorizerType": "JWT", "IdentitySource": ["$request.header.a"], "JwtConfiguration": jwt}),
            true,
        ),
        (
            "authorizer",
            json!({"AuthorizerType": "JWT", "IdentitySource": ["$request.header.a"], "JwtConfiguration": {"Issuer": "https://i.test/"}}),
            false,
        ),
        (
            "authorizer",
            json!({"AuthorizerType": "JWT", "JwtConfiguration": jwt}),
            false,
        ),
        ("authorizer", json!({"AuthorizerType": "REQUEST"}), false),
        (
            "authorizer",
            json!({"AuthorizerType": "REQUEST", "AuthorizerUri": "arn", "AuthorizerPayloadFormatVersion": "2.0"}),
            true,
        ),
        (
            "authorizer",
            json!({"AuthorizerType": "REQUEST", "AuthorizerUri": "arn"}),
            false,
        ),
    ] {
        let found = violations(&schema(kind), &value, "");
        assert_eq!(found.is_empty(), is_right, "{kind}: {value}: {found:?}");
    }
}

fn with(value: &Value, field: &str, of: Value) -> Value {
    let mut value = value.clone();
    value[field] = of;
    value
}

/// Subtypes and their parameters stand in conditions of the schema, which the tests above do not look into.
#[test]
fn subtypes_and_parameters_are_those_of_the_code() {
    let schema = schema("integration");
    let conditions = schema["allOf"].as_array().unwrap();
    let names = conditions
        .iter()
        .find_map(|condition| condition["then"]["properties"]["IntegrationSubtype"]["enum"].as_array());
    assert_eq!(json!(names), json!(IntegrationSubtype::NAMES));
    for subtype in IntegrationSubtype::ALL {
        let name = json!(subtype.as_str());
        let condition = conditions
            .iter()
            .find(|condition| condition["if"]["properties"]["IntegrationSubtype"]["const"] == name);
        let parameters = &condition.unwrap()["then"]["properties"]["RequestParameters"];
        let listed: BTreeSet<&str> = parameters["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            listed,
            subtype.parameters().map(|parameter| parameter.name).collect(),
            "{name}"
        );
        let required = subtype.parameters().filter(|parameter| parameter.is_required);
        assert_eq!(
            parameters["required"],
            json!(required.map(|parameter| parameter.name).collect::<Vec<_>>())
        );
    }
}
