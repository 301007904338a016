//! What the commands do with templates.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use apigateway::control_plane::import;
use apigateway::control_plane::source::TemplateOption;
use apigateway::definition::content_hash;
use apigateway::definition::store::Store;
use apigateway::definition::unit::{Listing, is_api_id};
use apigateway::deployment::configuration::Configuration;
use apigateway::platform::files;
use apigateway::platform::logging::Format;
use apigateway::server::StartError;
use apigateway::template::export;
use apigateway::template::import::{Plan, plan};
use apigateway::template::message::{Level, Message};
use apigateway::template::openapi::write;
use apigateway::template::options::{BasePath, Options};
use apigateway::template::source::{Loaded, TemplateSource};

use crate::arguments::{AccountId, Region, option, root};
use crate::commands::{ExportArguments, ImportArguments};
use crate::{complain, print, say};

/// What the options of a command say of a template.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) template: Option<String>,
    pub(crate) parameter: Vec<String>,
    pub(crate) resolve: Vec<String>,
    pub(crate) stack_name: Option<String>,
    pub(crate) stack: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) basepath: Option<String>,
    pub(crate) fail_on_warnings: bool,
}

/// What the arguments of a command say of a template; the region and the account are of the command too.
macro_rules! given {
    ($arguments:expr) => {
        $crate::template_commands::Given {
            template: $arguments.template.take(),
            parameter: std::mem::take(&mut $arguments.parameter),
            resolve: std::mem::take(&mut $arguments.resolve),
            stack_name: $arguments.stack_name.take(),
            stack: $arguments.stack.take(),
            region: $arguments.region.clone(),
            account_id: $arguments.account_id.clone(),
            basepath: $arguments.basepath.take(),
            fail_on_warnings: $arguments.fail_on_warnings,
        }
    };
}

pub(crate) use given;

/// A template and its options.
pub(crate) struct Template {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
}

/// A text, or none where the option is not given.
struct Text(Option<String>);

impl FromStr for Text {
    type Err = ();

    fn from_str(text: &str) -> Result<Text, ()> {
        (!text.is_empty()).then(|| Text(Some(text.to_owned()))).ok_or(())
    }
}

fn text(name: &str, given: Option<String>, wanted: &str) -> Result<Option<String>, String> {
    Ok(option(name, given, Text(None), wanted)?.0)
}

/// What becomes of a base path, as the option names it.
struct Mode(BasePath);

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Mode, ()> {
        BasePath::named(text).map(Mode).ok_or(())
    }
}

impl Given {
    /// The options of a template.
    pub(crate) fn options(self, has_lambda_endpoint: bool) -> Result<Options, String> {
        let pairs = |name: &str, given: Vec<String>| {
            let given = match given.is_empty() {
                true => text(name, None, "NAME=VALUE")?.into_iter().collect(),
                false => given,
            };
            let pair = |text: &String| match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(format!("{name}: {text:?} is not NAME=VALUE")),
            };
            given.iter().map(pair).collect::<Result<Vec<_>, String>>()
        };
        let Region(region) = option("--region", self.region, Region(None), "a region")?;
        let account_id = option("--account-id", self.account_id, AccountId(String::new()), "12 digits")?;
        let default = Mode(BasePath::Ignore);
        let Mode(base_path) = option("--basepath", self.basepath, default, "ignore, prepend or split")?;
        let fail = option("--fail-on-warnings", None, false, "true or false")?;
        Ok(Options {
            parameters: pairs("--parameter", self.parameter)?,
            resolve: pairs("--resolve", self.resolve)?,
            stack_name: text("--stack-name", self.stack_name, "a name")?,
            stack: text("--stack", self.stack, "a name")?,
            region,
            account_id: (!account_id.0.is_empty()).then_some(account_id.0),
            base_path,
            fail_on_warnings: self.fail_on_warnings || fail,
            api: None,
            has_lambda_endpoint,
        })
    }
}

impl Template {
    /// The template of `--template`; none where it is not given.
    pub(crate) fn given(mut given: Given, has_lambda_endpoint: bool) -> Result<Option<Template>, String> {
        let Some(path) = text("--template", given.template.take(), "a file or a folder")? else {
            if let Some(name) = [
                ("--parameter", !given.parameter.is_empty()),
                ("--resolve", !given.resolve.is_empty()),
                ("--stack-name", given.stack_name.is_some()),
                ("--stack", given.stack.is_some()),
                ("--basepath", given.basepath.is_some()),
                ("--fail-on-warnings", given.fail_on_warnings),
            ]
            .into_iter()
            .find_map(|(name, is_given)| is_given.then_some(name))
            {
                return Err(format!("{name} is for a template: --template names it"));
            }
            return Ok(None);
        };
        Ok(Some(Template {
            path: path.into(),
            options: given.options(has_lambda_endpoint)?,
        }))
    }

    /// As the server takes it.
    pub(crate) fn into_option(self) -> TemplateOption {
        TemplateOption {
            path: self.path,
            options: self.options,
        }
    }

    fn load(self, root: Store) -> Result<(Loaded, TemplateSource), String> {
        let mut source = TemplateSource::new(self.path, self.options, root)?;
        Ok((source.load(), source))
    }
}

/// Lines, one for each message.
pub(crate) fn lines(messages: &[Message]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}

/// How many messages have a level.
pub(crate) fn count(messages: &[Message], level: Level) -> usize {
    messages.iter().filter(|message| message.level == level).count()
}

/// Prints everything that is to be told of a template.
pub(crate) fn check(
    template: Template,
    root: Store,
    format: Format,
    region: &str,
    account_id: &str,
) -> Result<ExitCode, String> {
    // The source keeps the directory of inline code, which the files are checked against.
    let (loaded, _source) = template.load(root)?;
    let messages = match loaded.files().filter(|_| !loaded.is_broken()) {
        None => loaded.messages.clone(),
        Some(listing) => {
            let (configuration, mut problems) = Configuration::of(listing);
            if let Some(configuration) = configuration {
                problems.extend(configuration.review_options(region, account_id));
            }
            loaded.all_messages(&problems.sorted())
        }
    };
    let (errors, warnings) = (count(&messages, Level::Error), count(&messages, Level::Warning));
    let hash = content_hash::of(loaded.files().unwrap_or(&Listing::default()));
    say(&match format {
        Format::Text => format!("{}{errors} errors, {warnings} warnings\n", lines(&messages)),
        Format::Json => {
            let problems: Vec<serde_json::Value> = messages.iter().map(Message::to_json).collect();
            let json = serde_json::json!({
                "problems": problems, "errors": errors, "warnings": warnings, "hash": hash,
            });
            format!("{json}\n")
        }
    })?;
    Ok(match errors {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What a template means, compiled.
pub(crate) fn compiled(template: Template, root: Store) -> Result<Configuration, String> {
    let (loaded, _source) = template.load(root)?;
    let Some(listing) = loaded.files().filter(|_| !loaded.is_broken()) else {
        return Err(lines(&loaded.messages).trim_end().to_owned());
    };
    let (configuration, problems) = Configuration::of(listing);
    configuration.ok_or_else(|| lines(&loaded.all_messages(&problems)).trim_end().to_owned())
}

/// Writes what a document means as files.
pub(crate) fn import(arguments: ImportArguments) -> Result<ExitCode, String> {
    let given = Given {
        template: None,
        parameter: arguments.parameter,
        resolve: arguments.resolve,
        stack_name: arguments.stack_name,
        stack: arguments.stack,
        region: arguments.region,
        account_id: arguments.account_id,
        basepath: arguments.basepath,
        fail_on_warnings: arguments.fail_on_warnings,
    };
    let mut options = given.options(false)?;
    options.api = text("--api", arguments.api, "an id")?;
    if let Some(id) = &options.api
        && !is_api_id(id)
    {
        return Err(format!("--api: {id:?} is no id of an API: 1 to 63 of a-z, 0-9 and -"));
    }
    let root = PathBuf::from(root(arguments.root)?);
    // What an import has left that was killed; the files are to be whole before they are compared.
    import::finish(&root);
    let Some(plan) = planned(arguments.file.into(), &root, options, arguments.replace)? else {
        return Ok(ExitCode::FAILURE);
    };
    carry_out(&plan, &root)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes what a document means into a directory that has no API; tells whether it could be read.
pub(crate) fn import_into_new(file: &str, root: &Path) -> Result<bool, String> {
    let options = Given::default().options(false)?;
    let Some(plan) = planned(file.into(), root, options, false)? else {
        return Ok(false);
    };
    let is_there = |path: &&String| files::link_info(&root.join(path)).is_ok();
    if let Some(path) = plan.removes.iter().chain(plan.writes.keys()).find(is_there) {
        return Err(format!(
            "{} is there already: init overwrites nothing",
            root.join(path).display()
        ));
    }
    carry_out(&plan, root)?;
    Ok(true)
}

/// What an import is to do; none where the document has errors, which are told.
fn planned(file: PathBuf, root: &Path, options: Options, replace: bool) -> Result<Option<Plan>, String> {
    let under = options.api.clone();
    // The root's own functions stand in for none: what is written must hold by itself.
    let mut source = TemplateSource::for_import(file, options, Store::at(root))?;
    let loaded = source.load();
    let messages = match loaded.files().filter(|_| !loaded.is_broken()) {
        None => loaded.messages.clone(),
        Some(listing) => loaded.all_messages(&Configuration::of(listing).1),
    };
    complain(lines(&messages).trim_end());
    if count(&messages, Level::Error) > 0 {
        return Ok(None);
    }
    if under.is_some() && loaded.reading.apis.len() > 1 {
        return Err("--api: the template has several APIs, each with an id of its own".to_owned());
    }
    plan(&loaded.reading, root, under.as_deref(), replace).map(Some)
}

fn carry_out(plan: &Plan, root: &Path) -> Result<(), String> {
    complain(lines(&plan.notes).trim_end());
    import::carry_out(plan, root)?;
    say(&plan.report())
}

/// Prints an API as OpenAPI.
pub(crate) fn export(arguments: ExportArguments) -> Result<ExitCode, String> {
    let format = option("--format", arguments.format, ExportFormat::Yaml, "yaml or json")?;
    let given = Given {
        template: arguments.template,
        parameter: arguments.parameter,
        resolve: arguments.resolve,
        stack_name: arguments.stack_name,
        stack: arguments.stack,
        region: arguments.region,
        account_id: arguments.account_id,
        ..Given::default()
    };
    let api = text("--api", arguments.api, "an id")?;
    let root = PathBuf::from(root(arguments.root)?);
    let (listing, _source, warnings) = match Template::given(given, false)? {
        Some(template) => {
            let (loaded, source) = template.load(Store::at(&root))?;
            let Some(listing) = loaded.files().filter(|_| !loaded.is_broken()).cloned() else {
                return Err(lines(&loaded.messages).trim_end().to_owned());
            };
            let (configuration, problems) = Configuration::of(&listing);
            if configuration.is_none() {
                return Err(lines(&loaded.all_messages(&problems)).trim_end().to_owned());
            }
            (listing, Some(source), lines(&loaded.messages_of(Level::Warning)))
        }
        None => {
            let listing = Store::at(&root).load();
            let (configuration, problems) = Configuration::of(&listing);
            if configuration.is_none() {
                return Err(StartError::Problems(problems).to_string());
            }
            (listing, None, String::new())
        }
    };
    let stage = text("--stage", arguments.stage, "a stage")?;
    let files = export::chosen(&listing, api.as_deref(), stage.as_deref())?;
    let settings = write::Settings {
        stage,
        no_extensions: arguments.no_extensions,
        ids: arguments.ids,
        endpoint: export::endpoint(&files),
    };
    let document = write::write(&files, &settings)?;
    let notes: String = document.notes.iter().map(|note| format!("note: {note}\n")).collect();
    complain(format!("{warnings}{notes}").trim_end());
    print(&match format {
        ExportFormat::Yaml => document.to_yaml(),
        ExportFormat::Json => document.to_json(),
    })
}

enum ExportFormat {
    Yaml,
    Json,
}

impl FromStr for ExportFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<ExportFormat, ()> {
        match text {
            "yaml" => Ok(ExportFormat::Yaml),
            "json" => Ok(ExportFormat::Json),
            _ => Err(()),
        }
    }
}
