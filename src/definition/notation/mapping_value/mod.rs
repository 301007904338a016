//! Values of a parameter mapping: text, a `$source`, or text with sources in it (`R4.3`–`R4.5`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::mapping_key::Side;
//! use apigateway::definition::notation::mapping_value::{MappingValue, Piece, Source};
//!
//! let value = MappingValue::parse("${request.path.id}-${stageVariables.v}", Side::Request).unwrap();
//! assert_eq!(value, MappingValue::Pieces(vec![
//!     Piece::Source(Source::PathParameter("id".into())),
//!     Piece::Text("-".into()),
//!     Piece::Source(Source::StageVariable("v".into())),
//! ]));
//! assert_eq!(MappingValue::parse("/v2/$request.path.id", Side::Request), MappingValue::parse("/v2/${request.path.id}",
//! Side::Request)); assert!(MappingValue::parse("$request.path", Side::Response).is_err());
//! ```

mod source;
mod pieces;

use crate::definition::notation::mapping_key::{Side, is_reserved};
use crate::definition::notation::mapping_value::source::begins_with_root;

pub use crate::definition::notation::mapping_value::pieces::Piece;
pub use crate::definition::notation::mapping_value::source::{InvalidValue, MAX_LENGTH, Source};

/// What a target is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingValue {
    /// A source alone: where it has no value, the mapping is skipped (`R4.14`).
    Source(Source),
    /// Pieces one after another: a source without a value is empty text.
    Pieces(Vec<Piece>),
}

impl MappingValue {
    /// Reads a value.
    ///
    /// # Errors
    /// See [`InvalidValue`].
    pub fn parse(text: &str, side: Side) -> Result<MappingValue, InvalidValue> {
        let value = MappingValue::parse_any_header(text, side)?;
        for source in value.sources() {
            if let Source::Header(name) = source
                && is_reserved(name)
            {
                return Err(InvalidValue::Reserved(name.clone()));
            }
        }
        Ok(value)
    }

    /// Reads a value that may also read fields that no mapping can, as an authorizer may.
    ///
    /// # Errors
    /// See [`InvalidValue`].
    pub fn parse_any_header(text: &str, side: Side) -> Result<MappingValue, InvalidValue> {
        let length = text.chars().count();
        if length == 0 || length > MAX_LENGTH {
            return Err(InvalidValue::Length(length));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return Err(InvalidValue::Control(control));
        }
        let alone = text.strip_prefix('$').filter(|source| begins_with_root(source));
        let Some(alone) = alone else {
            return pieces::parse(text, side).map(MappingValue::Pieces);
        };
        let whole = Source::parse(alone, side);
        match &whole {
            // Names of fields and parameters may hold nearly anything, but none means another source by it.
            Ok(Source::Header(_) | Source::Querystring(_)) if pieces::holds_source(alone) => {}
            Ok(_) => return whole.map(MappingValue::Source),
            Err(error) if pieces::is_one_name(alone) => return Err(error.clone()),
            Err(_) => {}
        }
        pieces::parse(text, side)
            .map(MappingValue::Pieces)
            .map_err(|error| match (error, whole) {
                // What is in the brackets is wrong, then.
                (InvalidValue::Bracket(_), Err(error @ InvalidValue::JsonPath(_))) => error,
                (error, _) => error,
            })
    }

    /// The text, where it reads no source.
    pub fn text(&self) -> Option<&str> {
        match self {
            MappingValue::Pieces(pieces) => match pieces.as_slice() {
                [] => Some(""),
                [Piece::Text(text)] => Some(text),
                _ => None,
            },
            MappingValue::Source(_) => None,
        }
    }

    /// What a text probably means: the source that it is with a dollar sign before it.
    pub fn meant(text: &str, side: Side) -> Option<String> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let name = inner.unwrap_or(text);
        let name = ["method.", "integration."]
            .iter()
            .find_map(|root| name.strip_prefix(root))
            .unwrap_or(name);
        Source::parse(name, side).ok()?;
        match inner {
            Some(_) => Some(format!("${{{name}}}")),
            None => Some(format!("${name}")),
        }
    }

    /// The value with stage variables put in; none where it is one that the stage does not have (`R2.13`).
    pub fn with_stage_variables<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Option<MappingValue> {
        let put_in = |piece: &Piece| match piece {
            Piece::Source(Source::StageVariable(name)) => Piece::Text(variable(name).unwrap_or_default().to_owned()),
            other => other.clone(),
        };
        match self {
            MappingValue::Source(Source::StageVariable(name)) => {
                variable(name).map(|text| MappingValue::Pieces(vec![Piece::Text(text.to_owned())]))
            }
            MappingValue::Source(_) => Some(self.clone()),
            MappingValue::Pieces(pieces) => Some(MappingValue::Pieces(pieces.iter().map(put_in).collect())),
        }
    }

    /// The sources that it reads.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let (alone, pieces) = match self {
            MappingValue::Source(source) => (Some(source), &[][..]),
            MappingValue::Pieces(pieces) => (None, pieces.as_slice()),
        };
        alone.into_iter().chain(pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Source(source) => Some(source),
        }))
    }
}

#[cfg(test)]
mod tests;
