//! What may stand in a database that somebody else has had in hand.

use countersign_server::{Config, RequesterId, SigningService, store::StoreConfig};
use rusqlite::{Connection, types::Value};
use std::{fs, path::Path, sync::OnceLock};

const COLUMNS: [&str; 27] = [
    "id",
    "public_key",
    "requester_id",
    "requester",
    "purpose",
    "batch_id",
    "batch_index",
    "batch_size",
    "webhook",
    "deliver_by",
    "expires_at",
    "attempt",
    "queued_at",
    "delivered_at",
    "received_at",
    "displayed_at",
    "ended_at",
    "end_kind",
    "end_phase",
    "signature",
    "approved_by",
    "device_id",
    "device_label",
    "reject_code",
    "reason",
    "message",
    "idempotency_key",
];

/// Which column, what kind of value, the value.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let values: [&[u8]; 6] = [b"", b"signed", b"\x00\x00\x01\x8b\xcf\xe5\x68\x00", &[7; 16], &[7; 32], &[7; 64]];
    let mut seeds = Vec::new();
    for column in 0..u8::try_from(COLUMNS.len()).unwrap() + 1 {
        for kind in 0..4 {
            seeds.extend(values.iter().map(|value| [&[column, kind][..], value].concat()));
        }
    }
    seeds
}

/// A store opens, or says why it does not.
pub(super) fn rows(input: &[u8]) {
    let [column, kind, value @ ..] = input else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    fs::write(&path, template()).unwrap();
    match COLUMNS.get(usize::from(*column)) {
        Some(column) => {
            let value = match kind % 4 {
                0 => Value::Null,
                1 => Value::Integer(value.iter().fold(0_i64, |sum, byte| sum.wrapping_shl(8) | i64::from(*byte))),
                2 => Value::Text(String::from_utf8_lossy(value).into_owned()),
                _ => Value::Blob(value.to_vec()),
            };
            // What the tables themselves refuse is no row.
            let _ = Connection::open(&path).unwrap().execute(&format!("UPDATE requests SET {column} = ?1"), [value]);
        }
        None => spoil(&path, *kind, value),
    }
    let config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let Ok(service) = SigningService::open(config, StoreConfig::new(folder.path())) else { return };
        let requester: RequesterId = "this application".parse().unwrap();
        let id = "01010101-0101-4101-8101-010101010101".parse().unwrap();
        let _ = service.record(&requester, id).await;
    });
}

/// Other bytes somewhere in the file.
fn spoil(path: &Path, at: u8, bytes: &[u8]) {
    let mut file = fs::read(path).unwrap();
    let from = (usize::from(at) * 331) % file.len();
    for (place, byte) in file[from..].iter_mut().zip(bytes) {
        *place = *byte;
    }
    fs::write(path, file).unwrap();
}

/// A database with a request that is open and one that has ended.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
        drop(SigningService::open(config, StoreConfig::new(folder.path())).unwrap());
        let path = folder.path().join("countersign.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "INSERT INTO requests (id, public_key, requester_id, webhook, idempotency_key, deliver_by, expires_at, attempt, queued_at, message) \
                 VALUES (x'01010101010141018101010101010101', x'8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c', \
                 'this application', 'https://example.com/', 'order-1042', 2000000000000, 2000000000000, 1, 1700000000000, x'6869'); \
                 INSERT INTO requests (id, public_key, requester_id, webhook, deliver_by, expires_at, attempt, queued_at, ended_at, end_kind, message) \
                 VALUES (x'02020202020242028202020202020202', x'8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c', \
                 'this application', 'https://example.com/', 2000000000000, 2000000000000, 1, 1700000000000, 1700000001000, 'cancelled', x'6869'); \
                 INSERT INTO events (request, attempts, next_at, target) SELECT seq, 0, ended_at, webhook FROM requests WHERE ended_at > 0; \
                 PRAGMA wal_checkpoint(TRUNCATE)",
            )
            .unwrap();
        drop(connection);
        fs::read(path).unwrap()
    })
}
