//! Whether what is due gets done: for a watchdog.

use super::SigningService;
use std::time::Duration;

impl SigningService {
    /// By how much the deadline of an open request has been missed; zero where all is in time. While the state's lock is never given
    /// back this does not return either, which says the same.
    pub(crate) fn behind_by(&self) -> Duration {
        let deadline = self.state().dispatcher.poll_timeout();
        deadline.map_or(Duration::ZERO, |deadline| self.now().since(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Config,
        http::{HttpConfig, Notifier, serve},
        session::Introduced,
    };
    use countersign_protocol::{ConnectionId, Message, PublicKey};
    use ed25519_dalek::SigningKey;
    use std::{future::pending, os::unix::net::UnixDatagram, pin::pin, sync::Arc, time::Instant};
    use tokio::{
        net::TcpListener,
        time::{advance, timeout},
    };

    const WATCHDOG: Duration = Duration::from_millis(60);

    /// Without the runtime, whose clock may stand still as well.
    fn hears_the_watchdog(manager: &UnixDatagram) -> bool {
        let begun = Instant::now();
        manager.set_read_timeout(Some(WATCHDOG)).unwrap();
        while begun.elapsed() < WATCHDOG * 10 {
            let mut message = [0; 256];
            if manager.recv(&mut message).is_ok_and(|length| message[..length].starts_with(b"WATCHDOG=1")) {
                return true;
            }
        }
        false
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_watchdog_is_not_told_that_all_is_well_while_the_dispatcher_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let service = SigningService::new(Config::new(Vec::new()));
        let notifier = Notifier::connect(&folder.path().join("notify"), Some(WATCHDOG)).unwrap();
        let http = HttpConfig { notifier, ..HttpConfig::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = tokio::spawn(serve(listener, service.clone(), http, pending()));
        assert!(hears_the_watchdog(&manager));
        let state = service.state();
        // What was said before.
        let _ = (0..64).take_while(|_| manager.recv(&mut [0; 256]).is_ok()).count();
        assert!(!hears_the_watchdog(&manager), "nothing can be asked or answered");
        drop(state);
        assert!(hears_the_watchdog(&manager));
        serving.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_nobody_attends_to_is_noticed() {
        let service = SigningService::new(Config::new(Vec::new()));
        let key = PublicKey::admit(SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes().into()).unwrap();
        let (guard, _inbox) = service.connect(ConnectionId::from_random_bytes([1; 16]), None).unwrap();
        let introduced = Introduced { key: Arc::new(key.clone()), device: None, proven: true };
        service.introduce(guard.id, &introduced, Duration::from_secs(20)).unwrap();
        let message = Message::try_from(b"hello".to_vec()).unwrap();
        let mut waiting = pin!(service.request(key.to_bytes(), message).timeout(Duration::from_secs(5)).send());
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err(), "it is asked once and left alone");
        assert_eq!(service.behind_by(), Duration::ZERO);
        advance(Duration::from_secs(20)).await;
        assert_eq!(service.behind_by(), Duration::from_secs(15));
    }
}
