//! Runtimes that a function names as in AWS, `python3.12` or `nodejs22.x`: what is started for them, and what that needs.
//!
//! Python and Node get a runtime client of ours, which stands in this program. The packages for other runtimes hold the
//! client that AWS uses too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::outbound::function::programs::{SearchPlaces, binary_on_path, on_path, runnable};
use crate::platform::files;

const PYTHON_CLIENT: &str = include_str!("clients/client.py");
const NODE_CLIENT: &str = include_str!("clients/client.js");

/// What the package of a Java function holds in `lib/`.
const JAVA_CLIENT: &str = "aws-lambda-java-runtime-interface-client";

/// Files beside which a bootstrap is to be built.
const TO_BE_BUILT: [&str; 4] = ["Cargo.toml", "go.mod", "Makefile", "CMakeLists.txt"];

/// `Runtime` and `Handler` of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedRuntime {
    /// `Runtime`.
    pub runtime: String,
    /// `Handler`; of `provided` runtimes, what the bootstrap makes of it.
    pub handler: String,
}

impl ManagedRuntime {
    /// Why functions of a runtime cannot be run on this machine; none where they can.
    pub fn refusal(&self) -> Option<String> {
        let runtime = self.runtime.as_str();
        let is_run = ["python3.", "nodejs", "provided", "java", "ruby"]
            .iter()
            .any(|begin| runtime.starts_with(begin));
        if is_run {
            None
        } else if !runtime.starts_with("dotnet") {
            Some(format!("functions of {runtime:?} have no runtime client inside"))
        } else if self.handler.contains("::") {
            Some("a class library of .NET has no runtime client inside: make it an executable assembly".to_owned())
        } else {
            None
        }
    }

    /// The program and its arguments.
    pub(super) fn command(&self, places: &SearchPlaces) -> Vec<String> {
        let (runtime, handler) = (self.runtime.as_str(), self.handler.as_str());
        let words: Vec<&str> = if runtime.starts_with("python") {
            vec![self.python(places), "-u", "-c", PYTHON_CLIENT, handler]
        } else if runtime.starts_with("nodejs") {
            vec!["node", "-e", NODE_CLIENT, "--", handler]
        } else if runtime.starts_with("java") {
            let class = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";
            vec!["java", "-cp", ".:lib/*", class, handler]
        } else if runtime.starts_with("ruby") {
            vec!["aws_lambda_ric", handler]
        } else if runtime.starts_with("dotnet") {
            return vec!["dotnet".to_owned(), format!("{handler}.dll")];
        } else {
            vec!["./bootstrap"]
        };
        words.into_iter().map(str::to_owned).collect()
    }

    /// The interpreter of the runtime's version, else any of Python 3.
    fn python(&self, places: &SearchPlaces) -> &str {
        match binary_on_path(&self.runtime, places.path.as_ref()) {
            Some(_) => &self.runtime,
            None => "python3",
        }
    }

    /// What keeps a function from starting in a directory, and what is to be done about it.
    pub(super) fn obstacle(&self, directory: &Path, places: &SearchPlaces) -> Option<String> {
        let runtime = self.runtime.as_str();
        let shown = directory.file_name().unwrap_or_default().to_string_lossy();
        let missing = |program: &str, remedy: &str| {
            let path = places.path.clone().unwrap_or_default();
            let is_there = on_path(program, &path, directory).is_ok();
            (!is_there).then(|| format!("there is no {program} in the directories of PATH: {remedy}"))
        };
        let built = "build it (`sam build`) and serve .aws-sam/build";
        if runtime.starts_with("python") {
            missing(self.python(places), "install Python 3.8 or later").or_else(|| {
                let module = self.handler.rsplit_once('.')?.0.replace('.', "/");
                let is_in = |place: &Path| place.join(format!("{module}.py")).exists() || place.join(&module).is_dir();
                let is_named = || {
                    named(places.python.as_ref(), directory)
                        .iter()
                        .any(|place| is_in(place))
                };
                (!is_in(directory) && !is_named()).then(|| {
                    format!(
                        "there is no {module}.py in {shown}/, which the Handler {} names",
                        self.handler
                    )
                })
            })
        } else if runtime.starts_with("nodejs") {
            missing("node", "install Node.js 18 or later")
                .or_else(|| self.missing_module(directory, places, &shown, built))
        } else if runtime.starts_with("java") {
            missing("java", "install a Java runtime").or_else(|| {
                let names = files::entries(&directory.join("lib")).unwrap_or_default();
                let is_there = names
                    .iter()
                    .any(|(name, _)| name.to_string_lossy().starts_with(JAVA_CLIENT));
                (!is_there).then(|| format!("there is no {JAVA_CLIENT} in {shown}/lib/: {built}"))
            })
        } else if runtime.starts_with("ruby") {
            missing("aws_lambda_ric", "gem install aws_lambda_ric")
        } else if runtime.starts_with("dotnet") {
            missing("dotnet", "install the .NET runtime").or_else(|| {
                let assembly = format!("{}.dll", self.handler);
                let is_there = directory.join(&assembly).exists();
                (!is_there).then(|| format!("there is no {assembly} in {shown}/: {built}"))
            })
        } else {
            let bootstrap = directory.join("bootstrap");
            if !bootstrap.exists() {
                let source = TO_BE_BUILT.iter().find(|name| directory.join(name).exists());
                let beside = source.map_or(String::new(), |name| format!(", only {name}"));
                return Some(format!("there is no bootstrap in {shown}/{beside}: {built}"));
            }
            runnable(&bootstrap)
                .err()
                .map(|why| format!("{why}: chmod +x makes it so"))
        }
    }

    /// The file of a handler of Node that is not there.
    fn missing_module(&self, directory: &Path, places: &SearchPlaces, shown: &str, built: &str) -> Option<String> {
        let (folder, name) = self
            .handler
            .rsplit_once('/')
            .map_or(("", self.handler.as_str()), |(folder, name)| (folder, name));
        let stem = name.split('.').next().unwrap_or_default();
        let at = directory.join(folder);
        let has = |ending: &str| at.join(format!("{stem}{ending}")).exists();
        if [".js", ".mjs", ".cjs", ""].iter().any(|ending| has(ending)) {
            return None;
        }
        // A handler may name a package or a file in one, which Node finds by rules of its own.
        let mut packages = named(places.node.as_ref(), directory);
        packages.push(directory.join("node_modules"));
        let endings = [".js", ".cjs", ".json", ""];
        let names = endings.map(|ending| Path::new(folder).join(format!("{stem}{ending}")));
        if packages
            .iter()
            .any(|place| names.iter().any(|name| place.join(name).exists()))
        {
            return None;
        }
        let is_typescript = [".ts", ".mts", ".cts", ".tsx"].iter().any(|ending| has(ending));
        let remedy = match is_typescript {
            true => built.to_owned(),
            false => format!("the Handler {} names it", self.handler),
        };
        Some(format!("there is no {stem}.js in {shown}/: {remedy}"))
    }
}

/// The places that a variable names; a relative one is below the directory.
fn named(variable: Option<&OsString>, directory: &Path) -> Vec<PathBuf> {
    let places = variable.into_iter().flat_map(std::env::split_paths);
    let places = places.filter(|place| !place.as_os_str().is_empty());
    places.map(|place| directory.join(place)).collect()
}
