//! Where administrators are listened for: a Unix socket, whose file says who may connect, or TCP.

use serde::{Deserialize, de};
use std::{
    fmt, fs, io,
    net::{IpAddr, SocketAddr, TcpListener as StdTcpListener},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream},
    },
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Of the socket's file: the server's own user, and root.
const SOCKET_MODE: u32 = 0o600;

/// `sun_path` (unix(7)), without the zero at its end.
const MAX_PATH_BYTES: usize = 107;

/// An address for administrators: `127.0.0.1:9090`, `/run/countersign/admin.sock` or `unix:admin.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl AdminAddress {
    /// Whether nobody on another machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for AdminAddress {
    type Err = AdminAddressError;

    fn from_str(text: &str) -> Result<Self, AdminAddressError> {
        let path = text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text));
        match path {
            Some("") => Err(AdminAddressError),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| AdminAddressError),
        }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for AdminAddress {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an IP address with a port, such as 127.0.0.1:9090, nor a path, such as /run/countersign/admin.sock")]
pub struct AdminAddressError;

/// A socket that listens, for one server to take. Clones are the same.
#[derive(Debug, Clone)]
pub struct AdminSocket {
    address: AdminAddress,
    bound: Arc<Mutex<Option<Bound>>>,
}

#[derive(Debug)]
enum Bound {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl AdminSocket {
    /// Listens at an address. The file of a Unix socket is there, with its mode, in one step; one that a dead process has left is replaced.
    ///
    /// # Errors
    /// The system's, also where a process listens there.
    pub fn bind(address: &AdminAddress) -> io::Result<Self> {
        let (address, bound) = match address {
            AdminAddress::Tcp(address) => {
                let listener = StdTcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                (AdminAddress::Tcp(listener.local_addr()?), Bound::Tcp(listener))
            }
            AdminAddress::Unix(path) => {
                let listener = bind_unix(path)?;
                listener.set_nonblocking(true)?;
                (AdminAddress::Unix(path.clone()), Bound::Unix(listener))
            }
        };
        Ok(Self { address, bound: Arc::new(Mutex::new(Some(bound))) })
    }

    /// Where it listens, with the port that the system has chosen.
    pub fn address(&self) -> &AdminAddress {
        &self.address
    }

    /// The listener, once, within a runtime.
    pub(in crate::http) fn take(&self) -> io::Result<AdminListener> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).take();
        match bound {
            Some(Bound::Tcp(listener)) => TcpListener::from_std(listener).map(AdminListener::Tcp),
            Some(Bound::Unix(listener)) => UnixListener::from_std(listener).map(AdminListener::Unix),
            None => Err(io::Error::other("another server has it")),
        }
    }
}

/// Takes connections of administrators.
#[derive(Debug)]
pub(in crate::http) enum AdminListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One of them, and who is at its other end, as far as the system says.
#[derive(Debug)]
pub(in crate::http) enum AdminStream {
    Tcp(TcpStream, IpAddr),
    /// The process's user.
    Unix(UnixStream, Option<u32>),
}

impl AdminListener {
    /// The next connection.
    ///
    /// # Cancel safety
    /// None is lost.
    pub(in crate::http) async fn accept(&self) -> io::Result<AdminStream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(AdminStream::Tcp(stream, address.ip().to_canonical()))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let user = stream.peer_cred().ok().map(|peer| peer.uid());
                Ok(AdminStream::Unix(stream, user))
            }
        }
    }
}

/// Binds in a directory that nobody else enters and moves the socket to its place from there: at no moment does it have another mode, and
/// there is none of those in between at which neither the old one is there nor the new.
fn bind_unix(path: &Path) -> io::Result<StdUnixListener> {
    if path.as_os_str().as_bytes().len() > MAX_PATH_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is longer than a socket's may be"));
    }
    if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "a process listens there"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = tempfile::Builder::new().prefix(".a").rand_bytes(5).tempdir_in(parent)?;
    let inside = private.path().join("s");
    let listener = StdUnixListener::bind(&inside)?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(SOCKET_MODE))?;
    fs::rename(&inside, path)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_or_a_path() {
        assert_eq!("127.0.0.1:9090".parse(), Ok(AdminAddress::Tcp("127.0.0.1:9090".parse().unwrap())));
        assert_eq!("/run/a.sock".parse(), Ok(AdminAddress::Unix("/run/a.sock".into())));
        assert_eq!("unix:a.sock".parse(), Ok(AdminAddress::Unix("a.sock".into())));
        for text in ["", "unix:", "127.0.0.1", "localhost:9090", "a.sock", "http://127.0.0.1:9090", "[::1]"] {
            assert_eq!(text.parse::<AdminAddress>(), Err(AdminAddressError), "{text}");
        }
        let is_local = |text: &str| text.parse::<AdminAddress>().unwrap().is_local();
        assert!(is_local("127.0.0.1:1") && is_local("[::1]:1") && is_local("[::ffff:127.0.0.1]:1") && is_local("/a"));
        assert!(!is_local("0.0.0.0:1") && !is_local("192.0.2.1:1"));
    }

    #[test]
    fn a_socket_is_its_owners_and_replaces_only_what_nobody_uses() {
        let folder = tempfile::tempdir().unwrap();
        let address = AdminAddress::Unix(folder.path().join("admin.sock"));
        let AdminAddress::Unix(path) = &address else { unreachable!() };
        let first = AdminSocket::bind(&address).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert_eq!(AdminSocket::bind(&address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(AdminSocket::bind(&address).is_ok(), "a dead one's is replaced");
        let file = folder.path().join("file");
        fs::write(&file, "mine").unwrap();
        let error = AdminSocket::bind(&AdminAddress::Unix(file.clone())).unwrap_err();
        assert_eq!((error.kind(), fs::read(file).unwrap()), (io::ErrorKind::AlreadyExists, b"mine".to_vec()));
        let long = folder.path().join("a".repeat(120));
        assert!(AdminSocket::bind(&AdminAddress::Unix(long)).is_err());
    }
}
