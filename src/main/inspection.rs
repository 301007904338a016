//! `apigateway check` and `apigateway routes`: what the files say, without serving them.

use std::process::ExitCode;

use apigateway::definition::content_hash;
use apigateway::definition::problem::Severity;
use apigateway::definition::store::Store;
use apigateway::definition::unit::{Listing, UnitName};
use apigateway::deployment::compiler::Compiler;
use apigateway::deployment::configuration::Configuration;
use apigateway::management::{explanation, route_table};
use apigateway::platform::logging;
use apigateway::server::StartError;

use crate::arguments::{Match, option, root};
use crate::commands::{CheckArguments, RoutesArguments};
use crate::log_options::LogFormat;
use crate::output::{complain, say};
use crate::template_commands::{self, Template, given};
use crate::{account_id, region};

/// What is said of a root without an API.
const NO_API: &str = "apigateway init DIR makes a small one";

fn complain_without_api(store: &Store, configuration: &Configuration, listing: &Listing) {
    if configuration.apis().next().is_none() && listing.files().next().is_none() {
        complain(&format!("{} has no API: {NO_API}", store.root().display()));
    }
}

/// Prints every problem of the files.
pub(crate) fn check(mut arguments: CheckArguments) -> Result<ExitCode, String> {
    let LogFormat(format) = option(
        "--format",
        arguments.format,
        LogFormat(logging::Format::Text),
        "text or json",
    )?;
    let given = given!(arguments);
    let region = region(arguments.region)?;
    let account_id = account_id(arguments.account_id)?;
    let store = Store::at(root(arguments.root)?);
    if let Some(template) = Template::given(given, false)? {
        return template_commands::check(template, store, format, &region, &account_id);
    }
    let listing = store.load();
    let compilation = Compiler::default().compile(&listing, true);
    let (configuration, mut problems) = (compilation.configuration, compilation.problems);
    if !problems.has_errors() {
        problems.extend(configuration.review_options(&region, &account_id));
        problems = problems.sorted();
    }
    if !problems.has_errors() {
        complain_without_api(&store, &configuration, &listing);
    }
    let root_api = configuration.root_api();
    let api = |file: &str| match UnitName::of(file) {
        UnitName::Api(id) => Some(id),
        UnitName::RootApi => root_api.map(|api| api.api_id().to_owned()),
        UnitName::Shared | UnitName::Domain(_) | UnitName::Tls => None,
    };
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    say(&match format {
        logging::Format::Text => {
            let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
            format!("{lines}{errors} errors, {warnings} warnings\n")
        }
        logging::Format::Json => {
            let mut said = problems.to_json(api);
            if let Some(members) = said.as_object_mut() {
                members.insert("hash".to_owned(), content_hash::of(&listing).into());
            }
            format!("{said}\n")
        }
    })?;
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints what is served, or which route answers a request.
pub(crate) fn routes(mut arguments: RoutesArguments) -> Result<ExitCode, String> {
    let LogFormat(format) = option(
        "--format",
        arguments.format,
        LogFormat(logging::Format::Text),
        "text or json",
    )?;
    let template = Template::given(given!(arguments), false)?;
    let store = Store::at(root(arguments.root)?);
    let configuration = match template {
        Some(template) => template_commands::compiled(template, store)?,
        None => {
            let listing = store.load();
            match Configuration::of(&listing) {
                (Some(configuration), _) => {
                    complain_without_api(&store, &configuration, &listing);
                    configuration
                }
                (None, problems) => return Err(StartError::Problems(problems).to_string()),
            }
        }
    };
    let request = option(
        "--match",
        arguments.request,
        Match(None),
        "a request such as \"GET /path\"",
    )?;
    let Some(request) = request.0 else {
        say(&match format {
            logging::Format::Text => route_table::table(&configuration),
            logging::Format::Json => format!("{}\n", route_table::to_json(&configuration)),
        })?;
        return Ok(ExitCode::SUCCESS);
    };
    let explanation = explanation::explain(&configuration, &request).map_err(|error| format!("--match: {error}"))?;
    let is_answered = explanation.is_answered;
    say(&match format {
        logging::Format::Text => explanation.text,
        logging::Format::Json => format!("{}\n", explanation.to_json()),
    })?;
    Ok(if is_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
