//! The choice of a route beside a literal reading of its rules.

use super::*;

fn routes(keys: &[String]) -> Routes {
    let integration = Arc::new(Integration::of("http://h"));
    let route = |key: &String| {
        Arc::new(Route {
            file: format!("routes/{key}.json"),
            key_text: key.clone(),
            key: RouteKey::parse(key).unwrap(),
            authorization: Authorization::None,
            integration: Some(Arc::clone(&integration)),
            throttle: None,
            state: OnceLock::new(),
        })
    };
    Routes::new(keys.iter().map(route).collect())
}

fn select(routes: &Routes, method: Method, path: &str) -> Option<String> {
    let path = RequestPath::parse(path).unwrap();
    let found = routes.select(method, &path).unwrap();
    found.map(|found| found.route.key_text.clone())
}

/// Numbers that look random and are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn key(&mut self) -> String {
        if self.below(20) == 0 {
            return "$default".into();
        }
        let mut key = format!("{} ", self.pick(&["GET", "POST", "ANY"]));
        let length = self.below(4);
        for at in 0..length {
            let segments = if at + 1 == length {
                &["a", "b", "{}", "{+}"][..]
            } else {
                &["a", "b", "{}"]
            };
            let segment = self.pick(segments).replace('{', &format!("{{v{at}"));
            key += &format!("/{segment}");
        }
        if length == 0 { key + "/" } else { key }
    }
}

/// R1.19 read literally: of the keys that match, the one that no other beats, rule after rule.
fn oracle(keys: &[String], method: &str, path: &str) -> Option<String> {
    let asked: Vec<&str> = path[1..].split('/').collect();
    let parts = |key: &String| -> Vec<String> { key.split(['/']).skip(1).map(str::to_owned).collect() };
    let kind = |part: &String| {
        if part.ends_with("+}") {
            2
        } else {
            u8::from(part.starts_with('{'))
        }
    };
    let matches = |key: &&String| {
        let template = parts(key);
        let greedy = template.last().is_some_and(|part| kind(part) == 2);
        let wanted = key.split(' ').next().unwrap();
        *key == "$default"
            || ((wanted == "ANY" || wanted == method)
                && if greedy {
                    asked.len() >= template.len()
                } else {
                    asked.len() == template.len()
                }
                && template
                    .iter()
                    .zip(&asked)
                    .all(|(part, asked)| kind(part) > 0 || part == asked))
    };
    let order = |key: &&String| {
        let template = parts(key);
        let class = if *key == "$default" {
            2
        } else {
            u8::from(template.last().is_some_and(|part| kind(part) == 2))
        };
        let kinds: Vec<u8> = template.iter().map(kind).collect();
        (class, key.starts_with("ANY"), kinds, Reverse(template.len()))
    };
    keys.iter().filter(matches).min_by_key(order).cloned()
}

#[test]
fn random_tables_agree_with_a_literal_reading_of_r1_19() {
    let mut random = Seeded(1);
    let mut matched = 0;
    for table in 0..2_000 {
        let mut keys: Vec<String> = (0..=random.below(12)).map(|_| random.key()).collect();
        keys.sort();
        keys.dedup();
        let routes = routes(&keys);
        for _ in 0..20 {
            let method = [Method::Get, Method::Post, Method::Put][random.below(3)];
            let path: String = (0..=random.below(3))
                .map(|_| format!("/{}", random.pick(&["a", "b", "c", ""])))
                .collect();
            let expected = oracle(&keys, method.as_str(), &path);
            matched += usize::from(expected.is_some());
            let got = select(&routes, method, &path);
            let candidates = routes.candidates(method, &RequestPath::parse(&path).unwrap());
            let first = candidates.first().map(|route| route.key_text.clone());
            assert_eq!(first, expected, "table {table}: {keys:?}, {} {path}", method.as_str());
            assert_eq!(got, expected, "table {table}: {keys:?}, {} {path}", method.as_str());
        }
    }
    assert!(matched > 10_000, "the tables hardly match anything: {matched}");
}

#[test]
fn a_deep_request_costs_no_more_than_the_deepest_route() {
    let routes = routes(&["GET /a/{b}".into(), "GET /{c+}".into()]);
    let path = "/a".repeat(5_000);
    assert_eq!(select(&routes, Method::Get, &path).as_deref(), Some("GET /{c+}"));
}

#[test]
fn ten_thousand_routes_are_not_scanned() {
    let mut keys: Vec<String> = (0..10_000).map(|at| format!("GET /r{at}/{{id}}")).collect();
    keys.push("GET /{any+}".into());
    let routes = routes(&keys);
    assert_eq!(
        select(&routes, Method::Get, "/r9999/x").as_deref(),
        Some("GET /r9999/{id}")
    );
    assert_eq!(select(&routes, Method::Get, "/none/x").as_deref(), Some("GET /{any+}"));
    assert_eq!(routes.tree.literals.len(), 10_000);
}
