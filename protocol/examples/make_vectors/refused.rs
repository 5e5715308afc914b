//! Everything that is refused, with the reason.

use super::{AUDIENCE, CHALLENGE, MESSAGE, ORIGIN, REQUEST_ID, frames::Direction, proofs, public_key, signing_key};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{Challenge, Message, RESERVED_PREFIX, Signable, limits};
use curve25519_dalek::{
    constants::EIGHT_TORSION,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

#[derive(Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) about: String,
    pub(crate) public_keys: Vec<KeyVector>,
    pub(crate) messages: Vec<MessageVector>,
    pub(crate) frames: Vec<FrameVector>,
    pub(crate) proofs: Vec<ProofVector>,
    pub(crate) signatures: Vec<SignatureVector>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeyVector {
    pub(crate) name: String,
    pub(crate) public_key: String,
    /// `error` code an introduction with this key gets.
    pub(crate) code: String,
    /// `encoding`, `not_on_curve`, `not_canonical`, `small_order` or `mixed_order`.
    pub(crate) why: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MessageVector {
    pub(crate) name: String,
    /// Base64, as in a frame.
    pub(crate) message: Parts,
    /// `encoding`, `empty`, `too_long` or `reserved_prefix`.
    pub(crate) why: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FrameVector {
    pub(crate) name: String,
    pub(crate) direction: Direction,
    pub(crate) text: Parts,
    /// `error` code that answers it.
    pub(crate) code: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ProofVector {
    pub(crate) name: String,
    pub(crate) public_key: String,
    pub(crate) challenge: String,
    pub(crate) audience: String,
    pub(crate) origin: String,
    pub(crate) proof: String,
    pub(crate) code: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SignatureVector {
    pub(crate) name: String,
    pub(crate) public_key: String,
    pub(crate) message: String,
    pub(crate) signature: String,
    /// `response_ack` outcome it gets.
    pub(crate) outcome: String,
    /// Whether RFC 8032's verification without cofactor, as OpenSSL does it, lets it pass. A wallet's own check then needs more.
    pub(crate) passes_elsewhere: bool,
}

/// A text, or its pieces with how often each stands in a row; long ones stay readable so.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Parts {
    Whole(String),
    Pieces(Vec<(String, usize)>),
}

impl From<&str> for Parts {
    fn from(text: &str) -> Self {
        Self::Whole(text.into())
    }
}

impl From<String> for Parts {
    fn from(text: String) -> Self {
        Self::Whole(text)
    }
}

pub(crate) fn make() -> Refused {
    Refused {
        about: "What is refused, and how. A `text` or refused `message` that is an array is the concatenation of its pieces, each [piece, times]."
            .into(),
        public_keys: public_keys(),
        messages: messages(),
        frames: frames(),
        proofs: refused_proofs(),
        signatures: signatures(),
    }
}

fn honest_point() -> EdwardsPoint {
    signing_key().verifying_key().to_edwards()
}

fn public_keys() -> Vec<KeyVector> {
    let refused = |name: &str, bytes: [u8; 32], why: &str| KeyVector {
        name: name.into(),
        public_key: STANDARD.encode(bytes),
        code: "key_refused".into(),
        why: why.into(),
    };
    let small = EIGHT_TORSION
        .iter()
        .enumerate()
        .map(|(n, point)| refused(&format!("the small-order point {n} of 8"), point.compress().0, "small_order"));
    let mixed = EIGHT_TORSION.iter().enumerate().skip(1).map(|(n, torsion)| {
        refused(
            &format!("an honest key plus the small-order point {n}"),
            (honest_point() + torsion).compress().0,
            "mixed_order",
        )
    });
    let above = (0..19u8).filter_map(|y| {
        // y + p for a y so small that it fits in 255 bits: 2^255 - 19 + y.
        let mut bytes = [0xFF; 32];
        (bytes[0], bytes[31]) = (0xED + y, 0x7F);
        let name = format!("y = p + {y}");
        CompressedEdwardsY(bytes).decompress().is_some().then(|| refused(&name, bytes, "not_canonical"))
    });
    let mut two = [0; 32];
    two[0] = 2;
    let mut negative_zero = [0; 32];
    (negative_zero[0], negative_zero[31]) = (1, 0x80);
    let malformed = |name: &str, text: String| KeyVector {
        name: name.into(),
        public_key: text,
        code: "malformed".into(),
        why: "encoding".into(),
    };
    let good = public_key(&signing_key());
    let text = good.to_string();
    small
        .chain(mixed)
        .chain(above)
        .chain([
            refused("y = 1 with the sign of x set: x is zero and has none", negative_zero, "not_canonical"),
            refused("y = 2, of no point", two, "not_on_curve"),
            malformed("31 bytes", STANDARD.encode(&good.as_bytes()[..31])),
            malformed("33 bytes", STANDARD.encode([good.as_bytes(), &[0][..]].concat())),
            malformed("64 bytes", STANDARD.encode([good.as_bytes(), &good.as_bytes()[..]].concat())),
            malformed("empty", String::new()),
            malformed("no padding", text.trim_end_matches('=').into()),
            malformed("too much padding", text.replace('=', "==")),
            malformed("trailing bits", text.replace("o=", "p=")),
            malformed("the URL-safe alphabet", STANDARD.encode([0xFF; 32]).replace('/', "_")),
            malformed("hex", hex::encode(good.as_bytes())),
            malformed("white space before", format!(" {text}")),
            malformed("a line break after", format!("{text}\n")),
        ])
        .collect()
}

fn messages() -> Vec<MessageVector> {
    let refused = |name: &str, message: Parts, why: &str| MessageVector { name: name.into(), message, why: why.into() };
    // Three zero bytes are "AAAA".
    let longest = limits::MAX_MESSAGE_BYTES / 3;
    vec![
        refused("empty", "".into(), "empty"),
        refused("one byte too long", Parts::Pieces(vec![("AAAA".into(), longest), ("AAA=".into(), 1)]), "too_long"),
        refused("far too long", Parts::Pieces(vec![("AAAA".into(), 1 << 20)]), "too_long"),
        refused("the reserved prefix alone", STANDARD.encode(RESERVED_PREFIX).into(), "reserved_prefix"),
        refused(
            "the bytes of an introduction proof",
            STANDARD.encode(hex::decode(&proofs::make().proofs[0].signed).unwrap()).into(),
            "reserved_prefix",
        ),
        refused(
            "the prefix and a purpose of a later version",
            STANDARD.encode(b"\xFFcountersign/v9/x\x00").into(),
            "reserved_prefix",
        ),
        refused("no padding", "aGk".into(), "encoding"),
        refused("trailing bits", "aGl=".into(), "encoding"),
        refused("padding in the middle", "aGk=aGk=".into(), "encoding"),
        refused("the URL-safe alphabet", "_-8=".into(), "encoding"),
        refused("a line break", "aGk=\n".into(), "encoding"),
        refused("not base64", "Pay 25 EUR".into(), "encoding"),
    ]
}

fn frames() -> Vec<FrameVector> {
    [not_json(), not_of_the_form(), bad_values(), bad_numbers(), other_types()].into_iter().flatten().collect()
}

fn not_json() -> Vec<FrameVector> {
    let nested = |open: &str, close: &str| {
        Parts::Pieces(vec![
            (r#"{"type":"ping","t":"#.into(), 1),
            (open.into(), 8000),
            ("1".into(), 1),
            (close.into(), 8000),
            ("}".into(), 1),
        ])
    };
    vec![
        from_client("nothing", "", "malformed"),
        from_client("not JSON", "ping", "malformed"),
        from_client("cut short", r#"{"type":"ping","t":1"#, "malformed"),
        from_client("a comma too many", r#"{"type":"ping","t":1,}"#, "malformed"),
        from_client("single quotes", "{'type':'ping','t':1}", "malformed"),
        from_client("a comment", r#"{"type":"ping",/* now */"t":1}"#, "malformed"),
        from_client("a byte order mark", "\u{FEFF}{\"type\":\"ping\",\"t\":1}", "malformed"),
        from_client("text behind", r#"{"type":"ping","t":1} x"#, "malformed"),
        from_client("two frames in one", r#"{"type":"ping","t":1}{"type":"ping","t":2}"#, "malformed"),
        from_client("half a surrogate pair", r#"{"type":"\uD800","t":1}"#, "malformed"),
        from_client("a control character in a string", "{\"type\":\"pi\nng\",\"t\":1}", "malformed"),
        from_client("arrays 8,000 deep", nested("[", "]"), "malformed"),
        from_client("objects 8,000 deep", nested(r#"{"t":"#, "}"), "malformed"),
        from_client("arrays 60,000 deep that never close", Parts::Pieces(vec![("[".into(), 60_000)]), "malformed"),
        from_client(
            "one byte longer than any frame",
            Parts::Pieces(vec![(" ".into(), limits::MAX_FRAME_BYTES - 20), (r#"{"type":"ping","t":1}"#.into(), 1)]),
            "frame_too_large",
        ),
    ]
}

fn not_of_the_form() -> Vec<FrameVector> {
    vec![
        from_client("null", "null", "malformed"),
        from_client("an array", r#"["ping",1]"#, "malformed"),
        from_client("a string", r#""ping""#, "malformed"),
        from_client("no type", r#"{"t":1}"#, "malformed"),
        from_client("type is no string", r#"{"type":1,"t":1}"#, "malformed"),
        from_client("type is an object", r#"{"type":{"ping":null},"t":1}"#, "malformed"),
        from_client("type is null", r#"{"type":null,"t":1}"#, "malformed"),
        from_client("type twice", r#"{"type":"ping","type":"ping","t":1}"#, "malformed"),
        from_client("type twice, once escaped", r#"{"type":"ping","typ\u0065":"pong","t":1}"#, "malformed"),
        from_client("a field twice", r#"{"type":"ping","t":1,"t":1}"#, "malformed"),
        from_client("a field missing", r#"{"type":"ping"}"#, "malformed"),
        from_client("a field null that is required", r#"{"type":"ping","t":null}"#, "malformed"),
        from_client("a field of another case", r#"{"type":"ping","T":1}"#, "malformed"),
    ]
}

fn bad_values() -> Vec<FrameVector> {
    let key = public_key(&signing_key());
    let message = STANDARD.encode(MESSAGE);
    let signature = proofs::make().messages[0].signature.clone();
    let introduction = |fields: &str| format!(r#"{{"type":"introduction","public_key":"{key}",{fields}}}"#);
    let device = |id: &str, label: &str| introduction(&format!(r#""device":{{"id":"{id}","label":"{label}"}}"#));
    let status = |id: &str, state: &str| format!(r#"{{"type":"request_status","request_id":"{id}","state":{state}}}"#);
    let response = |message: &str, signature: &str, approved_by: &str| {
        let fields = format!(r#""message":"{message}","signature":"{signature}","approved_by":"{approved_by}""#);
        format!(r#"{{"type":"sign_response","request_id":"{REQUEST_ID}",{fields}}}"#)
    };
    let reject = |fields: &str| format!(r#"{{"type":"sign_reject","request_id":"{REQUEST_ID}",{fields}}}"#);
    let prefix = STANDARD.encode(RESERVED_PREFIX);
    let request = |message: &str, requester: &str| {
        let rest = format!(r#""expires_in_ms":1,"attempt":1,"requester":{requester}"#);
        format!(r#"{{"type":"sign_request","request_id":"{REQUEST_ID}","message":"{message}",{rest}}}"#)
    };
    let shop = r#"{"name":"Shop"}"#;
    let malformed = |name: &str, text: String| from_client(name, text, "malformed");
    let from_server = |name: &str, text: String| refused(name, Direction::ServerToClient, text, "malformed");
    vec![
        malformed(
            "public_key of 31 bytes",
            format!(r#"{{"type":"introduction","public_key":"{}"}}"#, STANDARD.encode([1; 31])),
        ),
        malformed("proof of 63 bytes", introduction(&format!(r#""proof":"{}""#, STANDARD.encode([1; 63])))),
        malformed("proof in the URL-safe alphabet", introduction(&format!(r#""proof":"{}==""#, "_".repeat(86)))),
        malformed("device without label", introduction(r#""device":{"id":"a"}"#)),
        malformed("device as an array", introduction(r#""device":["a","b"]"#)),
        malformed("device with a field twice", introduction(r#""device":{"id":"a","id":"a","label":"b"}"#)),
        malformed("device id empty", device("", "b")),
        malformed("device label of white space", device("a", r"\u3000")),
        malformed("device label of 65 bytes", device("a", &"x".repeat(65))),
        malformed("device label with a control character", device("a", r"b\u0007")),
        malformed("device label that changes direction", device("a", r"b\u202Ec")),
        malformed("request_id in upper case", status(&REQUEST_ID.to_uppercase(), r#""received""#)),
        malformed("request_id without hyphens", status(&REQUEST_ID.replace('-', ""), r#""received""#)),
        malformed("request_id in braces", status(&format!("{{{REQUEST_ID}}}"), r#""received""#)),
        malformed("request_id as a URN", status(&format!("urn:uuid:{REQUEST_ID}"), r#""received""#)),
        malformed("request_id cut short", status(&REQUEST_ID[1..], r#""received""#)),
        malformed("state of no version", status(REQUEST_ID, r#""seen""#)),
        malformed("state of another case", status(REQUEST_ID, r#""Received""#)),
        malformed("state as an object", status(REQUEST_ID, r#"{"received":null}"#)),
        malformed("message empty", response("", &signature, "human")),
        malformed("message with the reserved prefix", response(&prefix, &signature, "human")),
        malformed("message without padding", response(message.trim_end_matches('='), &signature, "human")),
        malformed("signature of 65 bytes", response(&message, &STANDARD.encode([1; 65]), "human")),
        malformed("approved_by of no version", response(&message, &signature, "robot")),
        malformed("approved_by without a policy's id", response(&message, &signature, "policy:")),
        malformed("rejection without scope", reject(r#""code":"locked""#)),
        malformed("rejection with a code of no version", reject(r#""code":"bored","scope":"key""#)),
        malformed(
            "rejection with a reason of 257 bytes",
            reject(&format!(r#""code":"locked","scope":"key","reason":"{}""#, "x".repeat(257))),
        ),
        from_server("request for a message with the reserved prefix", request(&prefix, shop)),
        from_server("request for an empty message", request("", shop)),
        from_server("request whose requester is a string", request(&message, r#""Shop""#)),
        from_server("request whose requester is an array", request(&message, r#"["Shop"]"#)),
        from_server("request whose requester has no name", request(&message, "{}")),
        from_server("error without code", r#"{"type":"error","message":"x"}"#.into()),
        from_server(
            "outcome of no version",
            format!(r#"{{"type":"response_ack","request_id":"{REQUEST_ID}","outcome":"maybe"}}"#),
        ),
        from_server(
            "challenge of 31 bytes",
            format!(r#"{{"type":"challenge","challenge":"{}"}}"#, STANDARD.encode([1; 31])),
        ),
    ]
}

fn bad_numbers() -> Vec<FrameVector> {
    let ping = |t: &str| format!(r#"{{"type":"ping","t":{t}}}"#);
    let request = |attempt: &str| {
        let rest = format!(r#""message":"aGk=","expires_in_ms":1,"attempt":{attempt},"requester":{{"name":"x"}}"#);
        format!(r#"{{"type":"sign_request","request_id":"{REQUEST_ID}",{rest}}}"#)
    };
    [
        ("-1", "negative"),
        ("1.0", "with a fraction"),
        ("1e3", "with an exponent"),
        ("\"1\"", "in a string"),
        ("true", "a truth value"),
    ]
    .into_iter()
    .chain([("18446744073709551616", "of more than 64 bits"), ("01", "with a leading zero"), ("NaN", "not one")])
    .map(|(t, how)| from_client(&format!("a number {how}"), ping(t), "malformed"))
    .chain([refused("an attempt of more than 32 bits", Direction::ServerToClient, request("4294967296"), "malformed")])
    .collect()
}

fn other_types() -> Vec<FrameVector> {
    let to_server = ["challenge", "welcome", "sign_request", "request_cancel", "response_ack", "error", "goodbye"];
    let to_client = ["introduction", "request_status", "sign_response", "sign_reject"];
    let bare = |kind: &str| format!(r#"{{"type":"{kind}"}}"#);
    let name = |kind: &str| format!("{kind} the wrong way");
    let unknown = ["", "Ping", "ping ", "sign", "sign_requests", "__proto__"];
    let to_server =
        to_server.map(|kind| refused(&name(kind), Direction::ClientToServer, bare(kind), "wrong_direction"));
    let to_client =
        to_client.map(|kind| refused(&name(kind), Direction::ServerToClient, bare(kind), "wrong_direction"));
    let unknown = unknown.map(|kind| from_client(&format!("unknown type \"{kind}\""), bare(kind), "unknown_type"));
    to_server.into_iter().chain(to_client).chain(unknown).collect()
}

fn from_client(name: &str, text: impl Into<Parts>, code: &str) -> FrameVector {
    refused(name, Direction::ClientToServer, text, code)
}

fn refused(name: &str, direction: Direction, text: impl Into<Parts>, code: &str) -> FrameVector {
    FrameVector { name: name.into(), direction, text: text.into(), code: code.into() }
}

fn refused_proofs() -> Vec<ProofVector> {
    let key = signing_key();
    let proof = |name: &str, challenge, audience: &str, origin: &str, bytes: [u8; 64]| ProofVector {
        name: name.into(),
        public_key: public_key(&key).to_string(),
        challenge: Challenge::from(challenge).to_string(),
        audience: audience.into(),
        origin: origin.into(),
        proof: STANDARD.encode(bytes),
        code: "proof_invalid".into(),
    };
    let good = *proofs::prove(&key, CHALLENGE, AUDIENCE, ORIGIN).as_bytes();
    let foreign = *proofs::prove(&SigningKey::from_bytes(&[7; 32]), CHALLENGE, AUDIENCE, ORIGIN).as_bytes();
    let as_message = *Signable::Message(&Message::try_from(&CHALLENGE[..]).unwrap()).sign(&key).as_bytes();
    let mut flipped = good;
    flipped[40] ^= 1;
    vec![
        proof("another challenge: a replay", [0xA5; 32], AUDIENCE, ORIGIN, good),
        proof("another audience: a relay", CHALLENGE, "wss://evil.example/ws", ORIGIN, good),
        proof("another port", CHALLENGE, "wss://sign.example.com:8443/ws", ORIGIN, good),
        proof("another path", CHALLENGE, "wss://sign.example.com/ws/", ORIGIN, good),
        proof("another origin: a page that poses as this one", CHALLENGE, AUDIENCE, "https://evil.example", good),
        proof("no origin", CHALLENGE, AUDIENCE, "", good),
        proof("the origin null", CHALLENGE, AUDIENCE, "null", good),
        proof("made by another key", CHALLENGE, AUDIENCE, ORIGIN, foreign),
        proof("over the challenge alone", CHALLENGE, AUDIENCE, ORIGIN, as_message),
        proof("one bit flipped", CHALLENGE, AUDIENCE, ORIGIN, flipped),
        proof("zeros", CHALLENGE, AUDIENCE, ORIGIN, [0; 64]),
    ]
}

/// The order of the base point, little-endian (RFC 8032 §5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn signatures() -> Vec<SignatureVector> {
    let key = signing_key();
    let signature = |name: &str, message: &[u8], signature: [u8; 64], passes_elsewhere| SignatureVector {
        name: name.into(),
        public_key: public_key(&key).to_string(),
        message: STANDARD.encode(message),
        signature: STANDARD.encode(signature),
        outcome: "bad_signature".into(),
        passes_elsewhere,
    };
    let good = key_signs(&key, MESSAGE);
    let flip = |bit: usize| {
        let mut bytes = good;
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let identity = EIGHT_TORSION[0].compress().0;
    let order_eight = EIGHT_TORSION[1].compress().0;
    let mut identity_again = [0xFF; 32];
    (identity_again[0], identity_again[31]) = (0xEE, 0x7F);
    let r = Scalar::from(42u8);
    let mixed = (EdwardsPoint::mul_base(&r) + EIGHT_TORSION[1]).compress().0;
    vec![
        signature("a bit of R flipped", MESSAGE, flip(3), false),
        signature("a bit of S flipped", MESSAGE, flip(256), false),
        signature("the top bit of S set", MESSAGE, flip(511), false),
        signature("S + L: the same signature written another way", MESSAGE, plus_l(good), false),
        signature("over another message", b"Pay 26 EUR to Alice", good, false),
        signature("over the message without its last byte", &MESSAGE[..MESSAGE.len() - 1], good, false),
        signature("by another key", MESSAGE, key_signs(&SigningKey::from_bytes(&[7; 32]), MESSAGE), false),
        signature("R is the neutral point, S made to fit", MESSAGE, fitting(&key, identity, Scalar::ZERO), true),
        signature(
            "R is of order eight, S made to fit but for the cofactor",
            MESSAGE,
            fitting(&key, order_eight, Scalar::ZERO),
            false,
        ),
        signature(
            "R is the neutral point, not canonically encoded",
            MESSAGE,
            fitting(&key, identity_again, Scalar::ZERO),
            false,
        ),
        signature("R is of mixed order, S made to fit but for the cofactor", MESSAGE, fitting(&key, mixed, r), false),
        signature("zeros", MESSAGE, [0; 64], false),
        signature("ones", MESSAGE, [0xFF; 64], false),
    ]
}

fn key_signs(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    *Signable::Message(&Message::try_from(message).unwrap()).sign(key).as_bytes()
}

/// `r + SHA-512(R ‖ A ‖ M)·a` as `S`, for an `R` that is not `r·B`.
fn fitting(key: &SigningKey, encoded_r: [u8; 32], r: Scalar) -> [u8; 64] {
    let hash = Sha512::new().chain_update(encoded_r).chain_update(key.verifying_key().as_bytes()).chain_update(MESSAGE);
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * key.to_scalar();
    [encoded_r, s.to_bytes()].concat().try_into().unwrap()
}

fn plus_l(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0;
    for (byte, l) in signature[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    signature
}
