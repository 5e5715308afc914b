//! The small scripts that a release is made by; `make release` itself takes two builds with all optimisation.

use countersign_tests::documents::repository;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn script(name: &str) -> Command {
    Command::new(repository().join("scripts").join(name))
}

/// What it said on standard error, where it refused.
fn refused(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_section_of_a_version_is_cut_out_of_the_changelog() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("CHANGELOG.md");
    let text = "# Changelog\n\nWords.\n\n## [Unreleased]\n\n### Added\n\n- Not yet.\n\n## [1x2x3] - 2026-03-01\n\n- Another.\n\n\
                ## [1.2.3] - 2026-02-01\n\n### Fixed\n\n- This,\n  in two lines.\n- That: `## [1.2.2]`.\n\n## [1.2.2]\n\n## [1.2.1] - 2026-01-01\n\n- The first.\n";
    fs::write(&file, text).unwrap();
    let section = |version: &str| {
        let mut command = script("changelog-section.sh");
        command.arg(version).arg(&file);
        command
    };
    let output = run(&mut section("1.2.3"));
    let expected = "### Fixed\n\n- This,\n  in two lines.\n- That: `## [1.2.2]`.\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(String::from_utf8(run(&mut section("1.2.1")).stdout).unwrap(), "- The first.\n");
    for nothing in ["1.2.2", "1.2", "2.0.0", ""] {
        assert!(refused(&mut section(nothing)).contains(&format!("says nothing of {nothing}: ")), "{nothing}");
    }
}

/// The files that the release is refused by, in a repository of their own.
fn small_repository(folder: &Path) {
    let files = [
        "Cargo.toml",
        "CHANGELOG.md",
        "scripts/release.sh",
        "scripts/changelog-section.sh",
        "sdk-wasm/package.json",
        "clients/typescript/package.json",
        "clients/python/pyproject.toml",
        "packaging/debian/changelog",
    ];
    for file in files {
        let target = folder.join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(repository().join(file), target).unwrap();
    }
    git(folder, &["init", "--quiet"]);
    commit(folder);
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=tests", "-c", "user.email=tests@example.com"]).args(arguments);
    let output = run(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--no-gpg-sign", "--message", "As it is"]);
}

#[test]
#[ignore = "needs jq: make release-tests"]
fn a_release_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    small_repository(folder);
    let version = env!("CARGO_PKG_VERSION");
    // Without cargo's own programs, which is the last that it looks for.
    let release = || refused(Command::new(folder.join("scripts/release.sh")).env_clear().env("PATH", "/usr/bin:/bin"));
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {file}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    fs::write(folder.join("new"), "").unwrap();
    assert!(release().contains("not committed"));
    fs::remove_file(folder.join("new")).unwrap();

    assert!(release().contains(&format!("says nothing of {version}: ")));
    change("CHANGELOG.md", "## [Unreleased]\n", &format!("## [Unreleased]\n\n## [{version}] - 2026-12-01\n"));
    assert!(release().contains("not committed"));
    commit(folder);
    assert!(release().contains("there is no cargo-deb"), "nothing else is wrong");

    for (package, is) in [
        ("sdk-wasm/package.json", "\"version\": "),
        ("clients/typescript/package.json", "\"version\": "),
        ("clients/python/pyproject.toml", "version = "),
    ] {
        let (own, other) = (format!("{is}\"{version}\""), format!("{is}\"9.9.9\""));
        change(package, &own, &other);
        commit(folder);
        assert!(release().contains(&format!("{package} is of version 9.9.9")));
        change(package, &other, &own);
    }
    change("packaging/debian/changelog", version, "9.9.9");
    commit(folder);
    assert!(release().contains(&format!("packaging/debian/changelog says nothing of {version}")));
    assert!(!folder.join("target").exists());
}

#[test]
#[ignore = "needs jq: make release-tests"]
fn a_list_of_components_that_lacks_a_crate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sbom.json");
    // Everything that Cargo.lock has is more than the server is built of.
    let lock: toml::Value = toml::from_str(&fs::read_to_string(repository().join("Cargo.lock")).unwrap()).unwrap();
    let component = |package: &toml::Value| json!({ "name": package["name"], "version": package["version"] });
    let all: Vec<Value> = lock["package"].as_array().unwrap().iter().map(component).collect();
    let sbom = |components: Vec<Value>| {
        let server = json!({ "name": "countersign-server", "version": env!("CARGO_PKG_VERSION") });
        json!({ "bomFormat": "CycloneDX", "metadata": { "component": server }, "components": components })
    };
    let check = |sbom: &Value| {
        fs::write(&file, sbom.to_string()).unwrap();
        let mut command = script("check-sbom.sh");
        command.arg(&file);
        command
    };
    let output = run(&mut check(&sbom(all.clone())));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let crates: usize = said.strip_suffix(" crates\n").unwrap().parse().unwrap();
    assert!((100..all.len()).contains(&crates), "{crates} of {}", all.len());

    for lacking in ["ring", "countersign-protocol"] {
        let others: Vec<_> = all.iter().filter(|component| component["name"] != lacking).cloned().collect();
        assert_eq!(others.len(), all.len() - 1);
        let said = refused(&mut check(&sbom(others)));
        assert!(said.lines().any(|line| line.starts_with(&format!("{lacking} "))), "{said}");
    }
    let mut other = sbom(all);
    other["bomFormat"] = "SPDX".into();
    refused(&mut check(&other));
}
