//! What a signer outside this code gives: an answer to verify, not a signature to trust.

use super::{Phase, Step, Wallet};
use crate::prelude::*;
use crate::{
    effect::{SignTask, SignTaskId},
    error::Error,
    time::Timestamp,
};
use countersign_protocol::{PublicKey, Signature};

impl Wallet {
    /// What a signer outside gave for a [`SignTask`]. Unless it is a signature that verifies under the wallet's key, the task
    /// has failed; see [`Wallet::handle_sign_failed`]. One that nothing waits for any more is dropped unseen.
    pub fn handle_foreign_signature(&mut self, now: Timestamp, task: SignTaskId, signature: &[u8]) {
        self.expire(now);
        let Some(asked) = self.find_sign_task(task) else { return };
        match verified(&self.config.public_key, &asked, signature) {
            Ok(signature) => self.handle_signed(now, task, signature),
            Err(error) => self.handle_sign_failed(now, task, error),
        }
    }

    /// The task, while its answer is waited for.
    fn find_sign_task(&self, id: SignTaskId) -> Option<SignTask> {
        if let Phase::Connecting { step: Step::Proof(task), .. } = &self.phase
            && task.id == id
        {
            return Some(task.clone());
        }
        self.requests.find_signing(id)
    }
}

fn verified(key: &PublicKey, task: &SignTask, signature: &[u8]) -> Result<Signature, Error> {
    let bytes: [u8; 64] = signature.try_into().map_err(|_| {
        Error::InvalidSignature(format!("a signature is 64 bytes, the signer gave {}", signature.len()).into())
    })?;
    let signature = Signature::from(bytes);
    match task.signable().verify(key, &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(Error::InvalidSignature("the signer's signature does not verify under the wallet's key".into())),
    }
}
