//! The reference server inside the test's process.

use crate::{
    Backend, TestWallet, eventually,
    postgres::{fresh_database, nodes},
    within,
};
use countersign_server::{
    SigningService,
    http::{AdminAddress, HttpConfig, LogFilter, Reloaded, Reloader, Settings, SettingsError, serve_reloading},
    store::OpenError,
};
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// What a server is made of, for making another of the same.
#[derive(Debug, Default)]
struct Setup {
    settings: Settings,
    webhook_retries: Option<Vec<Duration>>,
    /// Removed with the last server that has it.
    data_dir: Option<TempDir>,
    database: Option<String>,
}

/// A server on a port that the system chose.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where administrators connect, if they may.
    pub admin: Option<AdminAddress>,
    /// Its service, for looking inside.
    pub service: SigningService,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    setup: Setup,
    /// Where it has its settings from.
    source: Arc<Mutex<Settings>>,
    log: Arc<Mutex<Vec<LogFilter>>>,
    reloader: Reloader,
}

impl TestServer {
    /// Starts with the default settings.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with some settings changed.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut setup = Setup::default();
        change(&mut setup.settings);
        Self::set_up(setup).await
    }

    /// Starts with a data directory of its own, and some settings changed.
    pub async fn durable(change: impl FnOnce(&mut Settings)) -> Self {
        Self::telling(None, change).await
    }

    /// As [`TestServer::durable`], trying webhooks again after these times rather than the usual ones.
    pub async fn telling(
        webhook_retries: impl Into<Option<Vec<Duration>>>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        // The same tests hold for both stores.
        let database = fresh_database().await;
        match &database {
            Some(url) => settings.database_url = Some(url.parse().unwrap()),
            None => settings.data_dir = Some(data_dir.path().into()),
        }
        change(&mut settings);
        Self::set_up(Setup { settings, webhook_retries: webhook_retries.into(), data_dir: Some(data_dir), database })
            .await
    }

    async fn set_up(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (service, mut http) = assemble(&setup.settings, address).await;
        if let Some(retries) = &setup.webhook_retries {
            http.webhook_retries.clone_from(retries);
        }
        let admin = http.admin.as_ref().map(|admin| admin.socket.address().clone());
        let (stop, stopped) = oneshot::channel();
        let source = Arc::new(Mutex::new(setup.settings.clone()));
        let log = Arc::<Mutex<Vec<LogFilter>>>::default();
        let (read, noted) = (Arc::clone(&source), Arc::clone(&log));
        let reloader = Reloader::new(
            (setup.settings.clone(), Vec::new()),
            address,
            http.notifier.clone(),
            move || Ok(read.lock().unwrap().clone()),
            move |filter| noted.lock().unwrap().push(filter.clone()),
        );
        let (of_server, serving) = (reloader.clone(), service.clone());
        let task = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve_reloading(listener, serving, http, Some(&of_server), stopped).await;
        });
        Self { address, admin, service, stop, task, setup, source, log, reloader }
    }

    /// Stops it in good order and starts another with the same settings and data directory, on another port.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// As [`TestServer::restart`], with some settings changed.
    pub async fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self { service, stop, task, mut setup, .. } = self;
        change(&mut setup.settings);
        let before = match &setup.database {
            Some(database) => nodes(database).await,
            None => 0,
        };
        drop(service);
        stop.send(()).unwrap();
        within("the server's end", task).await.unwrap();
        // As a process would have ended: what it had open is free.
        if let Some(database) = &setup.database {
            within("the node's end", async { while nodes(database).await >= before {} }).await;
        }
        Self::set_up(setup).await
    }

    /// Changes where its settings are read from, and tells nobody.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.source.lock().unwrap());
    }

    /// Changes the settings and has the server take them anew.
    ///
    /// # Errors
    /// Everything for which it does not.
    pub async fn reload(&self, change: impl FnOnce(&mut Settings)) -> Result<Reloaded, Vec<SettingsError>> {
        self.set(change);
        within("a reload", self.reloader.reload()).await
    }

    /// What the log went by since the start, one for each reload.
    pub fn log_filters(&self) -> Vec<LogFilter> {
        self.log.lock().unwrap().clone()
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.setup.data_dir.as_ref().unwrap().path()
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

    /// An administrator without a token, who connects by TCP.
    pub async fn administrator(&self) -> Backend {
        match &self.admin {
            Some(AdminAddress::Tcp(address)) => Backend::connect(*address).await,
            other => panic!("no TCP for administrators: {other:?}"),
        }
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

/// An earlier server lets go of its directory when the last of its tasks has ended, which may be a moment after the server.
async fn assemble(settings: &Settings, address: SocketAddr) -> (SigningService, HttpConfig) {
    within("the data directory", async {
        loop {
            match settings.assemble(address) {
                Err(SettingsError::Store(OpenError::InUse { .. })) => {
                    tokio::time::sleep(Duration::from_millis(1)).await
                }
                assembled => return assembled.unwrap(),
            }
        }
    })
    .await
}
