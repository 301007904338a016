//! URLs of queues: `https://<any host>/<account>/<name>`.

use crate::http1::target::AbsoluteUrl;

/// Most digits of an account; stand-ins have shorter ones than AWS.
const MAX_ACCOUNT_LENGTH: usize = 20;

/// Most characters of a queue's name without `.fifo`.
const MAX_NAME_LENGTH: usize = 80;

/// Checks a URL.
///
/// # Errors
/// A sentence on what is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    let shown =
        || format!("{text:?} is not a queue's URL such as https://sqs.us-east-1.amazonaws.com/123456789012/orders");
    let url = AbsoluteUrl::split(text).map_err(|_| shown())?;
    url.check().map_err(|error| format!("{}: {error}", shown()))?;
    if url.query.is_some() || !is_path(url.path) {
        return Err(shown());
    }
    Ok(())
}

/// The path of a queue's URL that was checked, which addresses a request about the queue.
pub fn path_of_queue(url: &str) -> &str {
    AbsoluteUrl::split(url).map_or("", |url| url.path)
}

fn is_path(path: &str) -> bool {
    let Some((account, name)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return false;
    };
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    (1..=MAX_ACCOUNT_LENGTH).contains(&account.len())
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
