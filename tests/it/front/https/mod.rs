//! These tests speak HTTPS to the gateway (T1–T10, C1–C4).

mod serving;
mod ends;
mod limits;
mod handshakes;
mod floods;
mod openssl;
mod metrics;
mod certificates;
mod reload;
mod mutual;
mod client_certificates;

use std::sync::Arc;

use apigateway::server::Options;
use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::https::{Certified, TlsClient, authority_params, client_config, https_options, params};

/// A gateway that speaks HTTPS, and who signed its certificates.
struct Https {
    gateway: Gateway,
    endpoint: Endpoint,
    authority: Certified,
}

/// With a management listener.
fn with_admin(mut options: Options) -> Options {
    options.admin = Some("127.0.0.1:0".to_owned());
    options
}

/// A domain with a certificate of its own, and perhaps a truststore.
fn domain(name: &str, truststore: Option<&str>) -> Value {
    let mut file = json!({
        "DomainNameConfigurations": [{"CertificateFile": format!("{name}.pem"), "KeyFile": format!("{name}.key")}],
        "ApiMappings": [{"ApiId": "local", "Stage": "$default"}],
    });
    if let Some(truststore) = truststore {
        file["MutualTlsAuthentication"] = json!({"TruststoreFile": truststore});
    }
    file
}

impl Https {
    /// With the listener's certificate for `listener.test`.
    fn start() -> Https {
        Https::with(Endpoint::telling_the_target(), |_, _| {}, |options| options)
    }

    fn with(
        endpoint: Endpoint,
        prepare: impl FnOnce(&Directory, &Certified),
        change: impl FnOnce(Options) -> Options,
    ) -> Https {
        let authority = Certified::own(authority_params("Authority"));
        let directory = Directory::of(&pass_everything(endpoint.address));
        Certified::by(&authority, params("listener.test")).write(&directory, "listener");
        prepare(&directory, &authority);
        let options = change(https_options(&directory));
        Https {
            gateway: Gateway::start(directory, options),
            endpoint,
            authority,
        }
    }

    /// With one more domain.
    fn with_domain(name: &str, truststore: Option<&Certified>) -> Https {
        Https::with_domain_and(name, truststore, |options| options)
    }

    fn with_domain_and(name: &str, truststore: Option<&Certified>, change: impl FnOnce(Options) -> Options) -> Https {
        let prepare = |directory: &Directory, authority: &Certified| {
            Certified::by(authority, params(name)).write(directory, name);
            if let Some(truststore) = truststore {
                directory.write("clients.pem", &truststore.pem);
            }
            let file = domain(name, truststore.map(|_| "clients.pem"));
            directory.write(&format!("domains/{name}.json"), &file.to_string());
        };
        Https::with(Endpoint::telling_the_target(), prepare, change)
    }

    fn config(&self) -> Arc<ClientConfig> {
        client_config(&[&self.authority], &[])
    }

    fn connect(&self, name: &str) -> TlsClient {
        TlsClient::connect(self.gateway.address, name, &self.config())
    }
}
