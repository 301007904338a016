//! The options of the listener's certificate.

use apigateway::definition::store::TlsFiles;

use crate::arguments::option;

/// The files of the listener's certificate: both or neither.
pub(crate) fn tls_files(certificate: Option<String>, key: Option<String>) -> Result<Option<TlsFiles>, String> {
    let certificate = option("--tls-certificate", certificate, String::new(), "a file")?;
    let key = option("--tls-key", key, String::new(), "a file")?;
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(TlsFiles { certificate, key })),
        (false, true) => Err("--tls-key is missing: --tls-certificate needs its key".to_owned()),
        (true, false) => Err("--tls-certificate is missing: --tls-key needs its certificate".to_owned()),
    }
}
