//! Every crate in Cargo.lock keeps to deny.toml: its licence, where it comes from, and that it is none of the banned. `cargo deny` does
//! the same and more, and takes minutes to compile, so nobody is asked to have it.

use serde_json::Value;
use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

struct Policy {
    licences: BTreeSet<String>,
    registries: BTreeSet<String>,
    banned: BTreeSet<String>,
}

impl Policy {
    fn read() -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml")).unwrap();
        let file: toml::Value = toml::from_str(&text).unwrap();
        let set = |values: &toml::Value, name: fn(&toml::Value) -> &toml::Value| -> BTreeSet<String> {
            values.as_array().unwrap().iter().map(|value| name(value).as_str().unwrap().to_owned()).collect()
        };
        Self {
            licences: set(&file["licenses"]["allow"], |licence| licence),
            registries: set(&file["sources"]["allow-registry"], |registry| registry),
            banned: set(&file["bans"]["deny"], |ban| &ban["crate"]),
        }
    }

    /// What is wrong with a package, as `cargo metadata` describes it.
    fn fault(&self, package: &Value) -> Option<&'static str> {
        let licence = package["license"].as_str().unwrap_or_default();
        let registry = package["source"].as_str().map(|source| source.strip_prefix("registry+").unwrap_or(source));
        if !self.allows(licence) {
            return Some("licence");
        }
        if registry.is_some_and(|registry| !self.registries.contains(registry)) {
            return Some("source");
        }
        self.banned.contains(package["name"].as_str().unwrap()).then_some("banned")
    }

    fn allows(&self, expression: &str) -> bool {
        // Older crates write MIT/Apache-2.0.
        let parsed = spdx::Expression::parse_mode(expression, spdx::ParseMode::LAX);
        parsed.is_ok_and(|parsed| parsed.evaluate(|required| self.licences.contains(&required.to_string())))
    }
}

#[test]
fn every_crate_keeps_to_the_policy() {
    let metadata = Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--locked"]).output().unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 200, "{} packages are not all", packages.len());
    let policy = Policy::read();
    let faults: Vec<_> = packages
        .iter()
        .filter_map(|package| Some((policy.fault(package)?, package["id"].as_str()?, package["license"].as_str())))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn what_breaks_the_policy_is_found() {
    let policy = Policy::read();
    let package = |name: &str, license: &str, source: &str| {
        policy.fault(&serde_json::json!({ "name": name, "license": license, "source": source }))
    };
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    assert_eq!(package("a", "GPL-3.0-only OR MIT", registry), None);
    assert_eq!(package("a", "GPL-3.0-only AND MIT", registry), Some("licence"));
    assert_eq!(package("a", "Apache-2.0 WITH LLVM-exception", registry), Some("licence"));
    assert_eq!(package("a", "", registry), Some("licence"));
    assert_eq!(package("a", "MIT", "registry+https://crates.example/index"), Some("source"));
    assert_eq!(package("a", "MIT", "git+https://github.com/rust-lang/crates.io-index"), Some("source"));
    assert_eq!(package("openssl-sys", "MIT", registry), Some("banned"));
}

fn check_dependencies(cargo: &str) -> bool {
    let programs = tempfile::tempdir().unwrap();
    let program = programs.path().join("cargo");
    fs::write(&program, format!("#!/bin/sh\n{cargo}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/check-dependencies.sh");
    Command::new(script).env("PATH", path).output().unwrap().status.success()
}

#[test]
fn the_direction_of_dependencies_is_not_taken_for_checked_when_cargo_fails() {
    assert!(check_dependencies("echo serde v1.0.0"));
    assert!(!check_dependencies("echo serde v1.0.0; exit 101"));
    assert!(!check_dependencies("echo serde v1.0.0; echo tokio v1.0.0"));
}
