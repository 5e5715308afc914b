//! What goes to crates.io: which crates, that they say what they are, and that what is packed builds alone.

use countersign_tests::documents::{blocks, repository};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// In the order in which they are published: the second needs the first.
const PUBLISHED: [(&str, &str); 2] = [("countersign-protocol", "protocol"), ("countersign-server", "server")];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(repository()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn two_crates_are_published_and_say_what_they_are() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--no-deps", "--offline"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let published: Vec<_> = packages.iter().filter(|package| package["publish"].is_null()).collect();
    let names: Vec<_> = published.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(names, PUBLISHED.map(|(name, _)| name));
    for package in published {
        for field in ["description", "license", "readme", "rust_version"] {
            assert!(package[field].is_string(), "{field} of {}", package["name"]);
        }
        for (list, most) in [("keywords", 5), ("categories", 5)] {
            assert!((1..=most).contains(&package[list].as_array().unwrap().len()), "{list} of {}", package["name"]);
        }
        assert!(package["metadata"]["docs"]["rs"].is_object(), "{}", package["name"]);
    }
}

#[test]
fn what_is_packed_has_all_that_the_source_includes() {
    for (name, folder) in PUBLISHED {
        let listed = cargo(&["package", "--list", "--allow-dirty", "--offline", "-p", name]);
        let root = repository().join(folder);
        for file in files(&root.join("src")) {
            let file = file.strip_prefix(&root).unwrap().to_str().unwrap();
            assert!(listed.lines().any(|line| line == file), "{file} of {name}");
        }
        assert!(listed.lines().any(|line| line == "README.md"), "{name}");
    }
}

/// As `cargo publish` would, but for the upload: the packed server, with the packed protocol beside it, is compiled alone.
#[test]
#[ignore = "compiles the server twice more: make package-tests"]
fn what_is_packed_builds_alone_and_is_installed_as_documented() {
    cargo(&["package", "--locked", "--allow-dirty", "-p", "countersign-protocol", "-p", "countersign-server"]);

    let documents = blocks("docs/operating/installing.md", "sh");
    let [command]: [&String; 1] =
        documents.iter().filter(|block| block.contains("cargo install")).collect::<Vec<_>>().try_into().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = command.trim().strip_prefix("cargo ").unwrap().split(' ');
    // Without optimisation, and elsewhere than in the home directory.
    let arguments: Vec<_> = arguments.chain(["--debug", "--root", folder.path().to_str().unwrap()]).collect();
    cargo(&arguments);
    let installed = Command::new(folder.path().join("bin/countersign")).arg("--version").output().unwrap();
    assert!(installed.status.success() && installed.stdout.starts_with(b"countersign "));
}
