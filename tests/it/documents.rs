//! The README and the pages of `docs/`: their links lead somewhere, their examples work, and their tables are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Duration;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use apigateway::outbound::valkey::address::Address;
use apigateway::server::Options;
use apigateway::server::fleet::FleetOptions;
use serde_json::Value;
use serde_json::json;

use crate::support::client;
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::https::{Certified, TlsClient, authority_params, client_config, https_options, params};
use crate::support::repository::{root, text_of};

/// More lines than this are no first look.
const MAX_README_LINES: usize = 200;

/// Words for somebody instead of the client, the worker or the thread that is meant.
const WORDS_THAT_ARE_OUT: [&str; 6] = ["whoever", "nobody", "somebody", "anybody", "who", "whom"];

/// The names of the pages in `docs/`.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages: BTreeSet<String> = names
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

/// The README, and everything in `docs/`, as paths below the repository.
fn documents() -> Vec<String> {
    let mut documents = vec!["README.md".to_owned(), "docs/README.md".to_owned()];
    documents.extend(pages().into_iter().map(|page| format!("docs/{page}")));
    documents
}

/// The code blocks of a document: the language, the line before the block, and the text.
fn blocks(text: &str) -> Vec<(&str, &str, String)> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, before, block.join("\n")));
        }
        if !line.is_empty() {
            before = line;
        }
    }
    blocks
}

/// The lines of a document outside its code blocks.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let is_prose = |line: &&str| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
}

/// The fragments that lead to the headings of a document, as GitHub makes them.
fn fragments(text: &str) -> BTreeSet<String> {
    let mut fragments = BTreeSet::new();
    let text = prose(text);
    for heading in text.lines().filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let fragment: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        assert!(fragments.insert(fragment), "two headings {heading:?}");
    }
    fragments
}

/// The targets of the links of a document.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let targets = text.split("](").skip(1);
    targets.map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

#[test]
fn the_readme_is_short() {
    let lines = text_of("README.md").lines().count();
    assert!(
        lines <= MAX_README_LINES,
        "README.md has {lines} lines, {MAX_README_LINES} at most"
    );
}

#[test]
fn the_lists_of_pages_have_every_page_once() {
    let expected: Vec<String> = pages().into_iter().collect();
    for (list, prefix) in [("docs/README.md", ""), ("README.md", "docs/")] {
        let entries = prose(&text_of(list));
        let entries = entries
            .lines()
            .filter(|line| line.starts_with("* [") || line.starts_with("| ["));
        let first_links = entries.filter_map(|line| links(line).into_iter().next());
        let mut listed: Vec<String> = first_links
            .map(|link| link.strip_prefix(prefix).unwrap().to_owned())
            .collect();
        listed.sort();
        assert_eq!(listed, expected, "the pages in {list}");
    }
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    for document in documents() {
        let text = text_of(&document);
        let directory = root().join(&document).parent().unwrap().to_owned();
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (path, fragment) = link
                .split_once('#')
                .map_or((link.as_str(), None), |(path, fragment)| (path, Some(fragment)));
            let target = match path {
                "" => root().join(&document),
                path => directory.join(path),
            };
            assert!(target.exists(), "{document}: there is no {link}");
            if let Some(fragment) = fragment {
                let headings = fragments(&fs::read_to_string(&target).unwrap());
                assert!(headings.contains(fragment), "{document}: there is no heading {link}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_json_example_is_json_and_every_example_of_a_file_passes_check() {
    let mut count = 0;
    for document in documents() {
        let text = text_of(&document);
        // The files of a page are one API.
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for (language, before, block) in blocks(&text) {
            if language != "json" {
                continue;
            }
            let value: Result<Value, _> = serde_json::from_str(&block);
            assert!(value.is_ok(), "{document}: {value:?}: {block}");
            // The line before names the file: "`routes/pets.json`:", or "`routes/pets.json` asks this authorizer:".
            let name = before.strip_suffix(':').and_then(|before| before.rsplit('`').nth(1));
            if let Some(name) = name.filter(|name| name.ends_with(".json")) {
                let twin = files.insert(name.to_owned(), block);
                assert!(twin.is_none(), "{document} has {name} twice");
            }
        }
        if files.is_empty() {
            continue;
        }
        count += files.len();
        let directory = Directory::of(&[]);
        for required in ["stages", "routes", "integrations"] {
            fs::create_dir_all(directory.path().join(required)).unwrap();
        }
        for (name, text) in &files {
            directory.write(name, text);
        }
        let (_, problems) = Configuration::of(&Store::at(directory.path()).load());
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let wrong = |problem: &&String| problem.contains(": error: ") || problem.contains("unknown field");
        let wrong: Vec<&String> = problems.iter().filter(wrong).collect();
        assert!(wrong.is_empty(), "{document}: {wrong:?}");
    }
    assert!(count > 15, "{count}");
}

#[test]
fn the_first_api_of_the_readme_can_be_made_by_its_commands() {
    let text = text_of("README.md");
    let blocks = blocks(&text);
    let making = blocks.iter().find(|(_, _, block)| block.starts_with("mkdir "));
    let making = &making.expect("README.md has the commands").2;
    let (making, serving) = making.rsplit_once('\n').unwrap();
    let api = serving.strip_prefix("apigateway --root ").unwrap();
    let directory = Directory::empty();
    let mut shell = Command::new("sh");
    let output = shell.args(["-e", "-c", making]).current_dir(directory.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_apigateway"));
    let output = check
        .args(["check", "--root", api])
        .current_dir(directory.path())
        .output();
    assert_eq!(
        String::from_utf8(output.unwrap().stdout).unwrap(),
        "0 errors, 0 warnings\n"
    );
}

/// The names of fields, wherever they stand in a schema.
fn fields(schema: &Value, found: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        found.insert(name.clone());
        fields(inner, found);
    }
    let inner = [&schema["additionalProperties"], &schema["items"]];
    for inner in inner.into_iter().filter(|inner| inner.is_object()) {
        fields(inner, found);
    }
}

#[test]
fn the_reference_of_files_has_every_field() {
    // Mappings and domains have pages of their own.
    let text = text_of("docs/files.md") + &text_of("docs/parameter-mapping.md") + &text_of("docs/several-apis.md");
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '$').collect();
    for entry in fs::read_dir(root().join("schemas")).unwrap() {
        let path = entry.unwrap().path();
        let schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut names = BTreeSet::new();
        fields(&schema, &mut names);
        let missing: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
        assert!(missing.is_empty() && names.len() > 1, "{}: {missing:?}", path.display());
    }
}

#[cfg(feature = "fleet")]
#[test]
fn the_table_of_metrics_has_every_metric_and_no_other() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let authority = Certified::own(authority_params("Authority"));
    Certified::by(&authority, params("gw.test")).write(&directory, "listener");
    directory.write("clients.pem", &authority.pem);
    let domain = json!({"MutualTlsAuthentication": {"TruststoreFile": "clients.pem"}});
    directory.write("domains/a.test.json", &domain.to_string());
    let options = Options {
        admin: Some("127.0.0.1:0".to_owned()),
        // One that is not there has all metrics.
        fleet: Some(FleetOptions {
            address: Address::parse("redis://127.0.0.1:1").unwrap(),
            password: None,
            ca: None,
            prefix: "documents:".to_owned(),
            timeout: Duration::from_millis(1),
        }),
        ..https_options(&directory)
    };
    let gateway = Gateway::start(directory, options);
    let mut client = TlsClient::connect(gateway.address, "gw.test", &client_config(&[&authority], &[]));
    assert_eq!(client.get("gw.test", "/a").status, 200);
    let page = client::get(gateway.server.admin_addr().unwrap(), "/metrics").text();
    let name = |sample: &str| {
        let name = sample.split(['{', ' ']).next().unwrap();
        let histogram = ["_bucket", "_sum", "_count"];
        let base = histogram.iter().find_map(|ending| name.strip_suffix(ending));
        base.unwrap_or(name).to_owned()
    };
    let served: BTreeSet<String> = page.lines().filter(|line| !line.starts_with('#')).map(name).collect();
    let text = text_of("docs/operating.md");
    let table = text
        .split("\n## Metrics\n")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let first_cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let listed: BTreeSet<String> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    // Elsewhere than on Linux there is nothing to tell of the process.
    let of_process = |name: &&String| cfg!(target_os = "linux") || !name.starts_with("process_");
    let listed: BTreeSet<&String> = listed.iter().filter(of_process).collect();
    assert_eq!(served.iter().collect::<BTreeSet<_>>(), listed);
}

#[test]
fn the_documents_name_what_they_speak_of() {
    for document in documents() {
        let text = prose(&text_of(&document)).to_lowercase();
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        for word in WORDS_THAT_ARE_OUT {
            assert!(!words.contains(word), "{document} has {word:?}");
        }
    }
}
