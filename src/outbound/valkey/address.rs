//! Where a Valkey is, as a URL says it (`F11`).

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// The port where a URL has none.
const DEFAULT_PORT: u16 = 6379;

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// What is connected to.
    pub endpoint: Endpoint,
    /// The user of an access control list.
    pub user: Option<String>,
    /// The password, where the URL has one.
    pub password: Option<Zeroizing<String>>,
    /// The number of the database.
    pub database: u32,
}

/// What is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A name or an address, the latter without brackets.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
        /// Whether it speaks TLS.
        is_tls: bool,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it. The text of the URL, which may hold a password, is not repeated.
    ///
    /// # Example
    /// ```
    /// use apigateway::outbound::valkey::address::Address;
    ///
    /// let address = Address::parse("valkeys://gateway:secret@cache.test/3").unwrap();
    /// assert_eq!(address.user.as_deref(), Some("gateway"));
    /// assert_eq!((address.to_string().as_str(), address.database), ("valkeys://cache.test:6379/3", 3));
    /// assert!(Address::parse("http://cache.test").is_err());
    /// ```
    pub fn parse(url: &str) -> Result<Address, String> {
        if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err("a URL has no blanks and no control characters".to_owned());
        }
        for (mark, part) in [('?', "query"), ('#', "fragment")] {
            if url.contains(mark) {
                return Err(format!("there is no meaning to a {part}"));
            }
        }
        if let Some(path) = url.strip_prefix("unix:") {
            return Address::unix(path);
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(other_scheme)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(other_scheme()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, host_and_port) = match authority.rsplit_once('@') {
            Some((user_info, host_and_port)) => (Some(user_info), host_and_port),
            None => (None, authority),
        };
        let (host, port) = host_and_port_of(host_and_port)?;
        let (user, password) = match user_info.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            None => (None, None),
            Some((user, password)) => (decoded(user)?, decoded(password)?),
        };
        Ok(Address {
            endpoint: Endpoint::Tcp { host, port, is_tls },
            user,
            password: password.map(Zeroizing::new),
            database: database_of(path)?,
        })
    }

    fn unix(path: &str) -> Result<Address, String> {
        if !path.starts_with('/') || path.trim_end_matches('/').is_empty() {
            return Err("unix: is followed by the path of a socket, which begins with /".to_owned());
        }
        Ok(Address {
            endpoint: Endpoint::Unix(path.into()),
            user: None,
            password: None,
            database: 0,
        })
    }
}

fn other_scheme() -> String {
    "it begins with none of redis://, valkey://, rediss://, valkeys:// and unix:/".to_owned()
}

fn host_and_port_of(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket of the host is not closed")?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| "what is in brackets is no IPv6 address")?;
            (host, port)
        }
        None => {
            let (host, port) = text.find(':').map_or((text, ""), |at| text.split_at(at));
            if host.is_empty() {
                return Err("it has no host".to_owned());
            }
            if !host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            {
                return Err("its host is neither a name nor an address".to_owned());
            }
            (host, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => DEFAULT_PORT,
        digits => digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|port| *port != 0)
            .ok_or("its port is no number from 1 to 65535")?,
    };
    Ok((host.to_owned(), port))
}

fn database_of(path: &str) -> Result<u32, String> {
    if path.is_empty() {
        return Ok(0);
    }
    let is_number = path.bytes().all(|byte| byte.is_ascii_digit());
    let number = path.parse().ok().filter(|_| is_number);
    number.ok_or_else(|| "what follows the host's / is not the number of a database".to_owned())
}

/// A part of the user information, decoded; none where it is empty.
fn decoded(text: &str) -> Result<Option<String>, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "its user or password is not UTF-8 when it is decoded")?;
    Ok(Some(decoded.into_owned()).filter(|text| !text.is_empty()))
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tcp { host, port, is_tls } => {
                let scheme = if *is_tls { "valkeys" } else { "valkey" };
                match host.contains(':') {
                    true => write!(f, "{scheme}://[{host}]:{port}")?,
                    false => write!(f, "{scheme}://{host}:{port}")?,
                }
                write!(f, "/{}", self.database)
            }
        }
    }
}

/// Without user and password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_right() {
        // F11, and the table of options.
        for (url, shown, user, password) in [
            ("redis://h", "valkey://h:6379/0", None, None),
            ("valkey://h:1/", "valkey://h:1/0", None, None),
            ("REDISS://10.0.0.1:65535/15", "valkeys://10.0.0.1:65535/15", None, None),
            ("valkeys://[::1]:7/2", "valkeys://[::1]:7/2", None, None),
            ("redis://:p%40ss@h", "valkey://h:6379/0", None, Some("p@ss")),
            ("redis://u:p:w@h", "valkey://h:6379/0", Some("u"), Some("p:w")),
            ("redis://u@h", "valkey://h:6379/0", Some("u"), None),
            ("redis://u:a@b@h", "valkey://h:6379/0", Some("u"), Some("a@b")),
            ("unix:/run/v.sock", "unix:/run/v.sock", None, None),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown, "{url}");
            assert_eq!(address.user.as_deref(), user, "{url}");
            assert_eq!(address.password.as_ref().map(|text| text.as_str()), password, "{url}");
            assert!(!format!("{address:?}").contains("p"), "{address:?}");
        }
    }

    #[test]
    fn urls_that_cannot_be_right() {
        for (url, reason) in [
            ("http://h", "redis://"),
            ("h:6379", "redis://"),
            ("redis:h", "redis://"),
            ("redis://", "no host"),
            ("redis://:6379", "no host"),
            ("redis://u:p@", "no host"),
            ("redis:///1", "no host"),
            ("redis://h?db=1", "query"),
            ("redis://h#x", "fragment"),
            ("unix:/s?db=1", "query"),
            ("unix:", "path"),
            ("unix:/", "path"),
            ("unix:sock", "path"),
            ("redis://h/1x", "database"),
            ("redis://h/x", "database"),
            ("redis://h/1/2", "database"),
            ("redis://h/-1", "database"),
            ("redis://h/4294967296", "database"),
            ("redis://h:0", "port"),
            ("redis://h:65536", "port"),
            ("redis://h:", "port"),
            ("redis://h:+1", "port"),
            ("redis://[::1", "bracket"),
            ("redis://[h]", "IPv6"),
            ("redis://[::1]x", "port"),
            ("redis://h h", "blanks"),
            ("redis://h\n", "blanks"),
            ("redis://h,i", "host"),
            ("redis://%ff@h", "UTF-8"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
