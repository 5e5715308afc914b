//! Certificates that come and go, and clients that trust whoever issues them.

use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair, date_time_ymd};
use std::{
    collections::BTreeSet,
    fmt, fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::ServerName},
};

/// An authority that everybody here trusts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// One with a key of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for localhost that is good for a long time.
    pub fn issue(&self) -> Issued {
        self.issue_until(2999)
    }

    /// One that ends with the first day of a year.
    pub fn issue_until(&self, year: i32) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let issuer: &Issuer<'_, _> = &self.0;
        let certificate = params.signed_by(&key, issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A client that trusts it.
    pub fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Issued {
    /// Writes both where the settings have them.
    pub fn write(&self, certificate: &Path, key: &Path) {
        fs::write(certificate, &self.certificate).unwrap();
        fs::write(key, &self.key).unwrap();
    }
}

/// Takes plain connections, and passes each on over TLS, with the certificate verified: what speaks no TLS here reaches a server that speaks
/// nothing else.
#[derive(Debug)]
pub struct TlsPipe {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    failed: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl TlsPipe {
    /// Listens on a port that the system chooses; the server may come later.
    pub async fn bind(authority: &Authority, server: Arc<Mutex<Option<SocketAddr>>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<BTreeSet<Vec<u8>>>>::default();
        let failed = Arc::<Mutex<Vec<String>>>::default();
        let connector = authority.connector();
        let mut tasks = JoinSet::new();
        let (seen_, failed_) = (Arc::clone(&seen), Arc::clone(&failed));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((plain, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let server = server.lock().unwrap_or_else(PoisonError::into_inner).expect("a server");
                let (connector, seen, failed) = (connector.clone(), Arc::clone(&seen_), Arc::clone(&failed_));
                connections.spawn(async move {
                    if let Err(error) = pass_on(plain, server, &connector, &seen).await {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                    }
                });
            }
        });
        Self { address, seen, failed, _tasks: tasks }
    }

    /// How many certificates the server has shown.
    pub fn certificates(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Connections that came to no handshake.
    pub fn failed(&self) -> Vec<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn pass_on(
    mut plain: TcpStream,
    server: SocketAddr,
    connector: &TlsConnector,
    seen: &Mutex<BTreeSet<Vec<u8>>>,
) -> Result<(), String> {
    let _ = plain.set_nodelay(true);
    let stream = TcpStream::connect(server).await.map_err(|error| format!("connect: {error}"))?;
    let _ = stream.set_nodelay(true);
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.map_err(|error| format!("handshake: {error}"))?;
    let certificate =
        stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(|first| first.to_vec());
    seen.lock().unwrap_or_else(PoisonError::into_inner).extend(certificate);
    // However a side ends it: what was said is judged by who said it.
    let _ = copy_bidirectional(&mut plain, &mut stream).await;
    Ok(())
}
