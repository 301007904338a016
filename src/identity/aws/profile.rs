//! The files of AWS's tools, `~/.aws/credentials` and `~/.aws/config`, and the one section of them that counts.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::definition::credentials::Secret;
use crate::identity::aws::environment::Environment;
use crate::platform::files;

/// Most bytes of a file.
const MAX_LENGTH: u64 = 1024 * 1024;

/// What is known of a profile: the settings of both files, those of the credentials file first.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its name.
    pub(super) name: String,
    /// Whether a variable names it.
    pub(super) is_named: bool,
    /// Whether any file has it.
    pub(super) is_there: bool,
    /// Any of them may be a secret.
    settings: BTreeMap<String, Secret>,
}

impl Profile {
    /// Reads the files. One that is not there is an empty one.
    ///
    /// # Errors
    /// A file cannot be read; a sentence that names it.
    pub(super) fn load(environment: &Environment) -> Result<Profile, String> {
        let named = environment.get("AWS_PROFILE");
        let mut profile = Profile {
            is_named: named.is_some(),
            name: named.unwrap_or_else(|| "default".to_owned()),
            is_there: false,
            settings: BTreeMap::new(),
        };
        for (variable, file, is_config) in [
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", false),
            ("AWS_CONFIG_FILE", "config", true),
        ] {
            if let Some(path) = path_of(environment, variable, file) {
                let text = read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                profile.take_in(&text, is_config);
            }
        }
        Ok(profile)
    }

    /// A setting that is no secret.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(Secret::expose)
    }

    /// A setting that is one.
    pub(super) fn take_secret(&mut self, name: &str) -> Option<Secret> {
        self.settings.remove(name)
    }

    /// The names of the settings.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// Takes over the profile's section of a file, but for what is known already.
    fn take_in(&mut self, text: &str, is_config: bool) {
        let mut is_ours = false;
        for line in text.lines() {
            if let Some(section) = section(line) {
                is_ours = self.is_section(section, is_config);
                self.is_there |= is_ours;
                continue;
            }
            // An indented line belongs to the setting above it, and none that counts here has any.
            if !is_ours || line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = without_comment(value).trim();
            if !value.is_empty() {
                let name = name.trim().to_ascii_lowercase();
                self.settings
                    .entry(name)
                    .or_insert_with(|| Secret::new(value.to_owned()));
            }
        }
    }

    fn is_section(&self, section: &str, is_config: bool) -> bool {
        let of_config = || {
            let name = section.strip_prefix("profile")?;
            name.starts_with([' ', '\t']).then(|| name.trim().trim_matches('"'))
        };
        match is_config {
            true => of_config() == Some(&self.name) || (section == "default" && self.name == "default"),
            false => section == self.name,
        }
    }
}

/// The name in brackets, of a line that begins a section.
fn section(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(name.trim())
}

/// A value without the comment behind it, which begins after a blank.
fn without_comment(value: &str) -> &str {
    let begins = |at: &usize| {
        let rest = value.get(*at..).unwrap_or_default();
        [" #", " ;", "\t#", "\t;"].iter().any(|mark| rest.starts_with(mark))
    };
    let end = value.char_indices().map(|(at, _)| at).find(begins);
    value.get(..end.unwrap_or(value.len())).unwrap_or_default()
}

/// Where a file is; none where it has no place.
fn path_of(environment: &Environment, variable: &str, file: &str) -> Option<PathBuf> {
    let home = || environment.get("HOME").map(PathBuf::from);
    match environment.get(variable) {
        Some(path) => match path.strip_prefix("~/") {
            Some(below) => home().map(|home| home.join(below)),
            None => Some(path.into()),
        },
        None => home().map(|home| home.join(".aws").join(file)),
    }
}

/// The text of a file, empty where there is none.
fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = match files::read_at_most(path, MAX_LENGTH) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound || path == Path::new("/dev/null") => {
            return Ok(Zeroizing::default());
        }
        Err(error) => return Err(error.to_string()),
    };
    if bytes.len() as u64 > MAX_LENGTH {
        return Err(format!("the file has more than {MAX_LENGTH} bytes"));
    }
    let text = str::from_utf8(&bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, credentials: &str, config: &str) -> Profile {
        let mut profile = Profile {
            name: name.to_owned(),
            is_named: true,
            is_there: false,
            settings: BTreeMap::new(),
        };
        profile.take_in(credentials, false);
        profile.take_in(config, true);
        profile
    }

    #[test]
    fn a_section_is_found_in_both_files() {
        let credentials = "# a comment\n[default]\naws_access_key_id = A\n[x]\nAWS_ACCESS_KEY_ID=B # why\n\
            aws_secret_access_key = s#e;c=r\n[profile x]\naws_session_token = none\n";
        let config = "[default]\nregion = r1\n[profile x]\nregion=r2\ns3 =\n  endpoint_url = http://s3\n\
            aws_access_key_id = C\n[x]\nregion = r3\n[services x]\nendpoint_url = http://other\n";
        let x = profile("x", credentials, config);
        assert_eq!(x.get("aws_access_key_id"), Some("B"));
        assert_eq!(x.get("aws_secret_access_key"), Some("s#e;c=r"));
        assert_eq!((x.get("region"), x.get("endpoint_url")), (Some("r2"), None));
        assert_eq!(x.get("aws_session_token"), None);
        let default = profile("default", credentials, config);
        assert_eq!(
            (default.get("aws_access_key_id"), default.get("region")),
            (Some("A"), Some("r1"))
        );
        assert!(!profile("y", credentials, config).is_there);
        assert!(!format!("{x:?}").contains("s#e"), "{x:?}");
        let quoted = profile("a b", "", "[profile \"a b\"]\r\nregion = r\r\n");
        assert_eq!(quoted.get("region"), Some("r"));
    }
}
