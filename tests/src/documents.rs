//! The documents as tests read them.

use std::{
    collections::BTreeSet,
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

/// The rows of the table with this head, each as its cells without code marks.
pub fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{document} has no table {head}");
    rows
}

/// What stands between two texts.
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// Every word in quotation marks that follows this in a text.
pub fn words_after(text: &str, before: &str) -> BTreeSet<String> {
    text.split(before).skip(1).filter_map(word).collect()
}

fn word(text: &str) -> Option<String> {
    text.strip_prefix('"')?.split_once('"').map(|(word, _)| word.to_owned())
}

/// The codes that `SigningError::code` gives, and those of ends without a signature, as the source has them.
pub fn codes_of_requests() -> BTreeSet<String> {
    let errors = read("server/src/error.rs");
    let mut codes = words_after(between(&errors, "fn code(", "\n    }").unwrap(), "=> ");
    let record = read("server/src/record.rs");
    let of_ends = words_after(between(&record, "mod end_code {", "\n}").unwrap(), "&str = ");
    codes.extend(of_ends.into_iter().filter(|code| code != "signed"));
    codes
}

/// These, and the codes of the problems that the HTTP part makes itself, which follow a status.
pub fn codes_of_the_api() -> BTreeSet<String> {
    let mut codes = codes_of_requests();
    for file in files(&repository().join("server/src/http")) {
        let text = fs::read_to_string(file).unwrap();
        let after_status =
            text.split("StatusCode::").skip(1).filter_map(|text| text.split_once(',')).map(|(_, rest)| rest);
        codes.extend(after_status.filter_map(|rest| word(rest.trim_start())));
    }
    codes
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
