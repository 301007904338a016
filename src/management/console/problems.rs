//! What is wrong with the files, as they lie there now.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::control_plane::reloader::{Files, Reloader};
use crate::data_plane::gateway::Gateway;
use crate::definition::content_hash;
use crate::definition::problem::Problems;
use crate::definition::unit::{Listing, UnitName};
use crate::deployment::compiler::Compiler;
use crate::template::message::Message;

/// What was found last, so that files which have not changed are not compiled again.
#[derive(Debug, Default)]
pub(super) struct KnownProblems(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    listing: Listing,
    problems: Problems,
    /// What `check --format json` says.
    said: Value,
    hash: String,
}

impl KnownProblems {
    /// What `check --format json` says of the files, and whether what is served is older.
    pub(super) fn now(&self, gateway: &Gateway, reloader: &Reloader) -> Value {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let listing = reloader.with_files(|files| files.listing_now());
        let known = match known.take() {
            Some(same) if Files::are_the_same(&same.listing, &listing) => known.insert(same),
            _ => known.insert(examine(gateway, listing)),
        };
        let (messages, is_broken) =
            reloader.with_files(|files| (files.messages(&known.problems), files.is_template_broken()));
        let mut said = messages.map_or_else(|| known.said.clone(), |messages| of_template(&messages));
        let served = gateway.configuration_now();
        let is_older = is_broken || served.hash() != known.hash || served.stale().next().is_some();
        if let Some(members) = said.as_object_mut() {
            members.insert("hash".to_owned(), json!(known.hash));
            members.insert("serving".to_owned(), json!(is_older));
        }
        said
    }
}

fn examine(gateway: &Gateway, listing: Listing) -> Known {
    let compilation = Compiler::for_listener(&listing).compile(&listing, true);
    let (configuration, mut problems) = (compilation.configuration, compilation.problems);
    if !problems.has_errors() {
        let settings = gateway.settings();
        problems.extend(configuration.review_options(&settings.region, &settings.account_id));
        problems = problems.sorted();
    }
    let root_api = configuration.root_api().map(Arc::clone);
    let api = |file: &str| match UnitName::of(file) {
        UnitName::Api(id) => Some(id),
        UnitName::RootApi => root_api.as_ref().map(|api| api.api_id().to_owned()),
        UnitName::Shared | UnitName::Domain(_) | UnitName::Tls => None,
    };
    Known {
        said: problems.to_json(api),
        hash: content_hash::of(&listing),
        listing,
        problems,
    }
}

fn of_template(messages: &[Message]) -> Value {
    let said: Vec<Value> = messages.iter().map(Message::to_json).collect();
    let count = |severity: &str| {
        said.iter()
            .filter(|message| message.get("severity") == Some(&json!(severity)))
            .count()
    };
    json!({"errors": count("error"), "warnings": count("warning"), "problems": said})
}
