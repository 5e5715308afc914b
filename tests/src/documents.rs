//! The documents as tests read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks with this word after the fence.
pub fn blocks(document: &str, word: &str) -> Vec<String> {
    let text = read(document);
    let fenced = text.split("\n```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| block.split_once('\n').filter(|(first, _)| *first == word));
    blocks.map(|(_, block)| block.to_owned()).collect()
}
