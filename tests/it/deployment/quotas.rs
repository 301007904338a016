//! `check` warns of more resources than AWS allows.

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use serde_json::json;

use crate::support::directory::{Directory, http_proxy, route};

#[test]
fn more_than_aws_has_is_a_warning() {
    let problems_of = |count: usize| {
        let directory = Directory::of(&[("stages/$default.json", json!({}))]);
        for at in 0..count {
            let text = route(&format!("GET /r{at}"), &format!("i{at}")).to_string();
            directory.write(&format!("routes/r{at}.json"), &text);
            let text = http_proxy("http://127.0.0.1:9/").to_string();
            directory.write(&format!("integrations/i{at}.json"), &text);
        }
        let (deployment, problems) = Configuration::of(&Store::at(directory.path()).load());
        assert!(deployment.is_some());
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems_of(300), [""; 0]);
    let expected = ["integrations", "routes"]
        .map(|what| format!("{what}#: warning: there are 301 {what}: AWS has 300 at most, unless one asks for more"));
    assert_eq!(problems_of(301), expected);
}
