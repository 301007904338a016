//! One connection: who asks, and many calls in one round trip.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use redis::Value;
use rustls::ClientConfig;
use zeroize::{Zeroize, Zeroizing};

use crate::outbound::valkey::address::{Address, Endpoint};
use crate::outbound::valkey::error::CallError;
use crate::outbound::valkey::reply::Incoming;
use crate::outbound::valkey::script::{Answer, Call, Hashes, PRESENCE, TOKEN_BUCKET};
use crate::outbound::valkey::socket::Socket;
use crate::platform::files;

/// Most bytes of a password's file.
const MAX_PASSWORD_LENGTH: u64 = 4096;

/// Where Valkey is, and who asks.
#[derive(Clone)]
pub struct Settings {
    /// What the URL says.
    pub address: Address,
    /// Where the password comes from, unless the URL has it.
    pub password: Option<Password>,
    /// Whom to trust over TLS.
    pub tls: Arc<ClientConfig>,
}

/// Where a password comes from.
#[derive(Clone)]
pub enum Password {
    /// It is known.
    Text(Zeroizing<String>),
    /// A file that is read on each connect.
    File(PathBuf),
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Password::Text(_) => f.write_str("Text(…)"),
            Password::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({}, {:?})", self.address, self.password)
    }
}

impl Password {
    /// The password as it is now, without the end of its line.
    ///
    /// # Errors
    /// The file cannot be read, is too large, not UTF-8 or empty; a sentence without its subject.
    pub fn read(&self) -> Result<Zeroizing<String>, String> {
        let path = match self {
            Password::Text(text) => return Ok(text.clone()),
            Password::File(path) => path,
        };
        let bytes = files::read_at_most(path, MAX_PASSWORD_LENGTH);
        let bytes = Zeroizing::new(bytes.map_err(|error| format!("cannot be read: {error}"))?);
        if bytes.len() as u64 > MAX_PASSWORD_LENGTH {
            return Err(format!("is larger than {MAX_PASSWORD_LENGTH} bytes"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8")?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// A connection on which the scripts are known. After an error it is out of step, and must be dropped.
pub struct Connection {
    socket: Socket,
    incoming: Incoming,
    hashes: Hashes,
}

impl Connection {
    /// Connects, says who asks, and loads the scripts, all before a moment.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub fn open(settings: &Settings, until: Instant) -> Result<Connection, CallError> {
        let socket = match &settings.address.endpoint {
            Endpoint::Unix(path) => Socket::connect_unix(path, until)?,
            Endpoint::Tcp { host, port, is_tls } => {
                Socket::connect(host, *port, is_tls.then_some(&settings.tls), until)?
            }
        };
        let mut connection = Connection {
            socket,
            incoming: Incoming::default(),
            hashes: Hashes::default(),
        };
        connection.authenticate(settings)?;
        if settings.address.database != 0 {
            let select = redis::cmd("SELECT").arg(settings.address.database).get_packed_command();
            connection.command(&select)?;
        }
        connection.load()?;
        Ok(connection)
    }

    fn authenticate(&mut self, settings: &Settings) -> Result<(), CallError> {
        let given = settings.address.password.clone();
        let password = match (given, &settings.password) {
            (Some(given), _) => given,
            (None, Some(password)) => password.read().map_err(CallError::Password)?,
            (None, None) if settings.address.user.is_some() => Zeroizing::default(),
            (None, None) => return Ok(()),
        };
        let mut words = vec![b"AUTH".to_vec(), password.as_bytes().to_vec()];
        if let Some(user) = &settings.address.user {
            words.insert(1, user.as_bytes().to_vec());
        }
        let packed = Zeroizing::new(redis::pack_command(&words));
        words.zeroize();
        self.send(&packed)?;
        match self.incoming.next(&mut self.socket)? {
            Value::ServerError(error) => Err(CallError::refused(error.code(), true)),
            _ => Ok(()),
        }
    }

    /// Makes the scripts known to the server.
    fn load(&mut self) -> Result<(), CallError> {
        let mut hash_of = |script: &str| {
            let load = redis::cmd("SCRIPT").arg("LOAD").arg(script).get_packed_command();
            match self.command(&load)? {
                Value::BulkString(hash) => String::from_utf8(hash).map_err(|_| NOT_ASKED_FOR),
                _ => Err(NOT_ASKED_FOR),
            }
        };
        self.hashes = Hashes {
            token_bucket: hash_of(TOKEN_BUCKET)?,
            presence: hash_of(PRESENCE)?,
        };
        Ok(())
    }

    /// Makes all calls in one round trip; where the server has forgotten the scripts, in three.
    ///
    /// # Errors
    /// The connection fails before all answers are there.
    pub fn call(&mut self, calls: &[Call], until: Instant) -> Result<Vec<Answer>, CallError> {
        self.socket.set_deadline(until);
        let mut answers = self.round_trip(calls.iter())?;
        if answers.iter().any(|answer| matches!(answer, Answer::NoScript)) {
            self.load()?;
            let is_open = |answer: &Answer| matches!(answer, Answer::NoScript);
            let again = calls.iter().zip(&answers).filter(|(_, answer)| is_open(answer));
            let again: Vec<&Call> = again.map(|(call, _)| call).collect();
            let mut late = self.round_trip(again.into_iter())?.into_iter();
            for answer in answers.iter_mut().filter(|answer| is_open(answer)) {
                *answer = late.next().unwrap_or(Answer::NoScript);
            }
        }
        match self.incoming.is_empty() {
            true => Ok(answers),
            false => Err(NOT_ASKED_FOR),
        }
    }

    fn round_trip<'a>(&mut self, calls: impl ExactSizeIterator<Item = &'a Call>) -> Result<Vec<Answer>, CallError> {
        let count = calls.len();
        let mut bytes = Vec::new();
        for call in calls {
            bytes.extend_from_slice(&call.packed(&self.hashes));
        }
        self.send(&bytes)?;
        (0..count)
            .map(|_| answer_of(self.incoming.next(&mut self.socket)?))
            .collect()
    }

    /// A command alone.
    fn command(&mut self, packed: &[u8]) -> Result<Value, CallError> {
        self.send(packed)?;
        match self.incoming.next(&mut self.socket)? {
            Value::ServerError(error) => Err(refused(&error)),
            value => Ok(value),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), CallError> {
        self.socket.write_all(bytes)?;
        self.socket.flush()?;
        Ok(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

const NOT_ASKED_FOR: CallError = CallError::Garbage("the server answers what it was not asked for");

fn answer_of(value: Value) -> Result<Answer, CallError> {
    let number = |value: &Value| match value {
        Value::Int(number) => Ok(*number),
        _ => Err(NOT_ASKED_FOR),
    };
    match &value {
        Value::Array(values) => values.iter().map(number).collect::<Result<_, _>>().map(Answer::Numbers),
        Value::Int(number) => Ok(Answer::Numbers(vec![*number])),
        Value::ServerError(error) if error.code() == "NOSCRIPT" => Ok(Answer::NoScript),
        Value::ServerError(error) => Ok(Answer::Refused(refused(error))),
        _ => Err(NOT_ASKED_FOR),
    }
}

fn refused(error: &redis::ServerError) -> CallError {
    let text = match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    };
    CallError::refused(&text, false)
}
