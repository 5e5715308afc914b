//! What the log has entries of. `docs/operating/audit.md` says what each field means.

use super::chain::Hash;
use countersign_protocol::{BatchId, DeviceId, DeviceLabel, PublicKeyBytes, RequestId, RequesterName};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A bearer token as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenMark {
    /// Whose requests are asked with it.
    pub requester_id: String,
    /// What wallets show.
    pub requester: String,
    /// The first 8 hex digits of the token's SHA-256: enough to tell tokens apart.
    pub token: String,
}

/// Something that an administrator did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AdminAction<'a> {
    /// What, as a short stable word.
    pub action: &'a str,
    /// Who did it: the name of their token.
    pub by: &'a str,
    /// Where from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The request it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The key it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKeyBytes>,
    /// Anything else it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// What came of it: `done`, or the code of the error.
    pub outcome: &'a str,
    /// To how many requests or connections it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// A request, in the entries about it.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    pub(super) request_id: RequestId,
    pub(super) public_key: PublicKeyBytes,
    pub(super) requester_id: &'a str,
}

/// The wallet that decided.
#[derive(Debug, Default, Serialize)]
pub(super) struct Wallet<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device_id: Option<&'a DeviceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<&'a DeviceLabel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<IpAddr>,
}

/// An entry without what the chain adds.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Entry<'a> {
    /// A file begins.
    File {
        format: u32,
        log: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<&'a str>,
        tokens: &'a [TokenMark],
    },
    Start {
        version: &'a str,
        on_full: &'a str,
        key_id: &'a str,
        tokens: &'a [TokenMark],
    },
    Serving {
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    Stop,
    TokenAdded(&'a TokenMark),
    TokenRemoved(&'a TokenMark),
    Reloaded {
        changed: &'a [&'a str],
        tokens: &'a [TokenMark],
    },
    Admin(AdminAction<'a>),
    Asked {
        #[serde(flatten)]
        request: Request<'a>,
        requester: &'a RequesterName,
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
        message_sha256: String,
        message_bytes: usize,
        durable: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        batch_id: Option<BatchId>,
    },
    Refused {
        public_key: PublicKeyBytes,
        #[serde(skip_serializing_if = "Option::is_none")]
        requester_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
        outcome: &'a str,
    },
    Ended {
        #[serde(flatten)]
        request: Request<'a>,
        outcome: &'a str,
        by: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reject_code: Option<&'a str>,
        #[serde(flatten)]
        wallet: Wallet<'a>,
        ms: u64,
    },
    TakenOver {
        #[serde(flatten)]
        request: Request<'a>,
    },
    /// Entries are missing here.
    Gap {
        lost: u64,
    },
    /// What stands between the entry before and this is no entry: a write that a crash cut off.
    Torn {
        bytes: u64,
        sha256: String,
    },
    /// The entry before, under the server's signature.
    Head {
        jws: &'a str,
    },
}

impl Entry<'_> {
    /// Its members as JSON, without the braces.
    pub(super) fn body(&self) -> Option<String> {
        let json = serde_json::to_string(self).ok()?;
        Some(json.strip_prefix('{')?.strip_suffix('}')?.to_owned())
    }
}

/// The digest of a message, in hex.
pub(super) fn digest(message: &[u8]) -> String {
    Hash::of(message).to_string()
}
