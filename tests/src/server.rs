//! The reference server inside the test's process.

use crate::{Backend, TestWallet, eventually, within};
use countersign_server::{
    SigningService,
    http::{Settings, serve},
};
use std::net::SocketAddr;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A server on a port that the system chose.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its service, for looking inside.
    pub service: SigningService,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl TestServer {
    /// Starts with the default settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with some settings changed.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = SigningService::new(settings.service(address).unwrap());
        let http = settings.http(address).unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, service.clone(), http, async {
            let _ = stopped.await;
        });
        Self { address, service, stop, task: tokio::spawn(serving) }
    }

    /// The address wallets dial.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// An introduced wallet.
    pub async fn wallet(&self, seed: u8) -> TestWallet {
        TestWallet::introduced(&self.url(), seed).await
    }

    /// A backend without a token.
    pub async fn backend(&self) -> Backend {
        Backend::connect(self.address).await
    }

    /// Tells the server to stop, and does not wait.
    pub fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }

    /// Waits until nothing is pending, which has to be so at the end of every test, lets go of who is still connected, and
    /// stops the server.
    pub async fn finish<T>(self, connected: T) {
        let service = self.service.clone();
        eventually("no pending request", || service.pending() == 0).await;
        drop(connected);
        within("the server's end", self.stop()).await.unwrap();
        assert_eq!((service.pending(), service.connections()), (0, 0));
    }
}
