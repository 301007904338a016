//! What a token says: its checks in the order of `R8.5`–`R8.8`, and its claims as they are delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::definition::notation::raw_json;
use crate::identity::caller::Verified;
use crate::identity::jwt::expectations::Expectations;
use crate::identity::jwt::json_object::Object;
use crate::identity::jwt::refusal::{Description, Refusal};

/// The last second of the year 9999 in seconds since 1970, where calendars of most programs end. A later date is a mistake, such as
/// milliseconds, and would make a token that never expires.
const MAX_DATE: f64 = 253_402_300_799.0;

/// Checks what a token says, whose signature holds. `now` is the time since 1970, as fine as the clock has it (`R8.7`).
///
/// # Errors
/// The first check that fails.
pub(super) fn check(claims: &Object<'_>, expected: &Expectations<'_>, now: Duration) -> Result<Verified, Refusal> {
    if claims.string("iss").as_deref() != Some(expected.issuer) {
        return Err(Description::Issuer.into());
    }
    if !audiences(claims)
        .iter()
        .any(|audience| expected.audience.contains(audience))
    {
        return Err(Description::Audience.into());
    }
    let expires = date(claims, "exp")?.ok_or(Description::NoExpiry)?;
    if expires <= now {
        return Err(Description::Expired.into());
    }
    if date(claims, "nbf")?.is_some_and(|date| date > now) {
        return Err(Description::NotYetValid.into());
    }
    if date(claims, "iat")?.is_some_and(|date| date > now) {
        return Err(Description::NotYetIssued.into());
    }
    let scopes = match expected.scopes {
        [] => None,
        wanted => {
            let scopes = scopes(claims);
            if !scopes.iter().any(|scope| wanted.contains(scope)) {
                return Err(Refusal::Scopes);
            }
            Some(scopes)
        }
    };
    Ok(Verified {
        claims: as_delivered(claims),
        scopes,
        expires,
    })
}

/// For whom the token is: `client_id` counts only where there is no `aud`, be it a wrong one (`R8.6`).
fn audiences(claims: &Object<'_>) -> Vec<String> {
    let one = |name| claims.string(name).map(|audience| vec![audience]);
    if claims.has("aud") {
        one("aud").or_else(|| claims.strings("aud")).unwrap_or_default()
    } else {
        one("client_id").unwrap_or_default()
    }
}

/// What the token allows: `scp` counts where there is one (contract §3), a list or a text; else `scope`, a text.
fn scopes(claims: &Object<'_>) -> Vec<String> {
    let words = |name| {
        let text = claims.string(name)?;
        let words = text.split(' ').filter(|word| !word.is_empty());
        Some(words.map(str::to_owned).collect::<Vec<_>>())
    };
    if claims.has("scp") {
        words("scp").or_else(|| claims.strings("scp")).unwrap_or_default()
    } else {
        words("scope").unwrap_or_default()
    }
}

/// A date of RFC 7519 §2: a number of seconds since 1970, which may have a fraction. None where there is no such claim.
fn date(claims: &Object<'_>, name: &str) -> Result<Option<Duration>, Description> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let text = value.get();
    // JSON's numbers begin so; `null`, texts and negative numbers do not.
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Description::Date);
    }
    let seconds: f64 = text.parse().map_err(|_| Description::Date)?;
    if !(0.0..=MAX_DATE).contains(&seconds) {
        return Err(Description::Date);
    }
    Duration::try_from_secs_f64(seconds)
        .map(Some)
        .map_err(|_| Description::Date)
}

/// Every claim as text (`R8.16`–`R8.18`); one that is null is left out.
fn as_delivered(claims: &Object<'_>) -> BTreeMap<String, String> {
    let delivered = claims
        .members()
        .filter(|(_, value)| value.get() != "null")
        .filter_map(|(name, value)| Some((name.to_owned(), text(value)?)));
    delivered.collect()
}

/// A value as text: a string is what it says, a list `[a b]`, all else the JSON as it was written.
fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    if !json.starts_with('[') {
        return raw_json::text(json);
    }
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let items: Option<Vec<String>> = items.into_iter().map(text).collect();
    Some(format!("[{}]", items?.join(" ")))
}
