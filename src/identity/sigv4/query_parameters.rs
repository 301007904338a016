//! The query of a signed request, taken apart.

use std::borrow::Cow;

use crate::definition::notation::query;
use crate::identity::sigv4::refusal::Refusal;

/// The query's names and values, decoded, in the order in which they came.
#[derive(Debug)]
pub(super) struct QueryParameters<'a>(Vec<Parameter<'a>>);

/// A name and its value.
type Parameter<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> QueryParameters<'a> {
    /// Reads a query as it stands in a request line.
    pub(super) fn of(raw: &'a str) -> QueryParameters<'a> {
        let parameters = raw.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (query::decoded(name), query::decoded(value))
        });
        QueryParameters(parameters.collect())
    }

    /// Whether there is one of that name, which is case sensitive.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| **other == *name.as_bytes())
    }

    /// The value of a parameter that may occur once.
    pub(super) fn one(&self, name: &str) -> Result<Option<Cow<'a, [u8]>>, Refusal> {
        let mut values = self.0.iter().filter(|(other, _)| **other == *name.as_bytes());
        let value = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            return Err(Refusal::Incomplete("a parameter of the signature occurs twice"));
        }
        Ok(value)
    }

    /// Sorted by encoded name, then value; without the signature, which cannot cover itself.
    pub(super) fn canonical(&self) -> String {
        let signed = self.0.iter().filter(|(name, _)| **name != *b"X-Amz-Signature");
        let mut encoded: Vec<(String, String)> = signed
            .map(|(name, value)| (query::encoded(name).to_string(), query::encoded(value).to_string()))
            .collect();
        encoded.sort_unstable();
        let pairs: Vec<String> = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}
