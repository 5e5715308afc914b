//! Where the database is: a URL as libpq reads it, and what of it this program understands.

use crate::store::DatabaseUrl;
use percent_encoding::percent_decode_str;
use std::{path::PathBuf, time::Duration};
use thiserror::Error;
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

/// How long one host has to answer, if nothing else is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest that may be said.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// A host that says nothing is asked for a sign of life after so long, and given up after some more.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// What may stand behind the question mark, besides what is read here.
const PARAMETERS: [&str; 11] = [
    "user",
    "password",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "options",
    "connect_timeout",
    "tcp_user_timeout",
    "target_session_attrs",
    "keepalives_idle",
];

/// What is wrong with a database's URL. None of these quotes it: it has a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatabaseUrlError {
    /// It is no URL of PostgreSQL's.
    #[error(
        "not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full; in names and passwords @ : / ? # and % are written \
         as %40 %3A %2F %3F %23 and %25"
    )]
    Malformed,
    /// It has a parameter that is not known here.
    #[error(
        "a parameter behind the question mark is none of sslmode, sslrootcert, connect_timeout, target_session_attrs, tcp_user_timeout, \
         keepalives_idle, options, user, password, host, hostaddr, port, dbname"
    )]
    Parameter,
    /// It asks for TLS in a way that does not keep what it promises.
    #[error(
        "sslmode has to be disable, require (encrypted, but whoever answers is believed) or verify-full: prefer and allow let anybody in \
         between switch TLS off, and verify-ca believes every server of the same authority"
    )]
    SslMode,
    /// Only a server that takes writes is of use.
    #[error("target_session_attrs can only be read-write, which is what it is anyway")]
    TargetSessionAttrs,
    /// One host at least, and a port for each or one for all.
    #[error("as many ports as hosts, or one")]
    Ports,
    /// A time limit that is none.
    #[error("connect_timeout is from 1 to 60 (seconds)")]
    ConnectTimeout,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Disabled,
    /// Whoever answers is believed.
    Unverified,
    Verified,
}

/// A URL, read.
pub(super) struct Target {
    /// One for each host, in the order in which they are tried.
    pub(super) hosts: Vec<(String, Config)>,
    pub(super) encryption: Encryption,
    /// Whose certificates are trusted; the system's if none.
    pub(super) roots: Option<PathBuf>,
    /// How long each host has.
    pub(super) connect_timeout: Duration,
}

impl DatabaseUrl {
    /// The same for PostgreSQL's own programs, without what is secret: they ask for the password, or find it in `~/.pgpass`.
    pub(super) fn without_password(&self) -> Result<String, DatabaseUrlError> {
        let encryption = self.target()?.encryption;
        let (address, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let (scheme, rest) = address.split_once("://").ok_or(DatabaseUrlError::Malformed)?;
        let (login, hosts) = rest.rsplit_once('@').map_or(("", rest), |(login, hosts)| (login, hosts));
        let user = login.split(':').next().filter(|user| !user.is_empty());
        let mut parameters: Vec<_> =
            query.split('&').filter(|part| !part.is_empty() && !part.starts_with("password=")).collect();
        // They would be content with less.
        if encryption == Encryption::Verified && !parameters.iter().any(|part| part.starts_with("sslmode=")) {
            parameters.push("sslmode=verify-full");
        }
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let mark = if parameters.is_empty() { "" } else { "?" };
        Ok(format!("{scheme}://{user}{hosts}{mark}{}", parameters.join("&")))
    }

    /// What it says.
    pub(super) fn target(&self) -> Result<Target, DatabaseUrlError> {
        let (address, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(DatabaseUrlError::Malformed);
        }
        let (mut encryption, mut roots, mut others) = (None, None, Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').ok_or(DatabaseUrlError::Parameter)? {
                ("sslmode", "disable") => encryption = Some(Encryption::Disabled),
                ("sslmode", "require") => encryption = Some(Encryption::Unverified),
                ("sslmode", "verify-full") => encryption = Some(Encryption::Verified),
                ("sslmode", _) => return Err(DatabaseUrlError::SslMode),
                ("sslrootcert", path) => {
                    let path = percent_decode_str(path).decode_utf8().map_err(|_| DatabaseUrlError::Malformed)?;
                    roots = Some(PathBuf::from(path.into_owned()));
                }
                ("target_session_attrs", "read-write") => {}
                ("target_session_attrs", _) => return Err(DatabaseUrlError::TargetSessionAttrs),
                (name, _) if PARAMETERS.contains(&name) => others.push(parameter),
                _ => return Err(DatabaseUrlError::Parameter),
            }
        }
        let config: Config =
            format!("{address}?{}", others.join("&")).parse().map_err(|_| DatabaseUrlError::Malformed)?;
        let connect_timeout = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        if connect_timeout < Duration::from_secs(1) || connect_timeout > MAX_CONNECT_TIMEOUT {
            return Err(DatabaseUrlError::ConnectTimeout);
        }
        let is_local = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_local);
        // Whoever says nothing is not to send a password in clear over a network.
        let default = if is_local { Encryption::Disabled } else { Encryption::Verified };
        let encryption = encryption.unwrap_or(default);
        let hosts = hosts(&config, encryption)?;
        Ok(Target { hosts, encryption, roots, connect_timeout })
    }
}

/// A connection's settings for each host by itself: each is given its own time.
fn hosts(config: &Config, encryption: Encryption) -> Result<Vec<(String, Config)>, DatabaseUrlError> {
    let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    if count == 0 {
        return Err(DatabaseUrlError::Malformed);
    }
    if ports.len() > 1 && ports.len() != count || !addresses.is_empty() && addresses.len() != count {
        return Err(DatabaseUrlError::Ports);
    }
    let single = |place: usize| {
        let mut single = common(config);
        let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
        single.port(port);
        let mut mode = if encryption == Encryption::Disabled { SslMode::Disable } else { SslMode::Require };
        let mut shown = match names.get(place) {
            Some(Host::Tcp(name)) => {
                single.host(name);
                name.clone()
            }
            #[cfg(unix)]
            Some(Host::Unix(path)) => {
                single.host_path(path);
                // Nobody is in between.
                mode = SslMode::Disable;
                path.display().to_string()
            }
            None => String::new(),
        };
        if let Some(address) = addresses.get(place) {
            single.hostaddr(*address);
            if shown.is_empty() {
                shown = address.to_string();
            }
        }
        single.ssl_mode(mode);
        (format!("{shown}:{port}"), single)
    };
    Ok((0..count).map(single).collect())
}

fn common(config: &Config) -> Config {
    let mut common = Config::new();
    if let Some(user) = config.get_user() {
        common.user(user);
    }
    if let Some(password) = config.get_password() {
        common.password(password);
    }
    if let Some(name) = config.get_dbname() {
        common.dbname(name);
    }
    if let Some(options) = config.get_options() {
        common.options(options);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        common.tcp_user_timeout(*timeout);
    }
    let idle = config.get_keepalives_idle();
    // The library's own default is two hours.
    let idle = if idle == Config::new().get_keepalives_idle() { KEEPALIVE } else { idle };
    common.keepalives_idle(idle).keepalives_interval(KEEPALIVE / 5).keepalives_retries(5);
    common
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Target, DatabaseUrlError> {
        text.parse::<DatabaseUrl>().unwrap().target()
    }

    #[test]
    fn what_is_secret_is_shown_to_nobody() {
        let url: DatabaseUrl = "postgres://user:secret@db.example/x?sslmode=prefer&pass=secret".parse().unwrap();
        let error = url.target().map(drop).unwrap_err();
        assert_eq!((format!("{url:?}"), error), ("DatabaseUrl(…)".into(), DatabaseUrlError::SslMode));
        for broken in ["postgres://u:secret@[::1/x", "mysql://u:secret@h/d", "postgres://u:secret@h:port/d", "secret"] {
            let error = read(broken).map(drop).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn other_programs_are_given_all_of_it_but_the_password() {
        for (url, expected) in [
            ("postgres://u:secret@a,b:1/x?password=secret&sslmode=require", "postgres://u@a,b:1/x?sslmode=require"),
            ("postgres://u:sec%40ret@db.example/x", "postgres://u@db.example/x?sslmode=verify-full"),
            ("postgresql:///x?host=/run/postgresql&user=u", "postgresql:///x?host=/run/postgresql&user=u"),
            ("postgres://localhost/x", "postgres://localhost/x"),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap().without_password().as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_network_is_not_trusted_unless_that_is_said() {
        for (url, expected) in [
            ("postgres://db.example/x", Encryption::Verified),
            ("postgres://127.0.0.1,db.example/x", Encryption::Verified),
            ("postgres://10.0.0.1/x?sslmode=disable", Encryption::Disabled),
            ("postgres://db.example/x?sslmode=require", Encryption::Unverified),
            ("postgres://localhost:5433/x", Encryption::Disabled),
            ("postgres://[::1]/x?sslmode=verify-full", Encryption::Verified),
            ("postgres:///x?host=/run/postgresql", Encryption::Disabled),
        ] {
            assert_eq!(read(url).unwrap().encryption, expected, "{url}");
        }
        for refused in ["prefer", "allow", "verify-ca", ""] {
            let url = format!("postgres://localhost/x?sslmode={refused}");
            assert_eq!(read(&url).map(drop), Err(DatabaseUrlError::SslMode), "{refused}");
        }
    }

    #[test]
    fn each_host_is_tried_by_itself() {
        let target =
            read("postgresql://u:p%40ss@a.example:1,b.example:2/x?target_session_attrs=read-write&connect_timeout=7");
        let target = target.unwrap();
        let names: Vec<_> = target.hosts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, target.connect_timeout), (vec!["a.example:1", "b.example:2"], Duration::from_secs(7)));
        for (_, config) in &target.hosts {
            assert_eq!((config.get_password(), config.get_dbname()), (Some(&b"p@ss"[..]), Some("x")));
            assert_eq!((config.get_hosts().len(), config.get_ssl_mode()), (1, SslMode::Require));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (url, expected) in [
            ("postgres://a/x?target_session_attrs=any", DatabaseUrlError::TargetSessionAttrs),
            ("postgres://a/x?passsword=p", DatabaseUrlError::Parameter),
            ("postgres://a:1,b:2,c/x?connect_timeout=61", DatabaseUrlError::ConnectTimeout),
            ("host=a dbname=x", DatabaseUrlError::Malformed),
            ("postgres:///x", DatabaseUrlError::Malformed),
        ] {
            assert_eq!(read(url).map(drop), Err(expected), "{url}");
        }
    }
}
