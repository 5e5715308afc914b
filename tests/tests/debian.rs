//! The Debian package in a Debian of its own: installed as documented, run as its unit says, removed, and nothing left.
//!
//! `make deb-tests` builds the package, and the system to install it in; both are named by the environment.

use countersign_tests::{Backend, ServiceManager, TestWallet, documents::blocks, within};
use std::{
    collections::BTreeSet,
    env, fs,
    net::TcpListener,
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::PathBuf,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const SEARCH_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const CONFIGURATION: &str = "etc/countersign/countersign.toml";
const DATA: &str = "var/lib/countersign";
const UNIT: &str = "usr/lib/systemd/system/countersign.service";

/// An installed system, gone when dropped.
struct System(TempDir);

impl System {
    fn unpack() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users have to get at what is in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let archive = named("COUNTERSIGN_DEBIAN_ROOT");
        let mut tar = Command::new("tar");
        tar.args(["--exclude=./dev/*", "-xf"]).arg(archive).arg("-C").arg(folder.path());
        succeed(&mut tar);
        let system = Self(folder);
        fs::write(system.path("etc/apt/apt.conf.d/assume-yes"), "APT::Get::Assume-Yes \"true\";\n").unwrap();
        fs::write(system.path("dev/null"), "").unwrap();
        fs::set_permissions(system.path("dev/null"), fs::Permissions::from_mode(0o666)).unwrap();
        let package = named("COUNTERSIGN_DEB");
        fs::copy(&package, system.path("root").join(package.file_name().unwrap())).unwrap();
        system
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap()
    }

    /// A shell within, as root unless told otherwise.
    fn shell(&self, user: &str, command: &str) -> Command {
        let mut chroot = Command::new("chroot");
        chroot.arg(format!("--userspec={user}")).arg(self.0.path()).args(["sh", "-ec", command]);
        chroot.env_clear().env("PATH", SEARCH_PATH).env("DEBIAN_FRONTEND", "noninteractive");
        chroot
    }

    fn run(&self, command: &str) -> String {
        String::from_utf8(succeed(&mut self.shell("root:root", command)).stdout).unwrap()
    }

    /// Mode, owner and group.
    fn owner(&self, path: &str) -> String {
        self.run(&format!("stat -c '%a %U:%G' /{path}")).trim().to_owned()
    }

    /// Every file, and every line of the lists of users and groups.
    fn contents(&self) -> BTreeSet<String> {
        let found = self.run(
            "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/cache -o -path /var/log \\
             -o -path /root \\) -prune -o -print; cat /etc/passwd /etc/group",
        );
        // Copies that tools make of what they change, and what dpkg and apt keep for themselves.
        let own = |line: &str| {
            line.ends_with('-')
                || line.ends_with("-old")
                || line.starts_with("/var/lib/dpkg/")
                || line.starts_with("/var/lib/apt/")
        };
        found.lines().filter(|line| !own(line)).map(str::to_owned).collect()
    }

    /// What the unit says, the last time where several times.
    fn unit(&self, directive: &str) -> String {
        let unit = self.read(UNIT);
        let value = unit.lines().rev().find_map(|line| line.strip_prefix(directive)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{directive} in the unit")).to_owned()
    }
}

fn named(variable: &str) -> PathBuf {
    env::var_os(variable).unwrap_or_else(|| panic!("{variable}: run make deb-tests")).into()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}

/// The documented command that contains this.
fn documented(part: &str) -> String {
    let block = blocks("docs/operating/installing.md", "sh").into_iter().find(|block| block.contains(part));
    block.unwrap_or_else(|| panic!("no command with {part}")).replace("sudo ", "")
}

/// As the unit would, on a socket that is handed over; returns once a wallet has signed and the server has stopped.
async fn serve_a_signature(system: &System, token: &str) {
    let user = format!("{}:{}", system.unit("User"), system.unit("Group"));
    system.run(&format!("install -d -m {} -o countersign -g countersign /{DATA}", system.unit("StateDirectoryMode")));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = ServiceManager::handing_over(OwnedFd::from(listener).into(), "/usr/sbin/chroot");
    let start = system.unit("ExecStart");
    command.arg(format!("--userspec={user}")).arg(system.0.path()).args(start.split(' ')).env("PATH", SEARCH_PATH);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(
        within("the first line", lines.next_line()).await.unwrap().unwrap(),
        format!("listening on http://{address}")
    );

    let mut wallet = TestWallet::introduced(&format!("ws://{address}/ws"), 1).await;
    let key = wallet.public_key();
    assert_eq!(Backend::connect(address).await.ask(&key, b"hello").await.code(), (401, "unauthorized"));
    let mut backend = Backend::connect(address).await.with_token(token);
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200, "{}", reply.text);
    drop((backend, wallet));
    succeed(Command::new("kill").args(["-TERM", &process.id().unwrap().to_string()]));
    assert!(within("its end", process.wait()).await.unwrap().success());
}

#[tokio::test]
#[ignore = "needs root, a package and a system: make deb-tests"]
async fn the_package_is_installed_serves_and_is_gone_without_a_trace() {
    let system = System::unpack();
    let before = system.contents();
    system.run(&format!("cd /root; {}", documented("apt-get install")));
    assert_eq!(system.owner(CONFIGURATION), "640 root:countersign");
    assert_eq!(system.owner("etc/countersign"), "750 root:countersign");
    assert!(!system.shell("nobody:nogroup", &format!("cat /{CONFIGURATION}")).output().unwrap().status.success());
    check_units(&system);

    let said = system.run("countersign token \"Example Bank\"");
    let token = said.lines().map(str::trim).find(|line| line.starts_with("cs_")).unwrap();
    let (_, table) = said.split_once("[[token]]").unwrap();
    let edited = format!("{}[[token]]{table}", system.read(CONFIGURATION));
    fs::write(system.path(CONFIGURATION), &edited).unwrap();
    serve_a_signature(&system, token).await;
    assert!(system.path(DATA).join("countersign.db").exists());

    // The next version, as dpkg sees it, leaves what was edited alone.
    system.run("cd /root; apt-get install --reinstall ./countersign_*.deb");
    assert_eq!(
        (system.read(CONFIGURATION), system.owner(CONFIGURATION)),
        (edited.clone(), "640 root:countersign".into())
    );

    system.run("apt-get remove countersign");
    assert!(!system.path("usr/bin/countersign").exists() && !system.path(UNIT).exists());
    assert!(system.path(DATA).join("countersign.db").exists());
    assert_eq!(system.read(CONFIGURATION), edited);

    system.run("apt-get purge countersign");
    let after = system.contents();
    assert_eq!(after.symmetric_difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// As systemd itself reads them, and how much of the system they leave open.
fn check_units(system: &System) {
    let root = format!("--root={}", system.0.path().display());
    let units = ["countersign.service", "countersign.socket"];
    let output = succeed(Command::new("systemd-analyze").args(["verify", "--man=no", &root]).args(units));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let threshold = ["security", "--offline=true", "--threshold=30", &root, "countersign.service"];
    let rated = String::from_utf8(succeed(Command::new("systemd-analyze").args(threshold)).stdout).unwrap();
    // As the documentation says.
    assert!(rated.contains("Overall exposure level for countersign.service: 1.2 OK"), "{rated}");
    // What they may take to stop is what the server may need with its defaults.
    assert_eq!((system.unit("TimeoutStopSec").as_str(), system.unit("LimitNOFILE").as_str()), ("25", "10100"));
}
