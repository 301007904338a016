//! Where the variables of AWS's SDKs come from: the process, or a test.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::definition::credentials::Secret;

/// Where variables come from.
#[derive(Clone, Default)]
pub enum Environment {
    /// The process.
    #[default]
    Process,
    /// These and no others.
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// A variable. An empty one counts as none, as for AWS's SDKs.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match self {
            // What is not UTF-8 is no URL, no path and no key, and is refused as such.
            // No copy of it is left behind, since it may be a secret.
            Environment::Process => {
                let value = std::env::var_os(name)?.into_string();
                value.unwrap_or_else(|value| value.to_string_lossy().into_owned())
            }
            Environment::Given(variables) => variables.get(name)?.clone(),
        };
        (!value.is_empty()).then_some(value)
    }

    /// A variable that holds a secret.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(Secret::new)
    }

    /// Whether a variable says yes.
    pub(super) fn says_true(&self, name: &str) -> bool {
        let value = self.get(name).map(Zeroizing::new);
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}
