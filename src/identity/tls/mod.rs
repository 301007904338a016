//! Certificates: the gateway's own with their keys, those of clients, and whom they are trusted by.
//!
//! [`server_certificate`] and [`truststore`] are what files hold, [`identity`] is what a TLS handshake goes on with, and
//! [`client`] what its requests get to know. [`x509`] reads what a certificate says, and [`name`] writes names down.

pub mod name;
pub mod x509;
pub mod client;
pub mod server_certificate;
pub mod truststore;
pub mod identity;
