//! Answers that are verified at the same time, and share the last step of it.
//!
//! Where many wallets answer at once, each answer is verified but for its last step and gives way to the next one; the first that is taken up again
//! takes that step for all. Nobody waits for another: what has given way goes on as soon as it is its turn, in whatever company. And each has a
//! verdict of its own.

use countersign_protocol::{ApprovedBy, Message, RequestId, Signature, SignatureMismatch, Verification};
use smallvec::{SmallVec, smallvec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most that share a step: with more, each would gain hardly anything.
const MOST: usize = 64;

/// Those under way.
#[derive(Debug, Default)]
pub(super) struct Verifications(Mutex<Arc<Round>>);

/// Some that share a step.
#[derive(Debug, Default)]
struct Round(Mutex<State>);

#[derive(Debug)]
enum State {
    /// Others may join.
    Gathering(SmallVec<[Verification; 1]>),
    /// In the order in which they joined.
    Concluded(SmallVec<[Result<(), SignatureMismatch>; 1]>),
}

impl Default for State {
    fn default() -> Self {
        Self::Gathering(SmallVec::new())
    }
}

impl Verifications {
    pub(super) fn join(&self, verification: Verification) -> Joined {
        let mut round = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = round.join(&verification).unwrap_or_else(|| {
            *round = Arc::new(Round(Mutex::new(State::Gathering(smallvec![verification]))));
            0
        });
        Joined { round: Arc::clone(&round), place }
    }
}

impl Round {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place among the others, if it is not too late.
    fn join(&self, verification: &Verification) -> Option<usize> {
        match &mut *self.state() {
            State::Gathering(all) if all.len() < MOST => {
                all.push(verification.clone());
                Some(all.len() - 1)
            }
            State::Gathering(_) | State::Concluded(_) => None,
        }
    }
}

/// A place among those that share a step.
#[derive(Debug)]
pub(super) struct Joined {
    round: Arc<Round>,
    place: usize,
}

impl Joined {
    /// The verdict, after taking the step if nobody has.
    pub(super) fn conclude(self) -> Result<(), SignatureMismatch> {
        let mut state = self.round.state();
        if let State::Gathering(all) = &*state {
            let verdicts = match all.as_slice() {
                // Whoever is alone shares nothing, and needs no lists for it.
                [alone] => smallvec![alone.clone().conclude()],
                all => Verification::conclude_all(all).into(),
            };
            *state = State::Concluded(verdicts);
        }
        match &*state {
            State::Concluded(verdicts) => verdicts.get(self.place).copied().unwrap_or(Err(SignatureMismatch)),
            State::Gathering(_) => Err(SignatureMismatch),
        }
    }
}

/// An answer whose verdict is still to come.
#[derive(Debug)]
pub struct Judgement {
    pub(super) request_id: RequestId,
    pub(super) message: Arc<Message>,
    pub(super) signature: Signature,
    pub(super) approved_by: Option<ApprovedBy>,
    pub(super) verification: Joined,
}

impl Judgement {
    /// What it answers.
    pub(crate) fn request_id(&self) -> RequestId {
        self.request_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::{Message, PublicKey, Signable};
    use ed25519_dalek::SigningKey;

    #[test]
    fn each_has_a_verdict_of_its_own_in_whatever_company() {
        let verifications = Verifications::default();
        let key = SigningKey::from_bytes(&[1; 32]);
        let message = |n: usize| Message::try_from(vec![1 + u8::try_from(n).unwrap()]).unwrap();
        // More than share a step; every third signature is of another message.
        let holds = |n: usize| !n.is_multiple_of(3);
        let joined: Vec<_> = (0..2 * MOST + 1)
            .map(|n| {
                let signature = Signable::Message(&message(if holds(n) { n } else { n + 1 })).sign(&key);
                let bytes = Signable::Message(&message(n)).to_bytes().into_owned();
                verifications.join(Verification::begin(&bytes, &PublicKey::of(&key), &signature).unwrap())
            })
            .collect();
        let rounds: std::collections::BTreeSet<_> = joined.iter().map(|joined| Arc::as_ptr(&joined.round)).collect();
        assert_eq!(rounds.len(), 3);
        // In another order than they came.
        for (n, joined) in joined.into_iter().enumerate().rev() {
            assert_eq!(joined.conclude().is_ok(), holds(n), "{n}");
        }
    }

    #[test]
    fn who_comes_after_the_step_is_in_the_next_round() {
        let verifications = Verifications::default();
        let key = SigningKey::from_bytes(&[1; 32]);
        let verification = || {
            let signature = Signable::Message(&Message::try_from(vec![1]).unwrap()).sign(&key);
            Verification::begin(&[1], &PublicKey::of(&key), &signature).unwrap()
        };
        let (first, second) = (verifications.join(verification()), verifications.join(verification()));
        assert_eq!(first.conclude(), Ok(()));
        let third = verifications.join(verification());
        assert!(!Arc::ptr_eq(&second.round, &third.round));
        assert_eq!((second.conclude(), third.conclude()), (Ok(()), Ok(())));
    }
}
