//! Edits of single members, and rows of edits by chance.

use super::*;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

#[test]
fn what_is_not_edited_stays_to_the_letter() {
    let order = ["A", "B", "C", "D"];
    for (before, path, value, after) in [
        ("{}", &["A"][..], Some("1"), "{\n  \"A\": 1\n}"),
        ("{}\n", &["A", "b"], Some("1"), "{\n  \"A\": {\n    \"b\": 1\n  }\n}\n"),
        ("{\"A\":1.50}", &["B"], Some("[1]"), "{\"A\":1.50, \"B\": [1]}"),
        ("{\"A\": 1.50}", &["A"], Some("1.5"), "{\"A\": 1.50}"),
        (
            "{\"A\": \"\\u00e9\" }",
            &["A"],
            Some("\"\u{e9}\""),
            "{\"A\": \"\\u00e9\" }",
        ),
        (
            "{\"C\":1, \"x}\\\"\":\"{\"}",
            &["B"],
            Some("2"),
            "{\"C\":1, \"x}\\\"\":\"{\", \"B\": 2}",
        ),
        (
            "{\n\t\"A\": 1,\n\t\"C\": 2\n}",
            &["B"],
            Some("3"),
            "{\n\t\"A\": 1,\n\t\"B\": 3,\n\t\"C\": 2\n}",
        ),
        ("{\n  \"C\": 2\n}", &["B"], Some("3"), "{\n  \"B\": 3,\n  \"C\": 2\n}"),
        (
            "{\n  \"C\": {}\n}",
            &["C", "x"],
            Some("3"),
            "{\n  \"C\": {\n    \"x\": 3\n  }\n}",
        ),
        ("{\"A\":1,\"B\":2,\"C\":3}", &["B"], None, "{\"A\":1,\"C\":3}"),
        ("{\"A\":1,\"B\":2 }", &["B"], None, "{\"A\":1 }"),
        ("{ \"A\": [1, {\"B\": 2}] }", &["A"], None, "{}"),
        (
            "\u{feff}{\"A\": {\"B\": 1, \"C\": 2}}",
            &["A", "C"],
            None,
            "\u{feff}{\"A\": {\"B\": 1}}",
        ),
        ("{\"A\": 5}", &["A", "b"], Some("1"), "{\"A\": {\"b\":1}}"),
        ("{\"A\": true}", &["B"], None, "{\"A\": true}"),
        ("{\"A\": []}", &["A", "0"], Some("{\"b\":1}"), "{\"A\": [{\"b\":1}]}"),
        (
            "{\n  \"A\": []\n}",
            &["A", "0"],
            Some("1"),
            "{\n  \"A\": [\n    1\n  ]\n}",
        ),
        (
            "{\"A\": [1.0, \"]\",3]}",
            &["A", "3"],
            Some("2"),
            "{\"A\": [1.0, \"]\",3, 2]}",
        ),
        ("{\"A\": [1.0, {\"b\":[2]},3]}", &["A", "1"], None, "{\"A\": [1.0, 3]}"),
        (
            "{\"A\": [{\"b\":1.0,\"c\":2}]}",
            &["A", "0", "c"],
            Some("3"),
            "{\"A\": [{\"b\":1.0,\"c\":3}]}",
        ),
    ] {
        let mut document = Document::of(before).unwrap();
        match value {
            Some(value) => document.set(path, &json(value), &order),
            None => drop(document.remove(path)),
        }
        assert_eq!(document.text(), after, "{before} {path:?}");
        Document::of(document.text()).unwrap();
    }
}

#[test]
fn what_is_no_object_is_no_document() {
    for text in ["", "[]", "1", "{", "{} {}", "null"] {
        assert!(Document::of(text).is_err(), "{text}");
    }
}

/// The value at a path, changed as the document is.
fn change(json: &mut Json, path: &[&str], value: Option<&Json>) {
    let Json::Object(members) = json else { return };
    let (name, rest) = path.split_first().unwrap();
    let place = members.iter().position(|(member, _)| member == name);
    match (place, rest, value) {
        (Some(place), [], None) => drop(members.remove(place)),
        (Some(place), [], Some(value)) => members[place].1 = value.clone(),
        (None, [], Some(value)) => members.push(((*name).to_owned(), value.clone())),
        (Some(place), rest, _) => change(&mut members[place].1, rest, value),
        (None, _, _) => {}
    }
}

#[test]
fn any_row_of_edits_leaves_what_it_says() {
    let names = ["a", "b", "\"q\\", "\u{e9}", "{", "]"];
    let values = [
        "1.50",
        "{}",
        "[]",
        "{\"a\":{\"b\":[1,{\"]\":\"}\"}]}}",
        "\"\\\"{\"",
        "null",
        "[\"a\",2]",
    ];
    for start in [
        "{}",
        "{\n}\n",
        "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n",
        "{\"a\":{\"b\":1},\"c\":2}",
        "\u{feff}{ }",
    ] {
        let mut document = Document::of(start).unwrap();
        let mut model = Json::Object(document.members());
        let mut state = 7_u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % bound
        };
        for _ in 0..400 {
            let path: Vec<&str> = (0..1 + below(2)).map(|_| names[below(names.len())]).collect();
            // A member can be put into an object only.
            let is_possible = path.len() == 1 || matches!(document.get(&path[..1]), Some(Json::Object(_)));
            if !is_possible {
                continue;
            }
            let value = (below(3) > 0).then(|| json(values[below(values.len())]));
            match &value {
                Some(value) => document.set(&path, value, &names),
                None => drop(document.remove(&path)),
            }
            change(&mut model, &path, value.as_ref());
            let found = Json::Object(document.members());
            let sorted = |json: &Json| serde_json::to_value(json).unwrap();
            assert_eq!(
                sorted(&found),
                sorted(&model),
                "{path:?} {value:?} in {}",
                document.text()
            );
        }
    }
}
