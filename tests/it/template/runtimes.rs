//! Functions in Python and Node by `Runtime` and `Handler`, with the runtime clients of the program (`R33.4` to `R33.10`).
//!
//! Where an interpreter is missing, its tests have nothing to run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::client::{Answer, exchange, get};
use crate::support::directory::{Directory, route};
use crate::support::program::{Served, serve};

fn has(program: &str) -> bool {
    let version = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// An API with one route to a function.
fn api(function: &Value, code: &[(&str, &str)]) -> Directory {
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        ("routes/f.json", route("ANY /{proxy+}", "f")),
        (
            "integrations/f.json",
            json!({
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": "arn:aws:lambda:eu-north-1:123456789012:function:f",
                "PayloadFormatVersion": "2.0",
            }),
        ),
        ("functions/f.json", function.clone()),
    ]);
    for (path, text) in code {
        directory.write(path, text);
    }
    directory
}

fn served(function: &Value, code: &[(&str, &str)]) -> (Directory, Served) {
    let directory = api(function, code);
    let served = serve(&directory, &["--access-log", "off", "--log-format", "text"]);
    (directory, served)
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

const PYTHON: &str = r#"
import decimal, logging, os, sys
import helper
log = logging.getLogger()
log.setLevel(logging.INFO)

def handler(event, context):
    path = event["rawPath"]
    if path == "/raise":
        raise ValueError("no such pet")
    if path == "/marshal":
        return {"a": {1, 2}}
    if path == "/exit":
        sys.exit(3)
    if path == "/decimal":
        return {"whole": decimal.Decimal("3"), "part": decimal.Decimal("2.5"), "text": "\u00fc"}
    log.info("asked for %s", path)
    print("printed")
    return {
        "name": context.function_name, "memory": context.memory_limit_in_mb, "arn": context.invoked_function_arn,
        "left": 0 < context.get_remaining_time_in_millis() <= 5000, "id": len(context.aws_request_id),
        "task": os.environ["LAMBDA_TASK_ROOT"] == os.getcwd() == sys.path[0], "handler": os.environ["_HANDLER"],
        "runtime": os.environ["AWS_EXECUTION_ENV"], "trace": os.environ["_X_AMZN_TRACE_ID"][:5], "own": os.environ["OWN"],
        "helper": helper.NAME, "layer": __import__("layered").NAME,
    }
"#;

#[test]
fn a_function_in_python() {
    if !has("python3") {
        return;
    }
    let function = json!({
        "Runtime": "python3.12", "Handler": "lib/app.handler", "CodeUri": "code", "Timeout": 5, "MemorySize": 256,
        "Environment": {"OWN": "own"}, "Layers": ["layer"], "Concurrency": 1,
    });
    let (_directory, mut served) = served(
        &function,
        &[
            ("code/lib/app.py", PYTHON),
            ("code/helper.py", "NAME = 'helped'\n"),
            ("layer/python/layered.py", "NAME = 'layered'\n"),
        ],
    );
    assert_eq!(
        json_of(&get(served.address, "/context")),
        json!({
            "name": "f", "memory": "256", "arn": "arn:aws:lambda:eu-north-1:123456789012:function:f", "left": true, "id": 36,
            "task": true, "handler": "lib/app.handler", "runtime": "AWS_Lambda_python3.12", "trace": "Root=", "own": "own",
            "helper": "helped", "layer": "layered",
        })
    );
    served.running.complains("asked for /context");
    served.running.complains("printed");
    assert_eq!(
        json_of(&get(served.address, "/decimal")),
        json!({"whole": 3, "part": 2.5, "text": "\u{fc}"})
    );
    for (path, told) in [
        ("/exit", "exited with status 3"),
        ("/raise", "ValueError: no such pet"),
        ("/marshal", "Runtime.MarshalError"),
    ] {
        assert_eq!(get(served.address, path).status, 500, "{path}");
        served.running.complains(told);
    }
    assert_eq!(get(served.address, "/context").status, 200, "a new process goes on");
}

const NODE: &str = r#"
import { name } from "./helper.mjs";
const layered = () => process.env.NODE_PATH.endsWith("layer/nodejs/node_modules");
export const api = {
  handler: async (event, context) => {
    const path = event.rawPath;
    if (path === "/raise") throw new TypeError("no such pet");
    if (path === "/reject") { Promise.reject(new Error("left alone")); await new Promise((done) => setTimeout(done, 1000)); }
    return {
      name: context.functionName, memory: context.memoryLimitInMB, arn: context.invokedFunctionArn,
      left: context.getRemainingTimeInMillis() > 0, handler: process.env._HANDLER, runtime: process.env.AWS_EXECUTION_ENV,
      trace: process.env._X_AMZN_TRACE_ID.slice(0, 5), helper: name, layer: layered(),
    };
  },
};
"#;

#[test]
fn a_function_in_node() {
    if !has("node") {
        return;
    }
    let function = json!({
        "Runtime": "nodejs22.x", "Handler": "lib/index.api.handler", "WorkingDirectory": "code", "Timeout": 5,
        "Layers": ["layer"], "Concurrency": 1,
    });
    let (_directory, mut served) = served(
        &function,
        &[
            ("code/lib/index.mjs", NODE),
            ("code/lib/helper.mjs", "export const name = 'helped';\n"),
            ("layer/nodejs/node_modules/x/index.js", ""),
        ],
    );
    assert_eq!(
        json_of(&get(served.address, "/context")),
        json!({
            "name": "f", "memory": "128", "arn": "arn:aws:lambda:eu-north-1:123456789012:function:f", "left": true,
            "handler": "lib/index.api.handler", "runtime": "AWS_Lambda_nodejs22.x", "trace": "Root=", "helper": "helped",
            "layer": true,
        })
    );
    for (path, told) in [("/raise", "TypeError: no such pet"), ("/reject", "left alone")] {
        assert_eq!(get(served.address, path).status, 500, "{path}");
        served.running.complains(told);
    }
    assert_eq!(get(served.address, "/context").status, 200, "a new process goes on");
}

#[test]
fn the_forms_of_handlers_of_node() {
    if !has("node") {
        return;
    }
    for (code, expected) in [
        (
            "exports.handler = (event, context, callback) => callback(null, 'by callback');",
            "by callback",
        ),
        (
            "exports.handler = (event, context) => context.succeed('by context');",
            "by context",
        ),
        ("module.exports = { handler: (event) => 'by value' };", "by value"),
        ("exports.handler = () => {};", "null"),
        (
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n\
             stream = awslambda.HttpResponseStream.from(stream, { statusCode: 200 }); stream.write('a'); stream.end('b'); });",
            "ab",
        ),
    ] {
        let function = json!({"Runtime": "nodejs20.x", "Handler": "index.handler", "WorkingDirectory": "code"});
        let (_directory, served) = served(&function, &[("code/index.js", code)]);
        let answer = get(served.address, "/x");
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{code}");
    }
}

#[test]
fn what_keeps_a_function_from_starting_is_told_with_its_remedy() {
    // R33.5: at the load, and as the reason of each 500.
    for (function, code, warned, told) in [
        (
            json!({"Runtime": "provided.al2023", "WorkingDirectory": "code"}),
            vec![("code/go.mod", "")],
            "functions/f.json#/Runtime: warning: f: there is no bootstrap in code/, only go.mod: build it (`sam build`) and serve .aws-sam/build",
            "there is no bootstrap in code/",
        ),
        (
            json!({"Runtime": "nodejs20.x", "Handler": "app.handler", "WorkingDirectory": "code"}),
            vec![("code/app.ts", "")],
            "functions/f.json#/Runtime: warning: f: there is no app.js in code/: build it (`sam build`) and serve .aws-sam/build",
            "there is no app.js in code/",
        ),
        (
            json!({"Runtime": "python3.12", "Handler": "app.handler", "WorkingDirectory": "code"}),
            vec![("code/other.py", "")],
            "functions/f.json#/Runtime: warning: f: there is no app.py in code/, which the Handler app.handler names",
            "there is no app.py in code/",
        ),
    ] {
        let (_directory, mut served) = served(&function, &code);
        served.running.complains(warned);
        assert_eq!(get(served.address, "/x").status, 500);
        served.running.complains(told);
    }
}

#[test]
fn what_a_runtime_cannot_load_is_told_as_in_aws() {
    for (program, runtime, handler, file, code, told) in [
        (
            "python3",
            "python3.12",
            "app.handler",
            "code/app.py",
            "import no_such_module\n",
            "Runtime.ImportModuleError",
        ),
        (
            "python3",
            "python3.12",
            "app.missing",
            "code/app.py",
            "",
            "Runtime.HandlerNotFound",
        ),
        (
            "python3",
            "python3.12",
            "app.handler",
            "code/app.py",
            "def handler(:\n",
            "Runtime.UserCodeSyntaxError",
        ),
        (
            "node",
            "nodejs20.x",
            "app.handler",
            "code/app.js",
            "require('no-such-module')",
            "Runtime.ImportModuleError",
        ),
        (
            "node",
            "nodejs20.x",
            "app.missing",
            "code/app.js",
            "",
            "Runtime.HandlerNotFound",
        ),
        (
            "node",
            "nodejs20.x",
            "app.handler",
            "code/app.js",
            "export default {",
            "Runtime.UserCodeSyntaxError",
        ),
    ] {
        if !has(program) {
            continue;
        }
        let function = json!({"Runtime": runtime, "Handler": handler, "WorkingDirectory": "code"});
        let (_directory, mut served) = served(&function, &[(file, code)]);
        assert_eq!(get(served.address, "/x").status, 500, "{code}");
        served.running.complains(told);
    }
}

#[test]
fn a_bootstrap_is_run_as_in_aws() {
    // `provided`: the executable file of the package, with `_HANDLER` and the task root.
    let bootstrap = "#!/bin/sh\nread_header() { sed -n 's/\\r$//; s/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p' \"$1\"; }\n\
                     while :; do\n  H=$(mktemp); curl -sS -o /dev/null -D \"$H\" \"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\" || exit 1\n\
                     curl -sS -o /dev/null -d \"{\\\"handler\\\":\\\"$_HANDLER\\\"}\" \"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$(read_header $H)/response\"\n  rm -f $H\ndone\n";
    if !has("curl") {
        return;
    }
    let function = json!({"Runtime": "provided.al2023", "Handler": "hello", "WorkingDirectory": "code", "Timeout": 5});
    let directory = api(&function, &[("code/bootstrap", bootstrap)]);
    let path = directory.path().join("code/bootstrap");
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let served = serve(&directory, &["--access-log", "off"]);
    assert_eq!(json_of(&get(served.address, "/x")), json!({"handler": "hello"}));
}

/// Where a program is.
fn place_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|place| place.join(program).is_file())
}

#[test]
fn programs_and_handlers_of_layers_and_of_the_function_s_own_paths_are_found() {
    for (program, runtime, code) in [
        (
            "python3",
            "python3.12",
            (
                "python/app.py",
                "def handler(event, context):\n    return 'of a layer'\n",
            ),
        ),
        (
            "node",
            "nodejs22.x",
            (
                "nodejs/node_modules/app.js",
                "exports.handler = async () => 'of a layer';\n",
            ),
        ),
    ] {
        if !has(program) {
            continue;
        }
        let path = std::env::var("PATH").unwrap();
        let layer = format!("layer/{}", code.0);
        let elsewhere = code.0.rsplit_once('/').unwrap().0;
        let function = |layers: Value, variables: Value| {
            json!({
                "Runtime": runtime, "Handler": "app.handler", "WorkingDirectory": "code", "Layers": layers,
                "Environment": variables, "Timeout": 5,
            })
        };
        let own = match program {
            "node" => "NODE_PATH",
            _ => "PYTHONPATH",
        };
        for (function, problems) in [
            (function(json!(["layer"]), json!({"PATH": path})), 0),
            (
                function(json!([]), json!({"PATH": path, own: format!("../layer/{elsewhere}")})),
                0,
            ),
            // As before: what is nowhere is told.
            (function(json!([]), json!({"PATH": path})), 1),
            (function(json!(["layer"]), json!({"PATH": "/nowhere"})), 1),
        ] {
            let directory = api(&function, &[(layer.as_str(), code.1), ("code/other", "")]);
            let mut check = crate::support::program::program();
            check
                .args(["check", "--region", "eu-north-1", "--root"])
                .arg(directory.path())
                .env("PATH", "/none");
            let output = check.output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(
                said.ends_with(&format!("0 errors, {problems} warnings\n")),
                "{function}: {said}"
            );
            if problems == 0 {
                let served = serve(&directory, &["--access-log", "off"]);
                assert_eq!(get(served.address, "/x").text(), "of a layer", "{function}");
            }
        }
    }
}

#[test]
fn a_program_of_a_layer_is_found() {
    let Some(place) = place_of("node").filter(|_| has("node")) else {
        return;
    };
    let function = json!({
        "Runtime": "nodejs22.x", "Handler": "app.handler", "WorkingDirectory": "code", "Layers": ["layer"], "Timeout": 5,
        "Environment": {"PATH": "/nowhere"},
    });
    let directory = api(
        &function,
        &[
            ("code/app.js", "exports.handler = async () => 'run';\n"),
            ("layer/bin/x", ""),
        ],
    );
    std::os::unix::fs::symlink(place.join("node"), directory.path().join("layer/bin/node")).unwrap();
    let served = serve(&directory, &["--access-log", "off"]);
    assert_eq!(get(served.address, "/x").text(), "run");
}

#[test]
fn the_shipped_project_is_served() {
    // The issue's example: a function in Python and one in Node, from a SAM template.
    if !has("python3") || !has("node") {
        return;
    }
    let project = crate::support::repository::root().join("examples/sam");
    let directory = Directory::of(&[]);
    let served = serve(
        &directory,
        &["--access-log", "off", "--template", project.to_str().unwrap()],
    );
    assert_eq!(
        json_of(&get(served.address, "/greet/Ada")),
        json!({"message": "Hello, Ada!"})
    );
    let body = "{\"pet\":7}";
    let request = format!(
        "POST /orders HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(served.address, request);
    assert_eq!(answer.status, 201);
    assert_eq!(json_of(&answer), json!({"table": "Table", "order": {"pet": 7}}));
}
