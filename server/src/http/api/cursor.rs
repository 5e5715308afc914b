//! Where a page of a list begins, as clients carry it from one to the next.

use super::problem::Problem;
use crate::requester::RequesterId;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_protocol::RequestId;
use sha2::{Digest as _, Sha256};

/// Of what a cursor may become, and whose it is.
const DOMAIN: &[u8] = b"countersign list v1\0";
const CHECK_BYTES: usize = 8;

/// The cursor behind this request, for its requester.
pub(super) fn cursor(requester: &RequesterId, last: RequestId) -> String {
    let id = last.to_bytes();
    URL_SAFE_NO_PAD.encode([&id[..], &check(requester, &id)[..]].concat())
}

/// Reads one. What it guards against is a slip: whoever makes one up sees their own requests.
pub(super) fn request_id(requester: &RequesterId, cursor: &str) -> Result<RequestId, Problem> {
    let read = || {
        let bytes: [u8; 16 + CHECK_BYTES] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
        let (id, given) = bytes.split_first_chunk::<16>()?;
        (given == check(requester, id)).then(|| RequestId::from_bytes(*id))
    };
    read().ok_or_else(|| Problem::malformed("cursor: none that a list of your requests has given"))
}

fn check(requester: &RequesterId, id: &[u8; 16]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new().chain_update(DOMAIN).chain_update(id).chain_update(requester.as_str()).finalize();
    let mut check = [0; CHECK_BYTES];
    check.iter_mut().zip(digest).for_each(|(check, byte)| *check = byte);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_of_one_requester_and_whole() {
        let (bank, shop) = ("Bank".parse().unwrap(), "Shop".parse().unwrap());
        let id = RequestId::from_bytes([7; 16]);
        let cursor = cursor(&bank, id);
        assert_eq!(request_id(&bank, &cursor).unwrap(), id);
        assert!(request_id(&shop, &cursor).is_err());
        for broken in ["", "x", &cursor[1..], &format!("{cursor}A"), &cursor.replacen('B', "C", 1)] {
            assert!(request_id(&bank, broken).is_err(), "{broken}");
        }
    }
}
