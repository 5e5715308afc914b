//! What every call to another server goes by: whoever the system trusts.

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use std::sync::Arc;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// A connector for http and https, and how many root certificates it knows. Blocks for as long as it takes to read those of the system.
pub(super) fn connector() -> Result<(HttpsConnector<HttpConnector>, usize), rustls::Error> {
    let mut roots = RootCertStore::empty();
    let (known, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build(), known))
}
