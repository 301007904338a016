//! Lists, part by part (`R20.7`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::wire;
use crate::definition::json::Json;

/// Most items that a call may ask for at once.
const MAX_RESULTS: usize = 500;

/// Bytes of a token that tell that it was made here.
const MARK_LENGTH: usize = 8;

/// The part of a list that a query asks for, as an answer. `list` names the list, so that a token of another one does
/// not count. Items stand in the order of their ids.
///
/// # Errors
/// `maxResults` is no number from 1 to 500, or `nextToken` is none that was given out for this list.
pub fn of<T>(
    list: &str,
    query: Option<&str>,
    mut items: Vec<(String, T)>,
    answer: impl Fn(&str, &T) -> Json,
) -> Result<Json, ApiError> {
    let most = wire::parameter(query, "maxResults")?
        .map(|text| most_results(&text))
        .transpose()?;
    let after = wire::parameter(query, "nextToken")?
        .map(|token| last_of(list, &token))
        .transpose()?;
    items.sort_by(|one, other| one.0.cmp(&other.0));
    if let Some(after) = after {
        // The item may be gone; those behind it are not.
        items.retain(|(id, _)| *id > after);
    }
    let is_last = most.is_none_or(|most| items.len() <= most);
    items.truncate(most.unwrap_or(usize::MAX));
    let last = items.last().map(|(id, _)| id.clone()).unwrap_or_default();
    let shown = items.iter().map(|(id, item)| answer(id, item)).collect();
    let mut page = vec![("items".to_owned(), Json::Array(shown))];
    if !is_last {
        page.push(("nextToken".to_owned(), Json::String(token(list, &last))));
    }
    Ok(Json::Object(page))
}

fn most_results(text: &str) -> Result<usize, ApiError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|number| is_number && (1..=MAX_RESULTS).contains(number));
    number.ok_or_else(|| ApiError::bad_request(format!("MaxResults must be between 1 and {MAX_RESULTS}")))
}

/// A token that names the last item that was sent. It needs nothing that a restart would forget.
fn token(list: &str, last: &str) -> String {
    let mut bytes = mark(list, last);
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn last_of(list: &str, token: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::bad_request("NextToken is invalid");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let (mark_of_token, last) = bytes.split_at_checked(MARK_LENGTH).ok_or_else(invalid)?;
    let last = str::from_utf8(last).map_err(|_| invalid())?;
    match mark(list, last) == mark_of_token {
        true => Ok(last.to_owned()),
        false => Err(invalid()),
    }
}

fn mark(list: &str, last: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, format!("nextToken\n{list}\n{last}").as_bytes());
    hash.as_ref().get(..MARK_LENGTH).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(list: &str, query: &str, ids: &[&str]) -> Result<(String, Option<String>), String> {
        let items = ids.iter().map(|id| ((*id).to_owned(), ())).collect();
        let json = of(list, Some(query), items, |id, ()| Json::String(id.to_owned())).map_err(|error| error.message)?;
        let value = serde_json::to_value(&json).unwrap();
        let token = value.get("nextToken").map(|token| token.as_str().unwrap().to_owned());
        Ok((value["items"].to_string(), token))
    }

    #[test]
    fn a_token_leads_on_whatever_was_deleted() {
        let ids = ["c", "a", "b", "d"];
        assert_eq!(page("x", "", &ids), Ok((r#"["a","b","c","d"]"#.to_owned(), None)));
        assert_eq!(page("x", "maxResults=4", &ids).unwrap().1, None);
        let (first, token) = page("x", "maxResults=2", &ids).unwrap();
        assert_eq!(first, r#"["a","b"]"#);
        let next = format!("maxResults=2&nextToken={}", token.unwrap());
        assert_eq!(
            page("x", &next, &["a", "c", "d"]),
            Ok((r#"["c","d"]"#.to_owned(), None))
        );
        assert_eq!(page("x", &next, &["bb", "c", "d"]).unwrap().0, r#"["bb","c"]"#);
        assert_eq!(page("x", &next, &[]), Ok(("[]".to_owned(), None)));
        assert_eq!(page("y", &next, &ids), Err("NextToken is invalid".to_owned()));
    }

    #[test]
    fn what_a_query_may_not_say() {
        for query in [
            "maxResults=0",
            "maxResults=501",
            "maxResults=x",
            "maxResults=",
            "maxResults=-1",
            "maxResults=%2B1",
            "maxResults=1&maxResults=2",
            "nextToken=",
            "nextToken=abc",
            "nextToken=%ff",
            "maxResults=99999999999999999999999",
        ] {
            assert!(page("x", query, &["a"]).is_err(), "{query}");
        }
        assert!(page("x", "maxResults=500", &["a"]).is_ok());
    }
}
