//! As much of JSON Schema as the schemas of this repository use.

use serde_json::Value;

/// What a value violates; as much of JSON Schema as the schemas use.
pub fn violations(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in schema.as_object().unwrap().keys() {
        let known = [
            "$schema",
            "title",
            "description",
            "type",
            "enum",
            "properties",
            "additionalProperties",
            "required",
            "items",
            "minItems",
            "maxItems",
            "pattern",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "const",
            "allOf",
            "oneOf",
            "if",
            "then",
        ];
        assert!(known.contains(&keyword.as_str()), "{keyword} is not looked at");
    }
    let types = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let is_of = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    };
    if !types.is_empty() && !types.iter().any(is_of) {
        found.push(format!("{at}: {value} is not {types:?}"));
        return found;
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        found.push(format!("{at}: {value} is not one of {choices:?}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{at}: {value} is not {}", schema["const"]));
    }
    let follows_all = |schema: &Value| violations(schema, value, at).is_empty();
    for all in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(violations(all, value, at));
    }
    if let Some(choices) = schema["oneOf"].as_array()
        && choices.iter().filter(|choice| follows_all(choice)).count() != 1
    {
        found.push(format!("{at}: not one of the kinds"));
    }
    if schema["if"].is_object() && follows_all(&schema["if"]) {
        found.extend(violations(&schema["then"], value, at));
    }
    let number = value.as_f64();
    let is_below = number
        .zip(schema["minimum"].as_f64())
        .is_some_and(|(number, least)| number < least);
    let is_above = number
        .zip(schema["maximum"].as_f64())
        .is_some_and(|(number, most)| number > most);
    if is_below || is_above {
        found.push(format!("{at}: {value} is out of range"));
    }
    if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str())
        && !follows(pattern, text)
    {
        found.push(format!("{at}: {text:?} is not {pattern}"));
    }
    let length = value.as_str().map(|text| text.chars().count() as u64);
    let count = value.as_array().map(|items| items.len() as u64);
    for (length, least, most) in [
        (length, &schema["minLength"], &schema["maxLength"]),
        (count, &schema["minItems"], &schema["maxItems"]),
    ] {
        let Some(length) = length else { continue };
        if least.as_u64().is_some_and(|least| length < least) || most.as_u64().is_some_and(|most| length > most) {
            found.push(format!("{at}: {length} is too short or too long"));
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            found.extend(violations(&schema["items"], item, &format!("{at}/{number}")));
        }
    }
    let Some(members) = value.as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(inner), _) => found.extend(violations(inner, member, &at)),
            (None, Value::Bool(false)) => found.push(format!("{at} is unknown")),
            (None, inner) if inner.is_object() => found.extend(violations(inner, member, &at)),
            _ => {}
        }
    }
    found
}

/// The patterns that the schemas have.
fn follows(pattern: &str, text: &str) -> bool {
    match pattern {
        "^(true|false)$" => ["true", "false"].contains(&text),
        "^-?[0-9]+$" => text.parse::<i64>().is_ok_and(|number| number.to_string() == text),
        "^-?[0-9]+(\\.[0-9]+)?$" => text.parse::<f64>().is_ok() && !text.contains(['e', 'E']),
        "^routes/" => text.starts_with("routes/"),
        "^[12]\\.0$" => ["1.0", "2.0"].contains(&text),
        "^integrations/" => text.starts_with("integrations/"),
        "^(\\$default|(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|ANY) /.*)$" => {
            let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];
            text == "$default"
                || text
                    .split_once(" /")
                    .is_some_and(|(method, _)| methods.contains(&method))
        }
        other => panic!("{other}"),
    }
}
