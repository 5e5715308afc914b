//! The real server behind a proxy as docs/operating.md has it.

use crate::{Backend, ServerProcess, TestWallet, documents::blocks, within};
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

/// A server behind a proxy.
#[derive(Debug)]
pub struct Proxied {
    proxy: Child,
    /// Where the proxy listens.
    pub address: SocketAddr,
    /// The server.
    pub server: ServerProcess,
    /// Its one token.
    pub token: String,
    _folder: TempDir,
}

/// An address that nobody else can take before the proxy does. The proxies do not say which port the system chose for
/// them, and one that was free a moment ago may be somebody's by the time they ask for it; so each gets a loopback
/// address of this process alone, and a port below those the system gives out.
pub(crate) fn own_address() -> SocketAddr {
    static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    (Ipv4Addr::new(127, high | 0x80, middle, low), NEXT_PORT.fetch_add(1, Ordering::Relaxed)).into()
}

impl Proxied {
    /// `configure` makes the proxy's command of a folder, its address and the server's.
    async fn start(configure: impl FnOnce(&Path, SocketAddr, SocketAddr) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (token, entry) = Tokens::generate("Example Bank", None).unwrap();
        let config = folder.path().join("countersign.toml");
        fs::write(&config, format!("[[token]]\nname = {:?}\nsha256 = {:?}\n", entry.name, entry.sha256)).unwrap();
        let address = own_address();
        let (config, data) = (config.to_str().unwrap(), folder.path().join("data"));
        let audience = format!("ws://{address}/ws");
        let arguments = ["--audience", &audience, "--trusted-proxy", "127.0.0.1", "--config", config];
        let mut command = ServerProcess::command(&arguments);
        command.arg("--data-dir").arg(data);
        let server = ServerProcess::spawn_logging_to(command, Stdio::null()).await;
        let mut proxy = configure(folder.path(), address, server.address);
        let log = folder.path().join("proxy.log");
        proxy.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).kill_on_drop(true);
        let mut proxy = proxy.spawn().unwrap();
        within("the proxy", async {
            while TcpStream::connect(address).await.is_err() {
                if let Some(status) = proxy.try_wait().unwrap() {
                    panic!("the proxy ended with {status}: {}", fs::read_to_string(&log).unwrap());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Self { proxy, address, server, token, _folder: folder }
    }

    /// A backend with the token.
    pub async fn backend(&self) -> Backend {
        Backend::connect(self.address).await.with_token(&self.token)
    }

    /// An introduced wallet.
    pub async fn wallet(&self, seed: u8) -> TestWallet {
        TestWallet::introduced(&format!("ws://{}/ws", self.address), seed).await
    }

    /// Ends both.
    pub async fn finish(mut self) {
        self.proxy.kill().await.unwrap();
        self.server.kill().await;
    }
}

impl Proxied {
    /// By nginx with the documented configuration, but for its address, its name and its certificate.
    pub async fn by_nginx() -> Self {
        Self::start(|folder, address, server| {
        let [documented]: [String; 1] = blocks("docs/operating.md", "nginx").try_into().unwrap();
        let documented = replaced(&documented, "listen 443 ssl;", &format!("listen {address};"));
        let documented = replaced(&documented, "server 127.0.0.1:8080;", &format!("server {server};"));
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
        Self::start(|folder, address, server| {
            let [documented]: [String; 1] = blocks("docs/operating.md", "caddyfile").try_into().unwrap();
            let documented = replaced(&documented, "sign.example.com {", &format!("http://{address} {{"));
            let documented = replaced(&documented, "127.0.0.1:8080", &server.to_string());
            let file = folder.join("Caddyfile");
            fs::write(&file, format!("{{\n\tadmin off\n}}\n{documented}")).unwrap();
            let mut command = Command::new("caddy");
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
            command
        })
        .await
    }
}

fn replaced(text: &str, documented: &str, here: &str) -> String {
    assert_eq!(text.matches(documented).count(), 1, "{documented} in the document");
    text.replace(documented, here)
}
