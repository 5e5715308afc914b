//! Our reader and writer of JSON beside serde_json, over generated texts: what one accepts the other does, with the same values, but
//! for [`DIFFERENCES`].
//!
//! Ten thousand texts of each kind, the same ones at every run. For millions, or others:
//! `COUNTERSIGN_JSON_CASES=5000000 COUNTERSIGN_JSON_SEED=7 cargo test --release -p countersign-protocol --test json_differential`

// What cannot be made or read here is what these tests are to find.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout)] // the seed, for who runs it again

#[path = "json/node.rs"]
mod node;
#[path = "json/texts.rs"]
mod texts;

use countersign_protocol::{
    JsonError,
    json::{Fields, Object, Writer},
};
use node::Node;
use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap};

const NAMES: &[&str] = &["a", "b", "é"];
const FIELDS: Fields = Fields::new(NAMES);

/// What a reader finds at one of [`NAMES`].
#[derive(Debug, Clone, PartialEq)]
enum Found {
    /// Nothing, or null.
    Absent,
    Twice,
    Text(String),
    Integer(u64),
    Object(Vec<Found>),
    /// A value that no field of a frame has.
    Other,
}

/// What one of the two refuses and the other does not.
struct Difference {
    name: &'static str,
    /// Why ours is as it is.
    reason: &'static str,
    example: fn() -> String,
    refused_by: Reader,
    /// What is in the sentence with which it is refused.
    says: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Reader {
    Ours,
    SerdeJson,
}

/// A field that stands twice is none of these: serde_json hands over both, and ours says so when it is asked for the field.
const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "a text that is no object",
        reason: "a frame is an object",
        example: || "[1]".into(),
        refused_by: Reader::Ours,
        says: "expected an object",
    },
    Difference {
        name: "values nested more than 64 deep in a field",
        reason: "the specification allows senders 16; serde_json stops at 127 in all",
        example: || texts::nested(65),
        refused_by: Reader::Ours,
        says: "expected less deeply nested values",
    },
    Difference {
        name: "a number beyond the range of a double",
        reason: "only integers are ever looked at, all others are passed over",
        example: || r#"{"x":1e999}"#.into(),
        refused_by: Reader::SerdeJson,
        says: "number out of range",
    },
    Difference {
        name: "half a surrogate pair in a value that nobody asks for",
        reason: "what is passed over is not decoded",
        example: || r#"{"x":"\udc00"}"#.into(),
        refused_by: Reader::SerdeJson,
        says: "lone leading surrogate in hex escape",
    },
    Difference {
        name: "the first half of a surrogate pair in a value that nobody asks for",
        reason: "as above",
        example: || r#"{"x":"\ud800"}"#.into(),
        refused_by: Reader::SerdeJson,
        says: "unexpected end of hex escape",
    },
];

fn ours(text: &str) -> Result<Found, String> {
    let object = Object::read(text, FIELDS).map_err(|error| error.to_string())?;
    Ok(Found::Object(fields(&object).unwrap()))
}

fn fields(object: &Object<'_>) -> Result<Vec<Found>, JsonError> {
    Ok(NAMES.iter().map(|name| field(object, name)).collect())
}

fn field(object: &Object<'_>, name: &'static str) -> Found {
    if let Ok(text) = object.text(name) {
        return Found::Text(text.into_owned());
    }
    if let Ok(number) = object.integer(name) {
        return Found::Integer(number);
    }
    match object.optional_object(name, FIELDS, fields) {
        Ok(None) => Found::Absent,
        Ok(Some(inner)) => Found::Object(inner),
        Err(error) if error == JsonError::duplicate(name) => Found::Twice,
        Err(_) => Found::Other,
    }
}

fn theirs(text: &str) -> Result<Found, String> {
    serde_json::from_str(text).map(|node| found(&node)).map_err(|error| error.to_string())
}

fn found(node: &Node) -> Found {
    match node {
        Node::Null => Found::Absent,
        Node::Text(text) => Found::Text(text.clone()),
        Node::Integer(number) => Found::Integer(*number),
        Node::Object(members) => Found::Object(
            NAMES
                .iter()
                .map(|name| match &members.iter().filter(|(known, _)| known == name).collect::<Vec<_>>()[..] {
                    [] => Found::Absent,
                    [(_, value)] => found(value),
                    _ => Found::Twice,
                })
                .collect(),
        ),
        Node::Array | Node::OtherNumber | Node::Bool => Found::Other,
    }
}

/// How the two take a text: alike, or as one of the differences has it, or else an error.
fn compare(text: &str) -> Result<&'static str, String> {
    let (ours, theirs) = (ours(text), theirs(text));
    let (refused_by, says) = match (&ours, &theirs) {
        (Ok(a), Ok(b)) if a == b => return Ok("accepted"),
        (Err(_), Err(_)) => return Ok("refused"),
        (Err(says), Ok(_)) => (Reader::Ours, says),
        (Ok(_), Err(says)) => (Reader::SerdeJson, says),
        (Ok(_), Ok(_)) => return Err(format!("ours {ours:?}, serde_json {theirs:?}")),
    };
    let known = DIFFERENCES.iter().find(|known| known.refused_by == refused_by && says.starts_with(known.says));
    known.map(|known| known.name).ok_or_else(|| format!("only {refused_by:?} refuses it: {says}"))
}

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Runs a property over as many cases as are asked for, seeded.
fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let (cases, seed) = (setting("COUNTERSIGN_JSON_CASES", 10_000), setting("COUNTERSIGN_JSON_SEED", 1));
    println!("COUNTERSIGN_JSON_CASES={cases} COUNTERSIGN_JSON_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&strategy, property) {
        panic!("{error}");
    }
}

#[test]
fn every_difference_is_as_the_table_says() {
    for known in DIFFERENCES {
        assert_eq!(compare(&(known.example)()).as_deref(), Ok(known.name), "{}", known.reason);
    }
    for text in [texts::nested(64), r#"{"a":1,"a":"b"}"#.into(), r#"{"a":{"b":1,"\u0062":2}}"#.into()] {
        assert_eq!(compare(&text), Ok("accepted"), "{text}");
    }
    // What is asked for is decoded.
    for text in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00"}"#] {
        assert_eq!(ours(text), Ok(Found::Object(vec![Found::Other, Found::Absent, Found::Absent])), "{text}");
    }
    assert!(ours(r#"{"\ud800":1}"#).is_err());
}

#[test]
fn texts_are_read_alike() {
    let counted: RefCell<BTreeMap<&str, usize>> = RefCell::default();
    check(texts::any(), |text| {
        let outcome = compare(&text).map_err(|problem| TestCaseError::fail(format!("{text:?}: {problem}")))?;
        *counted.borrow_mut().entry(outcome).or_default() += 1;
        Ok(())
    });
    let counted = counted.into_inner();
    println!("{counted:?}");
    for outcome in DIFFERENCES.iter().map(|known| known.name).chain(["accepted", "refused"]) {
        assert!(counted.contains_key(outcome), "no text was of this kind: {outcome}");
    }
    assert!(counted["accepted"] * 4 > counted.values().sum::<usize>(), "{counted:?}");
}

#[test]
fn what_we_write_serde_json_reads_and_would_write() {
    check((texts::string(), proptest::num::u64::ANY, texts::string()), |(text, number, inner)| {
        let object = Writer::default().text("a", &inner).finish();
        assert_eq!(object, serde_json::json!({ "a": inner }).to_string());
        let written = Writer::default()
            .text("a", &text)
            .object("b", Writer::default().text("a", &inner).base64("b", inner.as_bytes()))
            .integer("é", number)
            .finish();
        let expected = vec![
            Found::Text(text),
            Found::Object(vec![Found::Text(inner.clone()), Found::Text(base64(&inner)), Found::Absent]),
            Found::Integer(number),
        ];
        assert_eq!(theirs(&written), Ok(Found::Object(expected)));
        Ok(())
    });
}

#[test]
fn what_serde_json_writes_we_read() {
    check((texts::string(), proptest::num::u64::ANY, texts::string()), |(text, number, inner)| {
        let value =
            serde_json::json!({ "a": text, "é": number, inner.clone(): [inner], "b": { "a": inner, "b": null } });
        for written in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let read = ours(&written);
            assert_eq!(read, theirs(&written));
            assert!(read.is_ok(), "{written}");
        }
        Ok(())
    });
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
