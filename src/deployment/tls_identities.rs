//! With which certificate a connection is served, by the name that its client asks for, and until when those hold.

use std::collections::HashMap;
use std::sync::Arc;

use crate::deployment::domain::Domain;
use crate::identity::tls::identity::Identity;
use crate::identity::tls::server_certificate::ServerCertificate;

/// What the listener's own certificate is called.
const LISTENER: &str = "-";

const SECONDS_A_DAY: i64 = 24 * 60 * 60;

/// A certificate with fewer days left is told of.
const MIN_DAYS_LEFT: i64 = 14;

/// What TLS handshakes go on with.
#[derive(Debug)]
pub struct TlsIdentities {
    /// For all names that have no domain.
    listener: Arc<Identity>,
    /// By the domain's name.
    domains: HashMap<String, Arc<Identity>>,
    ask_for_certificates: bool,
}

/// Until when something of a domain's holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// `-` for the listener.
    pub domain: String,
    /// Seconds since 1970.
    pub at: i64,
}

impl TlsIdentities {
    /// Those of the listener and of domains. What was there before, and is of the same files, goes on, with its sessions.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn new(
        before: Option<&TlsIdentities>,
        listener: &Arc<ServerCertificate>,
        domains: &[Arc<Domain>],
    ) -> Result<TlsIdentities, rustls::Error> {
        let by_name: HashMap<&str, &Arc<Domain>> =
            domains.iter().map(|domain| (domain.name.as_str(), domain)).collect();
        let of_wildcard = |name: &str| {
            let (_, rest) = name.split_once('.')?;
            by_name.get(format!("*.{rest}").as_str())?.certificate.as_ref()
        };
        let mut identities = HashMap::new();
        for domain in domains {
            let certificate = domain.certificate.as_ref().or_else(|| of_wildcard(&domain.name));
            let (name, truststore) = (Some(domain.name.as_str()), domain.truststore.as_ref());
            let certificate = certificate.unwrap_or(listener);
            let known = before.and_then(|before| before.domains.get(&domain.name));
            let identity = match known.filter(|known| known.is_of(name, certificate, truststore)) {
                Some(known) => Arc::clone(known),
                None => Arc::new(Identity::new(name, certificate, truststore)?),
            };
            identities.insert(domain.name.clone(), identity);
        }
        let known = before.map(|before| &before.listener);
        let own = match known.filter(|known| known.is_of(None, listener, None)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Identity::new(None, listener, None)?),
        };
        Ok(TlsIdentities {
            listener: own,
            domains: identities,
            ask_for_certificates: domains.iter().any(|domain| domain.truststore.is_some()),
        })
    }

    /// That of a domain, or of none.
    pub(super) fn of(&self, domain: Option<&Domain>) -> &Arc<Identity> {
        let own = domain.and_then(|domain| self.domains.get(&domain.name));
        own.unwrap_or(&self.listener)
    }

    /// Whether clients of any domain must show certificates.
    pub(super) fn ask_for_certificates(&self) -> bool {
        self.ask_for_certificates
    }

    /// The end of the listener's certificate.
    pub(super) fn listener_expiry(&self) -> Expiry {
        Expiry {
            domain: LISTENER.to_owned(),
            at: self.listener.certificate().end(),
        }
    }
}

/// Tells of certificates that end soon; `now` is in seconds since 1970.
pub(super) fn reminders(certificates: &[Expiry], truststores: &[Expiry], now: i64) -> Vec<String> {
    let mut reminders = Vec::new();
    for (what, expiries) in [
        ("certificate", certificates),
        ("truststore's first certificate", truststores),
    ] {
        for Expiry { domain, at } in expiries {
            let days = (at - now).div_euclid(SECONDS_A_DAY);
            let of = match domain.as_str() {
                LISTENER => "the listener",
                domain => domain,
            };
            match days {
                ..0 => reminders.push(format!("the {what} of {of} has expired")),
                0..MIN_DAYS_LEFT => {
                    reminders.push(format!("the {what} of {of} expires in less than {} days", days + 1))
                }
                _ => {}
            }
        }
    }
    reminders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_soon_is_told_of() {
        let at = |days: i64| Expiry {
            domain: "a.test".to_owned(),
            at: days * SECONDS_A_DAY,
        };
        for (days, expected) in [(15, 0), (14, 0), (13, 1), (0, 1), (-1, 1)] {
            assert_eq!(reminders(&[at(days)], &[], 0).len(), expected, "{days}");
            assert_eq!(reminders(&[], &[at(days)], 0).len(), expected, "{days}");
        }
        let one_second_short = Expiry {
            domain: LISTENER.to_owned(),
            at: 14 * SECONDS_A_DAY - 1,
        };
        let expected = "the certificate of the listener expires in less than 14 days";
        assert_eq!(reminders(&[one_second_short], &[], 0), [expected]);
    }
}
