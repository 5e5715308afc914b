//! The real server behind a proxy as docs/operating/network.md has it, and several of them as docs/cluster.md has it.

use crate::{Backend, ServerProcess, TestWallet, documents::blocks, postgres, within};
use countersign_server::http::Tokens;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

/// Servers behind a proxy.
#[derive(Debug)]
pub struct Proxied {
    proxy: Child,
    /// Where the proxy listens.
    pub address: SocketAddr,
    /// The servers; one, unless there is a database.
    pub servers: Vec<ServerProcess>,
    /// Their one token.
    pub token: String,
    /// Gone before its files are.
    _database: Option<postgres::Cluster>,
    _folder: TempDir,
}

/// An address that nobody else can take before the proxy does. The proxies do not say which port the system chose for
/// them, and one that was free a moment ago may be somebody's by the time they ask for it; so each gets a loopback
/// address of this process alone, and a port below those the system gives out.
pub fn own_address() -> SocketAddr {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, high | 0x80, middle, low), NEXT_PORT.fetch_add(1, Ordering::Relaxed)).into()
}

/// Starts a proxy, and waits until it listens. Its log goes into the folder.
///
/// # Errors
/// Why it does not, as it says itself.
pub async fn start_proxy(mut command: Command, folder: &Path, address: SocketAddr) -> Result<Child, String> {
    let log = folder.join("proxy.log");
    let file = File::create(&log).map_err(|error| error.to_string())?;
    command.stdout(Stdio::null()).stderr(file).kill_on_drop(true);
    let mut proxy = command.spawn().map_err(|error| format!("{:?}: {error}", command.as_std().get_program()))?;
    within("the proxy", async {
        while TcpStream::connect(address).await.is_err() {
            if let Ok(Some(status)) = proxy.try_wait() {
                return Err(format!("the proxy ended with {status}: {}", fs::read_to_string(&log).unwrap_or_default()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    })
    .await?;
    Ok(proxy)
}

/// Caddy with this configuration, and what it writes in the folder.
pub fn caddy(folder: &Path, config: &str) -> Command {
    let file = folder.join("Caddyfile");
    fs::write(&file, format!("{{\n\tadmin off\n}}\n{config}")).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
    command
}

/// How a site of Caddy's at this address begins. By itself it would listen on every address.
fn site(address: SocketAddr) -> String {
    format!("http://{address} {{\n\tbind {}", address.ip())
}

/// The documented balancer, but for its address, its certificate, and where the servers are.
pub fn balancer(address: SocketAddr, servers: &[SocketAddr]) -> String {
    let [documented]: [String; 1] = blocks("docs/cluster.md", "caddyfile").try_into().unwrap();
    let servers: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    let documented = replaced(&documented, "sign.example.com {", &site(address));
    replaced(&documented, "10.0.0.11:8080 10.0.0.12:8080 10.0.0.13:8080", &servers.join(" "))
}

impl Proxied {
    /// `configure` makes the proxy's command of a folder, its address and the servers'.
    async fn start(
        servers: usize,
        database: Option<postgres::Cluster>,
        configure: impl FnOnce(&Path, SocketAddr, &[SocketAddr]) -> Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (token, entry) = Tokens::generate("Example Bank", None).unwrap();
        let config = folder.path().join("countersign.toml");
        fs::write(&config, format!("[[token]]\nname = {:?}\nsha256 = {:?}\n", entry.name, entry.sha256)).unwrap();
        let address = own_address();
        let store = match &database {
            None => format!("--data-dir={}", folder.path().join("data").display()),
            Some(database) => format!("--database-url={}", database.url("postgres")),
        };
        let audience = format!("ws://{address}/ws");
        let config = config.to_str().unwrap();
        let arguments = ["--audience", &audience, "--trusted-proxy", "127.0.0.1", "--config", config, &store];
        let mut started = Vec::new();
        for _ in 0..servers {
            started.push(ServerProcess::spawn_logging_to(ServerProcess::command(&arguments), Stdio::null()).await);
        }
        let addresses: Vec<_> = started.iter().map(|server| server.address).collect();
        let proxy = start_proxy(configure(folder.path(), address, &addresses), folder.path(), address).await.unwrap();
        Self { proxy, address, servers: started, token, _database: database, _folder: folder }
    }

    /// A backend with the token.
    pub async fn backend(&self) -> Backend {
        Backend::connect(self.address).await.with_token(&self.token)
    }

    /// An introduced wallet that every server finds: it is welcomed a moment before the others know.
    pub async fn wallet(&self, seed: u8) -> TestWallet {
        let wallet = TestWallet::introduced(&format!("ws://{}/ws", self.address), seed).await;
        let path = format!("/v1/signers/{}", wallet.public_key().to_string().replace('/', "%2F"));
        let mut backend = self.backend().await;
        within("the wallet to be found", async {
            while backend.get(&path).await.json["connected"] != true {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        wallet
    }

    /// Ends all of it.
    pub async fn finish(mut self) {
        self.proxy.kill().await.unwrap();
        for server in self.servers {
            server.kill().await;
        }
    }
}

impl Proxied {
    /// By nginx with the documented configuration, but for its address, its name and its certificate.
    pub async fn by_nginx() -> Self {
        Self::start(1, None, |folder, address, servers| {
        let [documented]: [String; 1] = blocks("docs/operating/network.md", "nginx").try_into().unwrap();
        let documented = replaced(&documented, "listen 443 ssl;", &format!("listen {address};"));
        let documented = replaced(&documented, "server 127.0.0.1:8080;", &format!("server {};", servers[0]));
        let own = documented.lines().filter(|line| !line.trim_start().starts_with("ssl_")).collect::<Vec<_>>().join("\n");
        let at = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log {at}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{own}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin").arg("-c").arg(file).arg("-p").arg(folder);
        command
    })
    .await
    }

    /// By Caddy likewise, without TLS.
    pub async fn by_caddy() -> Self {
        Self::start(1, None, |folder, address, servers| {
            let [documented]: [String; 1] = blocks("docs/operating/network.md", "caddyfile").try_into().unwrap();
            let documented = replaced(&documented, "sign.example.com {", &site(address));
            caddy(folder, &replaced(&documented, "127.0.0.1:8080", &servers[0].to_string()))
        })
        .await
    }

    /// Three servers on one database, by Caddy as docs/cluster.md has it.
    pub async fn balanced() -> Self {
        let database = postgres::Cluster::start(&["fsync=off"]).await;
        Self::start(3, Some(database), |folder, address, servers| caddy(folder, &balancer(address, servers))).await
    }
}

/// A document's text with something in place of what is there once.
pub fn replaced(text: &str, documented: &str, here: &str) -> String {
    assert_eq!(text.matches(documented).count(), 1, "{documented} in the document");
    text.replace(documented, here)
}
