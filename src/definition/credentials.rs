//! Who may sign requests for routes with `AWS_IAM`: access keys, their secrets, and whose they are (`R8.38`).

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::definition::notation::arn::{is_account_id, is_partition};

/// Most characters of an access key id, which AWS bounds so.
const MAX_ACCESS_KEY_ID_LENGTH: usize = 128;

/// A text that no output may show: it is overwritten when it is dropped, and has no way into a log.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; no copy of it stays behind.
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// Whether a field of a request can carry it, and nothing in it comes from careless copying.
    pub fn is_visible_ascii(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The text itself, for cryptography only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The ARN of a user, a role's session, or another holder of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserArn(String);

impl UserArn {
    /// Reads `arn:<partition>:iam|sts::<account>:<resource>`; none where the text is another.
    ///
    /// # Example
    /// ```
    /// use apigateway::definition::credentials::UserArn;
    ///
    /// let arn = UserArn::parse("arn:aws:iam::123456789012:user/ann").unwrap();
    /// assert_eq!(arn.account_id(), "123456789012");
    /// assert!(UserArn::parse("arn:aws:s3:::bucket").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<UserArn> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "iam" | "sts", "", account, resource] = parts.as_slice() else {
            return None;
        };
        // It goes into events, header fields and log lines, so that no blank or control byte may be in it.
        let is_resource = !resource.is_empty() && resource.bytes().all(|byte| byte.is_ascii_graphic());
        (is_partition(partition) && is_account_id(account) && is_resource).then(|| UserArn(text.to_owned()))
    }

    /// The ARN as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account it belongs to: twelve digits.
    pub fn account_id(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

/// Whether a text can be an access key id: it stands between slashes and commas when a request is signed.
pub fn is_access_key_id(text: &str) -> bool {
    (1..=MAX_ACCESS_KEY_ID_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// An access key and whose it is.
#[derive(Debug)]
pub struct Credential {
    /// `AccessKeyId`: public, it names the key in every signed request.
    pub access_key_id: String,
    /// `SecretAccessKey`: what signatures are made with, and never sent.
    pub secret_access_key: Secret,
    /// `SessionToken`: a temporary key's, which every request with that key must bring.
    pub session_token: Option<Secret>,
    /// `UserArn`.
    pub user_arn: UserArn,
    /// `UserId`.
    pub user_id: String,
    /// `Administrator`: whether the holder may configure APIs where calls must be signed.
    pub is_administrator: bool,
}

/// Every access key that counts, by its id.
#[derive(Debug, Default)]
pub struct Credentials(HashMap<String, Credential>);

impl Credentials {
    /// The credential with that access key id.
    pub fn get(&self, access_key_id: &str) -> Option<&Credential> {
        self.0.get(access_key_id)
    }

    /// Whether any holder may configure APIs.
    pub fn has_administrator(&self) -> bool {
        self.0.values().any(|credential| credential.is_administrator)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no caller is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of two with one id the first counts; the reader of `credentials.json` refuses such a file.
impl From<Vec<Credential>> for Credentials {
    fn from(list: Vec<Credential>) -> Credentials {
        let mut by_id = HashMap::with_capacity(list.len());
        for credential in list {
            by_id.entry(credential.access_key_id.clone()).or_insert(credential);
        }
        Credentials(by_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_users_and_sessions() {
        for (text, account) in [
            ("arn:aws:iam::123456789012:user/ann", Some("123456789012")),
            ("arn:aws:sts::000000000001:assumed-role/r/s:1", Some("000000000001")),
            ("arn:aws-us-gov:iam::123456789012:root", Some("123456789012")),
            ("arn:aws-:iam::123456789012:root", None),
            ("arn:awsome:iam::123456789012:root", None),
            ("arn:aws:iam:us-east-1:123456789012:user/a", None),
            ("arn:aws:iam::12345678901:user/a", None),
            ("arn:aws:iam::1234567890123:user/a", None),
            ("arn:aws:iam::12345678901x:user/a", None),
            ("arn:aws:iam::123456789012:", None),
            ("arn:aws:iam::123456789012", None),
            ("arn:aws:iam::123456789012:user/a b", None),
            ("arn:aws:iam::123456789012:user/a\nb", None),
            ("arn:aws:lambda::123456789012:user/a", None),
            ("", None),
        ] {
            let arn = UserArn::parse(text);
            assert_eq!(arn.as_ref().map(UserArn::account_id), account, "{text}");
            assert_eq!(arn.as_ref().map(UserArn::as_str), account.map(|_| text));
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let credential = |id: &str, user_id: &str| Credential {
            is_administrator: false,
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new("first-hidden".to_owned()),
            session_token: Some(Secret::new("second-hidden".to_owned())),
            user_arn: UserArn::parse("arn:aws:iam::123456789012:user/ann").unwrap(),
            user_id: user_id.to_owned(),
        };
        let list = vec![
            credential("A", "AIDA"),
            credential("A", "second"),
            credential("B", "third"),
        ];
        let credentials = Credentials::from(list);
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(!shown.contains("hidden") && shown.contains("AIDA"), "{shown}");
        assert_eq!(credentials.len(), 2);
        assert!(credentials.get("A").is_some_and(|first| first.user_id == "AIDA"));
        assert!(credentials.get("a").is_none());
        assert!(Credentials::default().is_empty());
    }
}
