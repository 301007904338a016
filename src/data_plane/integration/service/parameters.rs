//! The values of a call's parameters for one request (contract S7–S9).

use std::borrow::Cow;
use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::data_plane::error::GatewayError;
use crate::definition::json::Json;
use crate::definition::notation::mapping_value::{Piece, Source};
use crate::definition::notation::service_parameter::{MessageAttribute, ParameterKind, ParameterValue};
use crate::deployment::service::json_template::NotJson;
use crate::deployment::service::{ServiceIntegration, ServiceParameter, ValueSource};
use crate::http1::message_limits::MAX_BODY_LENGTH;

/// The values that a call is made with, in the order of the subtype's parameters.
#[derive(Debug, Default)]
pub struct Parameters {
    values: Vec<(&'static str, ParameterValue)>,
    /// `Region`, which is not sent.
    pub region: Option<String>,
}

/// Why a call is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidParameter {
    /// A required parameter has no value.
    Unresolved {
        /// Its name.
        name: &'static str,
        /// Where the value should come from, as it is written in the file.
        written: String,
    },
    /// The value is none of the parameter's kind.
    Invalid(&'static str),
    /// All values are larger than a request may be.
    TooLarge,
}

impl From<InvalidParameter> for GatewayError {
    /// The value itself is in no message (contract S8).
    fn from(error: InvalidParameter) -> GatewayError {
        match error {
            InvalidParameter::Unresolved { name, written } => {
                GatewayError::BadRequest(format!("Unable to resolve property {name} from source {written}"))
            }
            InvalidParameter::Invalid(name) => GatewayError::BadRequest(format!("Invalid value for property {name}")),
            InvalidParameter::TooLarge => GatewayError::PayloadTooLarge,
        }
    }
}

/// Reads the values; `get` gives that of a source.
///
/// # Errors
/// See [`InvalidParameter`].
pub fn read<'s>(
    service: &ServiceIntegration,
    get: impl Fn(&Source) -> Option<Cow<'s, [u8]>>,
) -> Result<Parameters, InvalidParameter> {
    let mut parameters = Parameters::default();
    let mut reader = Reader { get, length: 0 };
    for configured in &service.parameters {
        let Some(value) = reader.value(configured)? else {
            continue;
        };
        match value {
            ParameterValue::Text(region) if configured.parameter.kind == ParameterKind::Region => {
                parameters.region = Some(region);
            }
            value => parameters.values.push((configured.parameter.name, value)),
        }
    }
    Ok(parameters)
}

struct Reader<G> {
    get: G,
    /// Bytes of all values so far: a file may put one source in many times.
    length: u64,
}

impl<'s, G: Fn(&Source) -> Option<Cow<'s, [u8]>>> Reader<G> {
    /// The value of a parameter; none where it is left out (contract S9).
    fn value(&mut self, configured: &ServiceParameter) -> Result<Option<ParameterValue>, InvalidParameter> {
        let parameter = configured.parameter;
        let without_value = || match parameter.is_required {
            true => Err(InvalidParameter::Unresolved {
                name: parameter.name,
                written: configured.written.clone(),
            }),
            false => Ok(None),
        };
        let invalid = || InvalidParameter::Invalid(parameter.name);
        let text = match &configured.value {
            ValueSource::Static(value) => return Ok(Some(value.clone())),
            ValueSource::Invalid => return Err(invalid()),
            ValueSource::Missing => return without_value(),
            ValueSource::Source(source) => match (self.get)(source) {
                Some(value) => value.into_owned(),
                None => return without_value(),
            },
            ValueSource::Pieces(pieces) => self.joined(pieces)?,
            ValueSource::Json(template) => {
                let length = Cell::new(self.length);
                let text = |source: &Source| {
                    let value = (self.get)(source).unwrap_or_default().into_owned();
                    length.set(length.get().saturating_add(value.len() as u64));
                    // Here too, so that no text of any length is made.
                    let is_short = length.get() <= MAX_BODY_LENGTH;
                    String::from_utf8(value).ok().filter(|_| is_short).ok_or(NotJson)
                };
                let json = template.expand(&text);
                self.length = length.get();
                self.count(0)?;
                let json = json.map_err(|_| invalid())?;
                return parameter.kind.read_json(&json).map(Some).map_err(|_| invalid());
            }
        };
        self.count(text.len())?;
        let is_text = matches!(
            parameter.kind,
            ParameterKind::Text | ParameterKind::PathSegment | ParameterKind::StatesArn | ParameterKind::QueueUrl
        );
        if is_text && text.is_empty() {
            return without_value();
        }
        parameter.kind.read(text).map(Some).map_err(|_| invalid())
    }

    /// A text with its sources put in; one without a value is empty (`R4.14`).
    fn joined(&mut self, pieces: &[Piece]) -> Result<Vec<u8>, InvalidParameter> {
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.extend_from_slice(literal.as_bytes()),
                Piece::Source(source) => text.extend_from_slice(&(self.get)(source).unwrap_or_default()),
            }
            // Here too, so that no text of any length is made.
            if text.len() as u64 > MAX_BODY_LENGTH {
                return Err(InvalidParameter::TooLarge);
            }
        }
        Ok(text)
    }

    fn count(&mut self, length: usize) -> Result<(), InvalidParameter> {
        self.length = self.length.saturating_add(length as u64);
        match self.length > MAX_BODY_LENGTH {
            true => Err(InvalidParameter::TooLarge),
            false => Ok(()),
        }
    }
}

impl Parameters {
    /// The value of a parameter, where it has one.
    pub(super) fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.values
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// A text; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(ParameterValue::Text(text)) => text,
            _ => "",
        }
    }

    /// The values in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &ParameterValue)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    /// The values as members of a JSON object, each by the name that `named` gives.
    pub(super) fn into_members(self, named: impl Fn(&str) -> String) -> Vec<(String, Json)> {
        let member = |(name, value): (&'static str, ParameterValue)| (named(name), json(value));
        self.values.into_iter().map(member).collect()
    }
}

/// A value as the JSON protocols write it.
fn json(value: ParameterValue) -> Json {
    match value {
        ParameterValue::Text(text) => Json::String(text),
        ParameterValue::Integer(number) => Json::Number(number.into()),
        ParameterValue::Strings(items) => Json::Array(items.into_iter().map(Json::String).collect()),
        ParameterValue::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        ParameterValue::Time(millis) => seconds(millis),
        // No call of a JSON protocol has them.
        ParameterValue::Attributes(attributes) => {
            let name = |attribute: MessageAttribute| Json::String(attribute.name);
            Json::Array(attributes.into_iter().map(name).collect())
        }
    }
}

/// Seconds since 1970, exact to the millisecond.
fn seconds(millis: i64) -> Json {
    if millis % 1000 == 0 {
        return Json::Number((millis / 1000).into());
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "until the year 9999 milliseconds are exact in a float"
    )]
    let seconds = millis as f64 / 1000.0;
    serde_json::Number::from_f64(seconds).map_or(Json::Null, Json::Number)
}
