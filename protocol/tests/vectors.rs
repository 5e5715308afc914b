//! The golden vectors: every entry checked both ways, the files as the generator writes them, the specification's examples among them.

// A vector that cannot be read is what these tests are to find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)] // its `main`
#[path = "../examples/make_vectors/main.rs"]
mod make_vectors;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    ClientFrame, FrameError, KeyError, Message, MessageError, PublicKey, PublicKeyBytes, ServerFrame, Signable,
    Signature, WireName as _,
};
use ed25519_dalek::SigningKey;
use make_vectors::{
    frames::{Direction, Frames},
    proofs::Proofs,
    refused::{Parts, Refused},
};
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&read_text(&format!("vectors/{name}"))).unwrap()
}

fn read_text(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What `text` is once read and written again.
fn rewritten(direction: Direction, text: &str) -> Result<String, FrameError> {
    match direction {
        Direction::ClientToServer => ClientFrame::parse(text).map(|frame| frame.to_json()),
        Direction::ServerToClient => ServerFrame::parse(text).map(|frame| frame.to_json()),
    }
}

fn text_of(parts: &Parts) -> String {
    match parts {
        Parts::Whole(text) => text.clone(),
        Parts::Pieces(pieces) => pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect(),
    }
}

fn key_of(seed: &str) -> SigningKey {
    SigningKey::from_bytes(&hex::decode(seed).unwrap().try_into().unwrap())
}

fn admit(text: &str) -> Result<PublicKey, KeyError> {
    PublicKey::admit(text.parse::<PublicKeyBytes>()?)
}

#[test]
fn the_files_are_as_the_generator_writes_them() {
    for (name, text) in make_vectors::files() {
        assert!(read_text(&format!("vectors/{name}")) == text, "{name} differs: run the example make_vectors");
    }
}

#[test]
fn frames_are_read_and_written_as_they_stand() {
    for vector in read::<Frames>("frames.json").frames {
        for text in vector.also.iter().chain([&vector.canonical]) {
            assert_eq!(rewritten(vector.direction, text).as_ref(), Ok(&vector.canonical), "{}: {text}", vector.name);
        }
    }
}

#[test]
fn the_frames_show_every_message() {
    let frames = read::<Frames>("frames.json").frames;
    let kinds = |wanted: fn(&Direction) -> bool| {
        let of = |text: &str| text.split('"').nth(3).unwrap().to_owned();
        let wanted = frames.iter().filter(|vector| wanted(&vector.direction));
        wanted
            .map(|vector| of(&vector.canonical))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    };
    let from_client = ["introduction", "ping", "pong", "request_status", "sign_reject", "sign_response"];
    let from_server =
        ["challenge", "error", "goodbye", "ping", "pong", "request_cancel", "response_ack", "sign_request", "welcome"];
    assert_eq!(kinds(|direction| matches!(direction, Direction::ClientToServer)), from_client);
    assert_eq!(kinds(|direction| matches!(direction, Direction::ServerToClient)), from_server);
}

#[test]
fn proofs_are_built_signed_and_verified_as_they_stand() {
    for vector in read::<Proofs>("proofs.json").proofs {
        let (challenge, public_key) = (vector.challenge.parse().unwrap(), vector.public_key.parse().unwrap());
        let (audience, origin) = (vector.audience.parse().unwrap(), vector.origin.parse().unwrap());
        let signable = Signable::Introduction {
            challenge: &challenge,
            public_key: &public_key,
            audience: &audience,
            origin: &origin,
        };
        let key = key_of(&vector.seed);
        assert_eq!(hex::encode(signable.to_bytes()), vector.signed, "{}", vector.name);
        assert_eq!(PublicKey::of(&key).to_string(), vector.public_key, "{}", vector.name);
        assert_eq!(signable.sign(&key).to_string(), vector.proof, "{}", vector.name);
        assert_eq!(signable.verify(&admit(&vector.public_key).unwrap(), &vector.proof.parse().unwrap()), Ok(()));
    }
}

#[test]
fn messages_are_signed_and_verified_as_they_stand() {
    for vector in read::<Proofs>("proofs.json").messages {
        let message: Message = vector.message.parse().unwrap();
        let key = key_of(&vector.seed);
        assert_eq!(PublicKey::of(&key).to_string(), vector.public_key, "{}", vector.name);
        assert_eq!(Signable::Message(&message).sign(&key).to_string(), vector.signature, "{}", vector.name);
        let (public_key, signature) = (admit(&vector.public_key).unwrap(), vector.signature.parse().unwrap());
        assert_eq!(Signable::Message(&message).verify(&public_key, &signature), Ok(()), "{}", vector.name);
    }
}

#[test]
fn refused_keys_are_refused_for_the_reason_given() {
    for vector in read::<Refused>("refused.json").public_keys {
        let refused = admit(&vector.public_key).unwrap_err();
        let (why, code) = match refused {
            KeyError::Encoding(_) => ("encoding", "malformed"),
            KeyError::NotOnCurve => ("not_on_curve", "key_refused"),
            KeyError::NotCanonical => ("not_canonical", "key_refused"),
            KeyError::SmallOrder => ("small_order", "key_refused"),
            KeyError::MixedOrder => ("mixed_order", "key_refused"),
        };
        assert_eq!((why, code), (&*vector.why, &*vector.code), "{}", vector.name);

        let introduction = serde_json::json!({ "type": "introduction", "public_key": vector.public_key }).to_string();
        assert_eq!(ClientFrame::parse(&introduction).is_err(), code == "malformed", "{}", vector.name);
    }
}

#[test]
fn refused_messages_are_refused_for_the_reason_given() {
    for vector in read::<Refused>("refused.json").messages {
        let why = match text_of(&vector.message).parse::<Message>().unwrap_err() {
            MessageError::Encoding(_) => "encoding",
            MessageError::Empty => "empty",
            MessageError::TooLong { .. } => "too_long",
            MessageError::ReservedPrefix => "reserved_prefix",
        };
        assert_eq!(why, vector.why, "{}", vector.name);
    }
}

#[test]
fn refused_frames_are_answered_with_the_code_given() {
    for vector in read::<Refused>("refused.json").frames {
        let error = rewritten(vector.direction, &text_of(&vector.text)).expect_err(&vector.name);
        assert_eq!(error.code().as_str(), vector.code, "{}: {error}", vector.name);
    }
}

#[test]
fn refused_proofs_do_not_verify() {
    for vector in read::<Refused>("refused.json").proofs {
        let (challenge, public_key) = (vector.challenge.parse().unwrap(), vector.public_key.parse().unwrap());
        let (audience, origin) = (vector.audience.parse().unwrap(), vector.origin.parse().unwrap());
        let signable = Signable::Introduction {
            challenge: &challenge,
            public_key: &public_key,
            audience: &audience,
            origin: &origin,
        };
        let proof = vector.proof.parse().unwrap();
        assert!(signable.verify(&admit(&vector.public_key).unwrap(), &proof).is_err(), "{}", vector.name);
        assert_eq!(vector.code, "proof_invalid");
    }
}

#[test]
fn refused_signatures_do_not_verify_here_whatever_they_do_elsewhere() {
    for vector in read::<Refused>("refused.json").signatures {
        let key = admit(&vector.public_key).unwrap();
        let message: Message = vector.message.parse().unwrap();
        let signature: Signature = vector.signature.parse().unwrap();
        assert!(Signable::Message(&message).verify(&key, &signature).is_err(), "{}", vector.name);
        assert_eq!(vector.outcome, "bad_signature");

        let lax = ed25519_dalek::Verifier::verify(
            &ed25519_dalek::VerifyingKey::from_bytes(key.to_bytes().as_bytes()).unwrap(),
            message.as_bytes(),
            &ed25519_dalek::Signature::from_bytes(signature.as_bytes()),
        );
        assert_eq!(lax.is_ok(), vector.passes_elsewhere, "{}", vector.name);
    }
}

/// The fenced blocks of the specification in `language`.
fn blocks(language: &str) -> Vec<String> {
    let specification = read_text("README.md");
    let fence = format!("```{language}\n");
    specification.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_of_the_specification_are_golden_frames() {
    let frames = read::<Frames>("frames.json").frames;
    let examples = blocks("json");
    for example in &examples {
        let direction = |vector: &&make_vectors::frames::FrameVector| {
            rewritten(vector.direction, example).is_ok_and(|text| text == vector.canonical)
        };
        assert!(frames.iter().any(|vector| direction(&vector)), "{example}");
    }
    assert!(examples.len() >= 13, "only {} examples", examples.len());
}

#[test]
fn the_worked_proof_of_the_specification_is_golden() {
    let proofs = read::<Proofs>("proofs.json").proofs;
    let golden = &proofs[0];
    let worked = blocks("text").into_iter().find(|block| block.starts_with("ff ")).expect("the worked bytes");
    let hex: String = worked.lines().flat_map(|line| line.split("  ").next()).collect::<String>().replace(' ', "");
    assert_eq!(hex, golden.signed);

    let specification = read_text("README.md");
    for text in [&golden.seed, &golden.public_key, &golden.challenge, &golden.audience, &golden.origin, &golden.proof] {
        assert!(specification.contains(text), "{text}");
    }
}

#[test]
fn every_length_of_the_specification_is_that_of_the_code() {
    use countersign_protocol::limits::{
        DEFAULT_DELIVERY_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, MAX_AUDIENCE_BYTES, MAX_BATCH, MAX_DEVICE_ID_BYTES,
        MAX_DEVICE_LABEL_BYTES, MAX_FRAME_BYTES, MAX_INTRODUCTION_FRAME_BYTES, MAX_MESSAGE_BYTES, MAX_ORIGIN_BYTES,
        MAX_PURPOSE_BYTES, MAX_REASON_BYTES, MAX_REQUESTER_NAME_BYTES, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS,
    };
    let specification = read_text("README.md");
    let section = specification.split("\n## ").find(|section| section.contains("Limits\n")).unwrap();
    for (what, limit) in [
        ("message", MAX_MESSAGE_BYTES),
        ("frame", MAX_FRAME_BYTES),
        ("frame before `welcome`", MAX_INTRODUCTION_FRAME_BYTES),
        ("audience", MAX_AUDIENCE_BYTES),
        ("origin", MAX_ORIGIN_BYTES),
        ("`device.id`, id of a policy", MAX_DEVICE_ID_BYTES),
        ("`device.label`", MAX_DEVICE_LABEL_BYTES),
        ("`requester.name`", MAX_REQUESTER_NAME_BYTES),
        ("`purpose`", MAX_PURPOSE_BYTES),
        ("`reason`", MAX_REASON_BYTES),
        ("shortest time of a request", usize::try_from(MIN_TIMEOUT_MS).unwrap()),
        ("longest time of a request", usize::try_from(MAX_TIMEOUT_MS).unwrap()),
        ("time of a request whose backend names none", usize::try_from(DEFAULT_TIMEOUT_MS).unwrap()),
        ("requests in a batch", MAX_BATCH),
        ("delivery time of a request whose backend names none", usize::try_from(DEFAULT_DELIVERY_TIMEOUT_MS).unwrap()),
    ] {
        let row = section.lines().find(|line| line.starts_with(&format!("| {what} |"))).expect(what);
        let digits: String = row.split('|').nth(2).unwrap().chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits, limit.to_string(), "{row}");
    }
}

#[test]
fn every_error_code_is_in_the_specification() {
    let specification = read_text("README.md");
    for code in [
        "malformed",
        "unknown_type",
        "wrong_direction",
        "binary_frame",
        "frame_too_large",
        "introduction_required",
        "introduction_timeout",
        "already_introduced",
        "proof_required",
        "proof_invalid",
        "key_refused",
        "rate_limited",
        "too_many_errors",
        "too_many_connections",
    ] {
        let read = ServerFrame::parse(&format!(r#"{{"type":"error","code":"{code}","message":""}}"#)).unwrap();
        let ServerFrame::Error(error) = read else { panic!("{code}") };
        assert_eq!(error.code.as_str(), code);
        assert!(specification.contains(&format!("| `{code}` |")), "{code}");
    }
}

#[test]
fn base64_of_the_vectors_is_standard() {
    let proofs = read::<Proofs>("proofs.json");
    for text in proofs.messages.iter().flat_map(|vector| [&vector.public_key, &vector.message, &vector.signature]) {
        assert_eq!(STANDARD.encode(STANDARD.decode(text).unwrap()), *text);
    }
}
