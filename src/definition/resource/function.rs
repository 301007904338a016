//! `functions/<name>.json`: how a function is invoked that an ARN names. AWS has no such file.

use std::collections::BTreeMap;

use crate::definition::resource::fields::Fields;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Where it was read from.
    pub file: String,
    /// `InvokeUri`: where an event is posted to.
    pub invoke_uri: Option<String>,
    /// `Command`: the program that asks for events, and its arguments.
    pub command: Option<Vec<String>>,
    /// `Runtime`: AWS's name of what runs it, `python3.12`.
    pub runtime: Option<String>,
    /// `Handler`: what the runtime calls.
    pub handler: Option<String>,
    /// `Layers`: directories relative to the root.
    pub layers: Option<Vec<String>>,
    /// `Environment`.
    pub environment: Option<Environment>,
    /// `WorkingDirectory`: relative to the root. `CodeUri` is another name for it, with `Runtime`.
    pub working_directory: Option<String>,
    /// `Timeout`, in seconds.
    pub timeout: Option<i64>,
    /// `Concurrency`: events at once.
    pub concurrency: Option<i64>,
    /// `MemorySize`, in MB.
    pub memory_size: Option<i64>,
    /// `Watch`: paths relative to the root.
    pub watch: Option<Vec<String>>,
}

/// `Environment`: names and values, or what AWS prints, which has them as `Variables`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Where they stand, as a JSON pointer.
    pub pointer: &'static str,
    /// The variables.
    pub variables: BTreeMap<String, String>,
}

impl Environment {
    fn read(fields: &mut Fields<'_>) -> Option<Environment> {
        if !fields.has_object_with("Environment", "Variables") {
            let variables = fields.string_map("Environment")?;
            return Some(Environment {
                pointer: "/Environment",
                variables,
            });
        }
        let variables = fields.object("Environment", |fields| {
            // Why Lambda could not read them.
            fields.without_effect(&["Error"]);
            fields.string_map("Variables")
        })?;
        Some(Environment {
            pointer: "/Environment/Variables",
            variables: variables.unwrap_or_default(),
        })
    }
}

impl Function {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Function {
        let code_uri = fields.string("CodeUri");
        let working_directory = fields.string("WorkingDirectory");
        if code_uri.is_some() && working_directory.is_some() {
            fields.error(
                "CodeUri",
                "it is another name for WorkingDirectory: one of them is enough",
            );
        }
        let function = Function {
            file,
            invoke_uri: fields.string("InvokeUri"),
            command: fields.strings("Command"),
            runtime: fields.string("Runtime"),
            handler: fields.string("Handler"),
            layers: fields.strings("Layers"),
            environment: Environment::read(&mut fields),
            working_directory: working_directory.or(code_uri),
            timeout: fields.integer("Timeout"),
            concurrency: fields.integer("Concurrency"),
            memory_size: fields.integer("MemorySize"),
            watch: fields.strings("Watch"),
        };
        fields.string("Description");
        fields.finish();
        function
    }
}
