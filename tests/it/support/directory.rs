//! A directory of files that is gone when the test is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// A directory below the system's temporary one.
pub struct Directory(PathBuf);

impl Directory {
    /// An empty directory.
    pub fn empty() -> Directory {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("apigateway-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    /// A directory with the three that an API needs, and these files in them.
    pub fn of(files: &[(&str, Value)]) -> Directory {
        let directory = Directory::empty();
        for name in ["stages", "routes", "integrations"] {
            fs::create_dir(directory.0.join(name)).unwrap();
        }
        for (path, json) in files {
            directory.write(path, &json.to_string());
        }
        directory
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and the directories above it; one that holds secrets is for its owner only.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.ends_with("credentials.json") {
            // As it should be: others cannot read it, or there is a warning.
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.0.join(path)).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An integration that keeps the client's method.
pub fn http_proxy(uri: impl Into<String>) -> Value {
    json!({"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "IntegrationUri": uri.into()})
}

/// An integration that invokes a function.
pub fn lambda_proxy(function: &str, payload_format_version: &str) -> Value {
    json!({
        "IntegrationType": "AWS_PROXY",
        "IntegrationMethod": "POST",
        "IntegrationUri": format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
        "PayloadFormatVersion": payload_format_version,
    })
}

/// A route to an integration.
pub fn route(key: &str, integration: &str) -> Value {
    json!({"RouteKey": key, "Target": format!("integrations/{integration}")})
}

/// A default stage, and `ANY /{proxy+}` to that address.
pub fn pass_everything(address: impl std::fmt::Display) -> Vec<(&'static str, Value)> {
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/all.json", route("ANY /{proxy+}", "up")),
        (
            "integrations/up.json",
            http_proxy(format!("http://{address}/{{proxy}}")),
        ),
    ]
}

/// A stage with limits for all its routes.
pub fn throttled_stage(rate: f64, burst: u64) -> Value {
    json!({"DefaultRouteSettings": {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}})
}
