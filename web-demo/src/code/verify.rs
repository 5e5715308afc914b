use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use std::error::Error;

pub fn check(public_key: &str, message: &[u8], signature: &str) -> Result<(), Box<dyn Error>> {
    let key = VerifyingKey::try_from(STANDARD.decode(public_key)?.as_slice())?;
    let signature = Signature::from_slice(&STANDARD.decode(signature)?)?;
    Ok(key.verify_strict(message, &signature)?)
}
