//! The options of the console.

use std::str::FromStr;

use apigateway::data_plane::capture::Mode;
use apigateway::server::ConsoleOptions;

use crate::arguments::option;

/// On, off, or what the listener says.
struct Switch(Option<bool>);

impl FromStr for Switch {
    type Err = ();

    fn from_str(text: &str) -> Result<Switch, ()> {
        match text {
            "on" => Ok(Switch(Some(true))),
            "off" => Ok(Switch(Some(false))),
            _ => Err(()),
        }
    }
}

/// Whether there is a switch of the command line.
struct Flag(bool);

impl FromStr for Flag {
    type Err = ();

    fn from_str(text: &str) -> Result<Flag, ()> {
        match text {
            "" | "0" | "false" => Ok(Flag(false)),
            "1" | "true" => Ok(Flag(true)),
            _ => Err(()),
        }
    }
}

/// What is said of the console; `has_no_listener` where `--admin off` leaves its listener out.
pub(crate) fn console(
    console: Option<String>,
    capture: Option<String>,
    capture_secrets: bool,
    has_no_listener: bool,
) -> Result<ConsoleOptions, String> {
    let is_on = option("--console", console, Switch(None), "on or off")?.0;
    if has_no_listener && is_on == Some(true) {
        return Err("--console: it is served by the management listener, which --admin off leaves out".to_owned());
    }
    let flag = capture_secrets.then(|| "true".to_owned());
    Ok(ConsoleOptions {
        is_on,
        capture: option("--capture", capture, Mode::default(), "one of auto, always, off")?,
        keeps_secrets: option("--capture-secrets", flag, Flag(false), "true or false")?.0,
    })
}
