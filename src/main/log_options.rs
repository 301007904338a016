//! What the options of the log may be.

use std::str::FromStr;

use apigateway::platform::logging;

/// Down to which level is logged.
pub(crate) struct LogLevel(pub(crate) log::LevelFilter);

impl FromStr for LogLevel {
    type Err = ();

    fn from_str(text: &str) -> Result<LogLevel, ()> {
        Ok(LogLevel(match text {
            "error" => log::LevelFilter::Error,
            "warn" => log::LevelFilter::Warn,
            "info" => log::LevelFilter::Info,
            "debug" => log::LevelFilter::Debug,
            _ => return Err(()),
        }))
    }
}

/// What a line of the log looks like.
pub(crate) struct LogFormat(pub(crate) logging::Format);

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<LogFormat, ()> {
        match text {
            "text" => Ok(LogFormat(logging::Format::Text)),
            "json" => Ok(LogFormat(logging::Format::Json)),
            _ => Err(()),
        }
    }
}
