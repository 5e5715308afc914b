use countersign_server::{SigningError, SigningService, protocol::PublicKey};

pub async fn agree(service: &SigningService, key: &PublicKey) -> Result<String, SigningError> {
    let signed = service.send_to_sign(key, b"I agree to the terms of 1 May").await?;
    Ok(signed.signature.to_string())
}
