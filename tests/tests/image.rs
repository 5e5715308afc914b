//! The image: what is in it, and that its program serves as its user on a root that cannot be written to.
//!
//! `make image-tests` builds it; the archive is named by the environment. No engine is needed: what one would do with the image is
//! done by `unshare`, `mount` and `chroot`.

use countersign_tests::{Backend, ServerProcess, TestWallet, WebhookReceiver, within};
use serde_json::{Value, json};
use std::{
    env, fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// All there is, but for directories.
const FILES: [&str; 6] = [
    "etc/group",
    "etc/passwd",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/bin/countersign",
    "usr/share/doc/countersign/LICENSE-APACHE",
    "usr/share/doc/countersign/LICENSE-MIT",
];

const USER: u32 = 65532;
const DATA: &str = "var/lib/countersign";

/// An image's files, as an engine unpacks them, and its configuration.
struct Image {
    folder: TempDir,
    config: Value,
    listed: String,
}

impl Image {
    fn unpack() -> Self {
        let archive = PathBuf::from(env::var_os("COUNTERSIGN_IMAGE").expect("COUNTERSIGN_IMAGE: run make image-tests"));
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let layout = folder.path().join("layout");
        let root = folder.path().join("root");
        for directory in [&layout, &root] {
            fs::create_dir(directory).unwrap();
        }
        succeed(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&layout));
        let blob = |digest: &Value| layout.join("blobs").join(digest.as_str().unwrap().replace(':', "/"));
        let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let manifest = json(&blob(&json(&layout.join("index.json"))["manifests"][0]["digest"]));
        let config = json(&blob(&manifest["config"]["digest"]))["config"].clone();
        let mut listed = String::new();
        for layer in manifest["layers"].as_array().unwrap() {
            let layer = blob(&layer["digest"]);
            succeed(Command::new("tar").arg("-xpf").arg(&layer).arg("-C").arg(&root).arg("--numeric-owner"));
            let list = succeed(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(&layer));
            listed += &String::from_utf8(list.stdout).unwrap();
        }
        Self { folder, config, listed }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The image's program as its user, on a root that is read only but for its volume; and with what an engine puts into every container.
    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let (root, data) = (self.root(), self.folder.path().join("data"));
        if !data.exists() {
            fs::create_dir(&data).unwrap();
            // As an engine does with a new volume: owner and mode are the image's.
            fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
            chown(&data, Some(USER), Some(USER)).unwrap();
            fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n127.0.0.1 node.test\n").unwrap();
            fs::write(root.join("etc/resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        }
        let script = "mount --bind \"$1\" \"$1\"; mount --bind \"$2\" \"$1/$3\"; mount -o remount,bind,ro \"$1\"; \
                      user=$4; root=$1; shift 4; exec chroot --userspec=\"$user\" \"$root\" \"$@\"";
        let entrypoint = self.config["Entrypoint"][0].as_str().unwrap();
        let mut command = tokio::process::Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]);
        command.arg(root).arg(data).args([DATA, self.config["User"].as_str().unwrap(), entrypoint]).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").kill_on_drop(true);
        command
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
#[ignore = "needs an image: make image-tests"]
fn it_has_the_program_and_what_it_reads_and_nothing_else() {
    let image = Image::unpack();
    let mut files = Vec::new();
    for line in image.listed.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [mode, owner, .., path] = words[..] else { panic!("{line}") };
        if path == format!("{DATA}/") {
            assert_eq!((mode, owner), ("drwx------", "65532/65532"), "{line}");
            continue;
        }
        // Nobody but root may change it, and nothing takes on another's rights.
        assert_eq!(owner, "0/0", "{line}");
        assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode), "{line}");
        if !mode.starts_with('d') {
            files.push(path);
        }
    }
    assert_eq!(files, FILES);

    let config = &image.config;
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    assert_eq!(config["Entrypoint"], json!(["/usr/bin/countersign"]));
    assert_eq!(config["Cmd"], Value::Null);
    assert_eq!(config["Volumes"], json!({ "/var/lib/countersign": {} }));
    assert_eq!(config["ExposedPorts"], json!({ "8080/tcp": {} }));
    let label = |name: &str| config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap_or("none");
    assert_eq!((label("title"), label("version")), ("countersign", env!("CARGO_PKG_VERSION")));
    assert_eq!((label("licenses"), label("revision").len()), ("MIT OR Apache-2.0", 40));
    let of_user = |file: &str| fs::read_to_string(image.root().join(file)).unwrap();
    assert!(
        of_user("etc/passwd").starts_with("countersign:x:65532:65532:") && of_user("etc/group").contains(":65532:")
    );
}

#[tokio::test]
#[ignore = "needs an image, and root: make image-tests"]
async fn its_program_serves_as_its_user_on_a_root_that_is_read_only() {
    let image = Image::unpack();
    let said = within("a token", image.command(&["token", "Example Bank"]).output()).await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let token = said.lines().map(str::trim).find(|line| line.starts_with("cs_")).unwrap();
    let (_, table) = said.split_once("[[token]]").unwrap();
    fs::write(image.root().join("etc/countersign.toml"), format!("[[token]]{table}")).unwrap();

    let mut hook = WebhookReceiver::start(&[]).await;
    let target = hook.url().replace("127.0.0.1", "localhost");
    let data_dir = format!("/{DATA}");
    let arguments = ["--config", "/etc/countersign.toml", "--data-dir", &data_dir, "--webhook-target", &target];
    let server = ServerProcess::spawn(image.command(&arguments)).await;
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(
        status.lines().any(|line| line.split_whitespace().eq(["Uid:", "65532", "65532", "65532", "65532"])),
        "{status}"
    );

    // By a name, which the program itself has to look up: there is no shared library to do so.
    let url = format!("http://node.test:{}/readyz", server.address.port());
    let health = within("its health", image.command(&["health", &url]).output()).await.unwrap();
    assert!(health.status.success(), "{}", String::from_utf8_lossy(&health.stderr));
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
    let mut backend = Backend::connect(server.address).await.with_token(token);
    let key = wallet.public_key().to_string();
    let body = json!({ "public_key": key, "message": "aGVsbG8=", "queue": true, "webhook": target });
    let (reply, _) = tokio::join!(backend.post_with(&body, &[]), wallet.sign_next());
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(hook.next().await.path, "/hook");
    drop((backend, wallet));
    server.signal("TERM").await;
    let log = server.wait().await;
    assert!(!log.contains("no root certificates"), "{log}");
    // What outlives it is in the volume, and nothing is anywhere else.
    assert!(image.folder.path().join("data/countersign.db").exists());
    assert_eq!(fs::read_dir(image.root().join(DATA)).unwrap().count(), 0);

    let health = within("its health", image.command(&["health", &url]).output()).await.unwrap();
    assert_eq!(health.status.code(), Some(1), "nobody is there");
}
