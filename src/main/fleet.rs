//! The options of a fleet: where Valkey is, and who asks it.

use apigateway::outbound::valkey::Password;
use apigateway::outbound::valkey::address::Address;
use apigateway::server::fleet::FleetOptions;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use crate::arguments::{ServeArguments, option};

/// The variable of the password, for which there is no flag: a command line is there for all to read.
const PASSWORD_VARIABLE: &str = "APIGATEWAY_VALKEY_PASSWORD";

/// Most characters of a prefix.
const MAX_PREFIX: usize = 64;

/// Longest time that a request may wait, in ms.
const MAX_TIMEOUT: u16 = 1000;

/// What every key begins with.
struct Prefix(String);

impl FromStr for Prefix {
    type Err = ();

    fn from_str(text: &str) -> Result<Prefix, ()> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        let is_right = (1..=MAX_PREFIX).contains(&text.len()) && text.bytes().all(is_allowed);
        is_right.then(|| Prefix(text.to_owned())).ok_or(())
    }
}

/// How long a request waits.
struct Millis(NonZeroU16);

impl FromStr for Millis {
    type Err = ();

    fn from_str(text: &str) -> Result<Millis, ()> {
        let millis: NonZeroU16 = text.parse().map_err(|_| ())?;
        (millis.get() <= MAX_TIMEOUT).then_some(Millis(millis)).ok_or(())
    }
}

/// The Valkey that throttles are shared through, if any is named.
pub(crate) fn fleet(arguments: &mut ServeArguments) -> Result<Option<FleetOptions>, String> {
    let default = NonZeroU16::new(25).unwrap_or(NonZeroU16::MIN);
    let Millis(timeout) = option(
        "--valkey-timeout-ms",
        arguments.valkey_timeout_ms.take(),
        Millis(default),
        "a whole number from 1 to 1000",
    )?;
    let Prefix(prefix) = option(
        "--valkey-prefix",
        arguments.valkey_prefix.take(),
        Prefix("apigateway:".to_owned()),
        "1 to 64 of the characters A-Z a-z 0-9 . _ - :",
    )?;
    let file =
        |name, flag| option(name, flag, String::new(), "a file").map(|path| Some(path).filter(|path| !path.is_empty()));
    let ca = file("--valkey-ca", arguments.valkey_ca.take())?;
    let password_file = file("--valkey-password-file", arguments.valkey_password_file.take())?;
    let url = match arguments.valkey.take() {
        Some(url) => Some(("--valkey", url)),
        None => secret_variable("APIGATEWAY_VALKEY")?.map(|url| ("APIGATEWAY_VALKEY", url)),
    };
    let Some((source, url)) = url.filter(|(_, url)| !url.is_empty()) else {
        return Ok(None);
    };
    // The URL is not shown: it may hold a password.
    let address = Address::parse(&url).map_err(|reason| format!("{source}: {reason}"))?;
    let variable = secret_variable(PASSWORD_VARIABLE)?.filter(|password| !password.is_empty());
    let sources = [
        (address.password.is_some(), source),
        (password_file.is_some(), "--valkey-password-file"),
        (variable.is_some(), PASSWORD_VARIABLE),
    ];
    let mut given = sources.iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name);
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        return Err(format!("{one} and {other} both have a password"));
    }
    let password = password_file.map(|path| Password::File(path.into()));
    Ok(Some(FleetOptions {
        address,
        password: password.or(variable.map(|text| Password::Text(text.into()))),
        ca: ca.map(Into::into),
        prefix,
        timeout: Duration::from_millis(timeout.get().into()),
    }))
}

/// The value of a variable that may hold a secret, and so is never shown.
fn secret_variable(name: &str) -> Result<Option<String>, String> {
    let value = std::env::var_os(name).map(std::ffi::OsString::into_string);
    value.transpose().map_err(|_| format!("{name}: it is not UTF-8"))
}
