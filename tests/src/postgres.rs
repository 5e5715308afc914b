//! A PostgreSQL of the tests' own: Debian's programs, a directory that is thrown away, a socket in it, no system service.

use crate::within;
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// A database of a test's own, where `with_postgres` says where PostgreSQL is.
pub async fn fresh_database() -> Option<String> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let prefix = std::env::var("COUNTERSIGN_TEST_POSTGRES").ok()?;
    let name = format!("tests_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    ask(&format!("{prefix}postgres"), &format!("CREATE DATABASE {name}")).await;
    Some(format!("{prefix}{name}"))
}

/// How many servers use the database.
pub async fn nodes(url: &str) -> usize {
    ask(url, "SELECT count(*) FROM nodes").await.trim().parse().unwrap()
}

async fn ask(url: &str, sql: &str) -> String {
    let mut psql = Command::new(programs().join("psql"));
    let output = within("psql", psql.args(["-XAtq", "-c", sql, url]).output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A cluster of databases, stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    /// Whom it runs as: PostgreSQL refuses to run as root.
    user: Option<(u32, u32)>,
    options: Vec<String>,
    port: u16,
    server: process::Child,
    /// Removed last.
    dir: TempDir,
}

impl Cluster {
    /// Makes one and starts it, with these settings besides: `fsync=off` where nothing has to outlive the machine.
    pub async fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, &[]).await
    }

    /// Likewise, with files of its own in its directory.
    pub async fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let programs = programs();
        // Not in TMPDIR: the path of a socket may have 107 bytes.
        let dir = tempfile::Builder::new().prefix("cs-pg-").tempdir_in("/tmp").unwrap();
        let user = unprivileged(dir.path());
        let mut initdb = Command::from(run_as(&programs.join("initdb"), user));
        initdb
            .kill_on_drop(true)
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(dir.path().join("data"));
        let output = within("initdb", initdb.output()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (name, contents) in files {
            let path = dir.path().join("data").join(name);
            fs::write(&path, contents).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = user {
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
        let own = ["listen_addresses=", "max_connections=200", "shared_buffers=32MB"];
        let options: Vec<_> = own.iter().chain(settings).map(|setting| format!("-c{setting}")).collect();
        let port = settings.iter().find_map(|setting| setting.strip_prefix("port=")?.parse().ok()).unwrap_or(5432);
        let server = spawn(&programs, user, dir.path(), &options);
        let cluster = Self { programs, user, options, port, server, dir };
        cluster.ready().await;
        cluster
    }

    /// Starts one on the data directory `data` in a folder, as a restored one is, with these settings besides.
    pub async fn start_on(dir: TempDir, settings: &[&str]) -> Self {
        let (programs, user) = (programs(), unprivileged(dir.path()));
        let own = ["listen_addresses=", "max_connections=200", "shared_buffers=32MB"];
        let options: Vec<_> = own.iter().chain(settings).map(|setting| format!("-c{setting}")).collect();
        let server = spawn(&programs, user, dir.path(), &options);
        let cluster = Self { programs, user, options, port: 5432, server, dir };
        cluster.ready().await;
        cluster
    }

    /// A folder that its user may write to.
    pub fn folder() -> TempDir {
        let dir = tempfile::Builder::new().prefix("cs-pg-").tempdir_in("/tmp").unwrap();
        unprivileged(dir.path());
        dir
    }

    /// A shell of its user, which finds PostgreSQL's programs.
    pub fn shell(&self, command: &str) -> Command {
        let mut shell = run_as(Path::new("/bin/sh"), self.user);
        let path = format!("{}:/usr/bin:/bin", self.programs.display());
        shell.args(["-ec", command]).env_clear().env("PATH", path);
        let mut shell = Command::from(shell);
        shell.kill_on_drop(true);
        shell
    }

    /// A standby of it, which follows it by streaming replication.
    pub async fn standby(&self) -> Self {
        let dir = tempfile::Builder::new().prefix("cs-pg-").tempdir_in("/tmp").unwrap();
        let user = unprivileged(dir.path());
        let mut copy = Command::from(run_as(&self.programs.join("pg_basebackup"), user));
        copy.kill_on_drop(true).args([
            "-U",
            "postgres",
            "-c",
            "fast",
            "-R",
            "--no-sync",
            "-p",
            &self.port.to_string(),
            "-h",
        ]);
        let output = within("a copy", copy.arg(self.dir.path()).arg("-D").arg(dir.path().join("data")).output()).await;
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (programs, options, port) = (self.programs.clone(), self.options.clone(), self.port);
        let server = spawn(&programs, user, dir.path(), &options);
        let standby = Self { programs, user, options, port, server, dir };
        standby.ready().await;
        standby
    }

    /// Has every commit from now on wait until a standby has it, once there is one that does.
    pub async fn wait_for_standbys(&self) {
        self.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.execute("postgres", "SELECT pg_reload_conf()").await;
        let confirms = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        within("a standby that confirms", async {
            while self.execute("postgres", confirms).await.trim() != "1" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Has this standby follow whoever listens on this port of this machine.
    pub async fn follow(&self, port: u16) {
        let set = format!(
            "ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port={port} user=postgres sslmode=disable gssencmode=disable'"
        );
        self.execute("postgres", &set).await;
        self.execute("postgres", "SELECT pg_reload_conf()").await;
        let follows =
            format!("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_port = {port}");
        within("a standby that follows", async {
            while self.execute("postgres", &follows).await.trim() != "1" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Where a database is, on this cluster or, where that takes no writes, on another.
    pub fn url_with(&self, other: &Self, database: &str) -> String {
        let host = other.dir.path().display().to_string().replace('/', "%2F");
        format!("{},{host}/{database}", self.prefix().trim_end_matches('/'))
    }

    /// Where a database is, by its name.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}", self.prefix())
    }

    /// What all of those begin with.
    pub fn prefix(&self) -> String {
        format!("postgres://postgres@{}/", self.dir.path().display().to_string().replace('/', "%2F"))
    }

    /// The process whose children serve connections.
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// The socket it listens on.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// Whom it runs as, where that is somebody else.
    pub fn user(&self) -> Option<(u32, u32)> {
        self.user
    }

    /// Runs statements in a database; what they give, a row a line.
    pub async fn execute(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p", &self.port.to_string(), "-h"])
            .arg(self.dir.path())
            .args(["-d", database]);
        let output = within("psql", psql.args(["-c", sql]).kill_on_drop(true).output()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Kills it as a power failure of its process would: without a word, all of its processes at once.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.server.wait().unwrap();
    }

    /// Starts it again after that.
    pub async fn restart(&mut self) {
        // The processes of the earlier one may take a moment to notice.
        loop {
            self.server = spawn(&self.programs, self.user, self.dir.path(), &self.options);
            if self.is_ready().await {
                return;
            }
        }
    }

    /// Sends a signal to all of its processes: each connection has one, in a group of its own.
    pub fn signal(&self, name: &str) {
        let id = self.server.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        // The shell's kill, since not every machine has one as a program. Some may have ended by themselves meanwhile.
        let kill = format!("kill -s {name} {id} {children} 2>/dev/null || true");
        assert!(process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    async fn ready(&self) {
        within("PostgreSQL", async {
            while !self.answers().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Whether it comes up rather than ending at once.
    async fn is_ready(&mut self) -> bool {
        within("PostgreSQL", async {
            loop {
                if self.answers().await {
                    return true;
                }
                if self.server.try_wait().unwrap().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    async fn answers(&self) -> bool {
        let mut ask = Command::new(self.programs.join("pg_isready"));
        ask.args(["-q", "-p", &self.port.to_string(), "-h"]).arg(self.dir.path()).status().await.unwrap().success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // One that has been killed already has nobody to be told.
        if self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("CONT");
            // At once, but so that its shared memory is given back.
            self.signal("QUIT");
            let _ = self.server.wait();
        }
    }
}

fn spawn(programs: &Path, user: Option<(u32, u32)>, dir: &Path, options: &[String]) -> process::Child {
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut server = run_as(&programs.join("postgres"), user);
    server.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(options);
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn run_as(program: &Path, user: Option<(u32, u32)>) -> process::Command {
    let mut command = process::Command::new(program);
    command.current_dir("/tmp");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// Another user where this one is root, who gets the directory.
fn unprivileged(dir: &Path) -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
        Some((ids.next()??, ids.next()??))
    };
    let (user, group) = of("postgres").or_else(|| of("nobody")).unwrap();
    chown(dir, Some(user), Some(group)).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    Some((user, group))
}

/// Debian has each version in a directory of its own, and none on the path.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: apt-get install postgresql");
    let mut found: Vec<_> = versions.map(|version| version.unwrap().path().join("bin")).collect();
    found.retain(|programs| programs.join("postgres").exists());
    found.sort();
    found.pop().expect("PostgreSQL's server is installed: apt-get install postgresql")
}
