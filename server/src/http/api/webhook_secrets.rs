//! The symmetric secrets of a webhook's target, as Standard Webhooks has them: `whsec_` and 24 to 64 bytes in base64.

use crate::store::{PrivateFileError, read_private};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
const MIN_BYTES: usize = 24;
const MAX_BYTES: usize = 64;
/// With two Ed25519 keys that makes five signatures, which is as many as receivers look through.
const MAX_SECRETS: usize = 3;
/// What these take at most, with a remark to each.
const MAX_FILE_BYTES: u16 = 4096;

/// The secrets that a target's receiver may know: whatever it is told is signed with each. Zeroized when dropped; `Debug` shows how many.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WebhookSecrets(Arc<[Zeroizing<Vec<u8>>]>);

/// Why a file has no secrets to sign webhooks with. Nothing of what is in it is said.
#[derive(Debug, Error)]
#[error("{}: {kind}", .path.display())]
pub struct WebhookSecretsError {
    path: PathBuf,
    #[source]
    kind: Kind,
}

#[derive(Debug, Error)]
enum Kind {
    #[error("{0}")]
    File(PrivateFileError),
    #[error("it cannot be read: {0}")]
    Open(io::Error),
    #[error("line {0} is not {PREFIX} and base64 with padding")]
    Malformed(usize),
    #[error("line {0}: a secret has {MIN_BYTES} to {MAX_BYTES} bytes, and this one {1}")]
    Length(usize, usize),
    #[error("line {0} is there twice")]
    Twice(usize),
    #[error("it has {0} secrets; 1 to {MAX_SECRETS} are taken")]
    Count(usize),
}

impl WebhookSecrets {
    /// Reads a file of secrets, a line each. Empty lines, and those that begin with `#`, are passed over.
    ///
    /// # Errors
    /// [`WebhookSecretsError`], which names the file and the line, if it cannot be read, may be read by others, or has something else in it.
    pub fn from_file(path: &Path) -> Result<Self, WebhookSecretsError> {
        let read = || {
            let file = File::open(path).map_err(Kind::Open)?;
            let text = read_private(file, MAX_FILE_BYTES).map_err(|error| match error {
                PrivateFileError::Io(source) => Kind::Open(source),
                PrivateFileError::Readable(_) | PrivateFileError::Long(_) => Kind::File(error),
            })?;
            parse(&text)
        };
        read().map_err(|kind| WebhookSecretsError { path: path.to_owned(), kind })
    }

    /// The signatures over this, one with each secret: HMAC with SHA-256.
    pub(in crate::http) fn sign(&self, signed: &[u8]) -> impl Iterator<Item = hmac::Tag> {
        self.0.iter().map(move |secret| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed))
    }
}

fn parse(text: &str) -> Result<WebhookSecrets, Kind> {
    let mut secrets = Vec::<Zeroizing<Vec<u8>>>::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let secret = line.strip_prefix(PREFIX).and_then(|secret| STANDARD.decode(secret).ok());
        let secret = Zeroizing::new(secret.ok_or(Kind::Malformed(number))?);
        if !(MIN_BYTES..=MAX_BYTES).contains(&secret.len()) {
            return Err(Kind::Length(number, secret.len()));
        }
        if secrets.contains(&secret) {
            return Err(Kind::Twice(number));
        }
        secrets.push(secret);
    }
    match secrets.len() {
        1..=MAX_SECRETS => Ok(WebhookSecrets(secrets.into())),
        count => Err(Kind::Count(count)),
    }
}

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookSecrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(byte: u8, length: usize) -> String {
        format!("{PREFIX}{}\n", STANDARD.encode(vec![byte; length]))
    }

    #[test]
    fn signs_as_the_reference_does() {
        // The example of Standard Webhooks' own libraries.
        let secrets = parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let signatures: Vec<_> = secrets.sign(signed).map(|signature| STANDARD.encode(signature)).collect();
        assert_eq!(signatures, ["g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="]);
    }

    #[test]
    fn each_secret_signs() {
        let secrets = parse(&format!("# new\n{}\n  # old\n  {}", line(1, 24), line(2, 64))).unwrap();
        let signatures: Vec<_> = secrets.sign(b"hello").collect();
        assert!(signatures.len() == 2 && signatures[0].as_ref() != signatures[1].as_ref());
        assert_eq!(format!("{secrets:?}"), "WebhookSecrets(2)");
    }

    #[test]
    fn what_is_no_secret_is_named_by_its_line_alone() {
        for (text, expected) in [
            (String::new(), "it has 0 secrets; 1 to 3 are taken"),
            ("# nothing\n".into(), "it has 0 secrets; 1 to 3 are taken"),
            ((0..4).map(|byte| line(byte, 32)).collect(), "it has 4 secrets; 1 to 3 are taken"),
            (format!("\n{}{}", line(1, 32), line(1, 32)), "line 3 is there twice"),
            (line(1, 23), "line 1: a secret has 24 to 64 bytes, and this one 23"),
            (line(1, 65), "line 1: a secret has 24 to 64 bytes, and this one 65"),
            ("s3cret".into(), "line 1 is not whsec_ and base64 with padding"),
            ("whsec_s3cret!".into(), "line 1 is not whsec_ and base64 with padding"),
            (line(1, 32).replace('=', ""), "line 1 is not whsec_ and base64 with padding"),
            (line(1, 32).to_uppercase(), "line 1 is not whsec_ and base64 with padding"),
        ] {
            assert_eq!(parse(&text).unwrap_err().to_string(), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), line(1, 32)).unwrap();
        assert!(WebhookSecrets::from_file(file.path()).is_ok());
        for mode in [0o640, 0o604] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).unwrap();
            let error = WebhookSecrets::from_file(file.path()).unwrap_err().to_string();
            assert!(error.contains("600") && error.contains(file.path().to_str().unwrap()), "{error}");
        }
        std::fs::set_permissions(file.path(), PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(file.path(), "#".repeat(4097)).unwrap();
        assert!(WebhookSecrets::from_file(file.path()).unwrap_err().to_string().contains("more than 4096 bytes"));
        assert!(
            WebhookSecrets::from_file(Path::new("/nonexistent")).unwrap_err().to_string().starts_with("/nonexistent: ")
        );
    }
}
