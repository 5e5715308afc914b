//! TLS by rustls, HTTP/1.1 only: WebSockets are upgraded from it.

use super::certificate;
use crate::time::Timestamp;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use thiserror::Error;
use tokio_rustls::{TlsAcceptor, rustls};

/// Why TLS could not be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file could not be read, or is not PEM of the right kind.
    #[error("{path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{0}: no certificate in it")]
    NoCertificate(PathBuf),
    /// Certificate and key do not make a server.
    #[error("certificate and key: {0}")]
    Config(#[from] rustls::Error),
    /// A certificate that cannot be read as one (X.509).
    #[error("{0}: not a certificate: {1}")]
    Certificate(PathBuf, String),
    /// Nobody would accept it.
    #[error("{0}: the certificate ended {1}")]
    Expired(PathBuf, Expiry),
}

/// When the end of a certificate is spoken of.
const SOON: Duration = Duration::from_hours(14 * 24);

/// When the first certificate of a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(Timestamp);

impl Expiry {
    /// In seconds since the Unix epoch, as metrics have it.
    pub(in crate::http) fn as_secs(self) -> u64 {
        self.0.as_millis() / 1000
    }

    /// Whether it has ended.
    pub(in crate::http) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    /// Whether it ends so soon that somebody should know.
    pub(in crate::http) fn is_near(self) -> bool {
        self.left() < SOON
    }

    fn left(self) -> Duration {
        self.0.since(Timestamp::of_the_system())
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.as_secs())).fmt(f)
    }
}

/// TLS with one certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    expiry: Expiry,
    /// By what it is told from another one.
    digest: [u8; 32],
}

impl Tls {
    /// Reads a certificate chain and its key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`], all there is to say: both files may be wrong.
    pub fn from_files(certificates: &Path, key: &Path) -> Result<Self, Vec<TlsError>> {
        match (chain(certificates), private_key(key)) {
            (Ok(chain), Ok(key)) => Self::new(certificates, chain, key).map_err(|error| vec![error]),
            (chain, key) => Err(chain.err().into_iter().chain(key.err()).collect()),
        }
    }

    fn new(path: &Path, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let mut ends = Vec::new();
        for certificate in &chain {
            let end = certificate::not_after(certificate)
                .map_err(|error| TlsError::Certificate(path.into(), error.to_string()))?;
            ends.push(Expiry(Timestamp::from_millis(end.as_secs().saturating_mul(1000))));
        }
        let expiry = ends.into_iter().min().ok_or_else(|| TlsError::NoCertificate(path.into()))?;
        let digest = chain.iter().fold(Sha256::new(), |digest, certificate| digest.chain_update(certificate));
        Ok(Self { acceptor: acceptor(chain, key)?, expiry, digest: digest.finalize().into() })
    }

    /// What takes a connection's handshake.
    pub(in crate::http) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Until when it is good.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }
}

/// The certificate that it is.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tls {}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}

fn unreadable(path: &Path) -> impl Fn(rustls_pki_types::pem::Error) -> TlsError + '_ {
    move |source| TlsError::Pem { path: path.into(), source }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(path))?;
    if chain.is_empty() { Err(TlsError::NoCertificate(path.into())) } else { Ok(chain) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(unreadable(path))
}

/// Refuses a key that is not the certificate's.
fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
