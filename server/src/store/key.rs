//! The server's own key: it signs receipts and webhook events, so that neither can be made up by somebody else.

use super::files::{PrivateFileError, private_directory, read_private, sync_directory};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::{
    Signer as _, SigningKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, spki::der::pem::LineEnding},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use thiserror::Error;
use zeroize::Zeroizing;

pub(super) const FILE: &str = "server.key";
/// More than any Ed25519 key takes as PEM, in bytes.
const MAX_FILE_BYTES: u16 = 4096;

/// Why a key of the server's cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read, or cannot be made.
    #[error("the key {} cannot be read or made", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read it, so that it may no longer be only the server's.
    #[error("the key {} may be read by others (mode {mode:03o}); it has to be 600", .path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not an Ed25519 key in PEM.
    #[error("the key {} is not an Ed25519 key in PKCS#8 PEM", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The server's Ed25519 key. Zeroized when dropped; `Debug` shows nothing of it.
pub struct ServerKey {
    key: SigningKey,
    key_id: Box<str>,
}

impl ServerKey {
    /// Reads the key in `<dir>/server.key` (PKCS#8 PEM, RFC 5958 and 7468), or makes it of `seed`, which has to be random.
    ///
    /// # Errors
    /// [`KeyFileError`] if it can neither be read nor made, is no such key, or may be read by anybody else.
    pub fn load_or_create(dir: &Path, seed: impl FnOnce() -> [u8; 32]) -> Result<Self, KeyFileError> {
        Self::in_file(&dir.join(FILE), seed)
    }

    /// Likewise, in a file of any name.
    ///
    /// # Errors
    /// As of [`ServerKey::load_or_create`].
    pub fn in_file(path: &Path, seed: impl FnOnce() -> [u8; 32]) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        match File::open(path) {
            Ok(file) => load(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(directory_of(path), path, &Zeroizing::new(seed())).map_err(failed)?;
                // Read back, so that a key made by somebody else at the same time is the one that is used.
                load(File::open(path).map_err(failed)?, path)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads the key in a file that has to be there.
    ///
    /// # Errors
    /// As of [`ServerKey::load_or_create`].
    pub(crate) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(|source| KeyFileError::Io { path: path.to_owned(), source })?;
        load(file, path)
    }

    /// One that is kept nowhere: it ends with the process.
    pub fn of_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self::new(SigningKey::from_bytes(seed))
    }

    /// The public key, as RFC 8032 §5.1.5 encodes it.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// The thumbprint of the public key (RFC 7638), in base64url.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key as a JWK Set (RFC 7517 §5, RFC 8037 §2), and as those who verify Standard Webhooks want it. Where webhooks have keys
    /// of their own, those come first; `others` come last, under which there are receipts too.
    pub fn jwk_set(&self, webhook_keys: &[[u8; 32]], others: &[[u8; 32]]) -> Value {
        let own = self.public_key();
        let mut keys: Vec<&[u8; 32]> = Vec::new();
        for key in webhook_keys.iter().chain([&own]).chain(others) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        json!({
            "keys": keys.into_iter().map(jwk).collect::<Vec<_>>(),
            "webhook_public_key": format!("whpk_{}", STANDARD.encode(webhook_keys.first().unwrap_or(&own))),
        })
    }

    /// Signs `bytes` (RFC 8032 §5.1.6).
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }

    fn new(key: SigningKey) -> Self {
        let key_id = thumbprint(&key.verifying_key().to_bytes()).into();
        Self { key, key_id }
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey").finish_non_exhaustive()
    }
}

fn jwk(public_key: &[u8; 32]) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(public_key),
        "alg": "EdDSA",
        "use": "sig",
        "kid": thumbprint(public_key),
    })
}

/// The directory that a file is in.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// RFC 7638 §3: the hash of the required members alone, in alphabetical order.
pub(crate) fn thumbprint(public_key: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

fn load(file: File, path: &Path) -> Result<ServerKey, KeyFileError> {
    let malformed = || KeyFileError::Malformed { path: path.to_owned() };
    let pem = read_private(file, MAX_FILE_BYTES).map_err(|error| match error {
        PrivateFileError::Io(source) => KeyFileError::Io { path: path.to_owned(), source },
        PrivateFileError::Readable(mode) => KeyFileError::Readable { path: path.to_owned(), mode },
        PrivateFileError::Long(_) => malformed(),
    })?;
    Ok(ServerKey::new(SigningKey::from_pkcs8_pem(&pem).map_err(|_| malformed())?))
}

/// Makes the file whole or not at all: an end in between leaves at most a temporary one, of a key that nobody has used.
fn create(dir: &Path, path: &Path, seed: &[u8; 32]) -> io::Result<()> {
    private_directory(dir)?;
    // Without the public key, which some readers of PKCS#8 do not expect.
    let pair = KeypairBytes { secret_key: *seed, public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    // Such a file is for this user alone from the start.
    let mut file = NamedTempFile::with_prefix_in(FILE, dir)?;
    file.write_all(pem.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_directory(dir),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signature, VerifyingKey};

    fn no_seed() -> [u8; 32] {
        panic!("a key that is there is not made again")
    }

    #[test]
    fn is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("data");
        let made = ServerKey::load_or_create(&dir, || [7; 32]).unwrap();
        let found = ServerKey::load_or_create(&dir, no_seed).unwrap();
        assert_eq!(made.public_key(), SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes());
        assert_eq!(made.public_key(), found.public_key());
        let names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE], "no temporary file is left");
    }

    #[test]
    fn a_key_that_was_made_meanwhile_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        create(dir.path(), &path, &[1; 32]).unwrap();
        create(dir.path(), &path, &[2; 32]).unwrap();
        let key = ServerKey::load_or_create(dir.path(), no_seed).unwrap();
        assert_eq!(key.public_key(), SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
    }

    #[test]
    fn reads_what_openssl_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        create(dir.path(), &path, &[0; 32]).unwrap();
        // The key of RFC 8410 §10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        std::fs::write(&path, pem).unwrap();
        let key = ServerKey::load_or_create(dir.path(), no_seed).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(key.public_key()), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE");
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_key_that_others_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        ServerKey::load_or_create(dir.path(), || [7; 32]).unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = ServerKey::load_or_create(dir.path(), no_seed).unwrap_err();
            assert!(matches!(&error, KeyFileError::Readable { mode: found, .. } if *found == mode), "{error}");
            assert!(error.to_string().contains(path.to_str().unwrap()));
        }
    }

    #[test]
    fn refuses_what_is_no_key_and_says_nothing_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        create(dir.path(), &path, &[7; 32]).unwrap();
        for text in [&b"s3cret"[..], b"", b"\xFF\xFE"] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:?}", ServerKey::load_or_create(dir.path(), no_seed).unwrap_err());
            assert!(error.contains(FILE) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn has_the_thumbprint_of_the_rfc() {
        // RFC 8037, appendix A.3.
        let public_key = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let thumbprint = thumbprint(&public_key.try_into().unwrap());
        assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn signs_as_its_jwk_says() {
        let key = ServerKey::new(SigningKey::from_bytes(&[7; 32]));
        let set = key.jwk_set(&[], &[]);
        let jwk = &set["keys"][0];
        assert_eq!((&jwk["kty"], &jwk["crv"], &jwk["kid"]), (&json!("OKP"), &json!("Ed25519"), &json!(key.key_id())));
        let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
        assert_eq!(set["webhook_public_key"], format!("whpk_{}", STANDARD.encode(&x)));
        let public_key = VerifyingKey::from_bytes(&x.try_into().unwrap()).unwrap();
        public_key.verify_strict(b"hello", &Signature::from_bytes(&key.sign(b"hello"))).unwrap();
    }

    #[test]
    fn keys_of_webhooks_come_first_and_each_is_there_once() {
        let key = |seed| ServerKey::new(SigningKey::from_bytes(&[seed; 32]));
        let (own, new, other) = (key(1), key(2), key(3));
        let set = own.jwk_set(&[new.public_key(), own.public_key()], &[other.public_key(), new.public_key()]);
        let ids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap()).collect();
        assert_eq!(ids, [new.key_id(), own.key_id(), other.key_id()]);
        assert_eq!(set["webhook_public_key"], format!("whpk_{}", STANDARD.encode(new.public_key())));
    }

    #[test]
    fn debug_shows_nothing() {
        let key = ServerKey::new(SigningKey::from_bytes(&[7; 32]));
        assert_eq!(format!("{key:?}"), "ServerKey { .. }");
    }
}
