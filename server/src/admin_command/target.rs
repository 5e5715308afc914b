//! Which server is asked.

use countersign_server::http::AdminAddress;
use hyper::Uri;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// Where a server listens for administrators, as they reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Unix(PathBuf),
    Tcp { host: String, port: u16, tls: bool },
}

impl Target {
    /// What the header `Host` names.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".into(),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl From<&AdminAddress> for Target {
    fn from(address: &AdminAddress) -> Self {
        match address {
            AdminAddress::Unix(path) => Self::Unix(path.clone()),
            AdminAddress::Tcp(address) => {
                let host = match address.ip() {
                    // Whoever listens on all addresses does so on this machine's own as well.
                    IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
                    IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
                    ip => ip,
                };
                Self::at(SocketAddr::new(host, address.port()))
            }
        }
    }
}

impl Target {
    fn at(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self::Tcp { host, port: address.port(), tls: false }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<AdminAddress>() {
            return Ok(Self::from(&address));
        }
        let wrong = || "neither a path, nor ADDRESS:PORT, nor an http or https URL without a path".to_owned();
        let url: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(wrong()),
        };
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self::Tcp { host: authority.host().to_owned(), port, tls })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port, tls } => write!(f, "{}://{host}:{port}", if *tls { "https" } else { "http" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_an_address_or_a_url() {
        for (text, shown) in [
            ("/run/countersign/admin.sock", "/run/countersign/admin.sock"),
            ("unix:admin.sock", "admin.sock"),
            ("127.0.0.1:9090", "http://127.0.0.1:9090"),
            ("0.0.0.0:9090", "http://127.0.0.1:9090"),
            ("[::]:9090", "http://[::1]:9090"),
            ("http://localhost:9090", "http://localhost:9090"),
            ("https://sign.example/", "https://sign.example:443"),
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", "localhost:9090", "ftp://a", "http://a/b", "http://u@a", "http://a?b", "https://"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
