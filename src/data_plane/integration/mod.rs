//! How a request becomes an integration's request, one file for each kind of integration.

pub mod http_proxy;
pub mod headers;
pub mod lambda_proxy;
pub mod service;
