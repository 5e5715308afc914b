//! Wallets on WebSockets: they introduce themselves, then answer what they are asked.

use super::{
    Dialect, Heard,
    websocket::{Frame, Socket, parse},
};
use crate::{Fallible, fixture::Wallet};
use bytes::Buf;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

/// Wallets that connect at the same time: enough to keep both sides busy, too few to overflow a backlog.
const CONNECTING: usize = 64;

/// The longest a wallet may take to be introduced.
const PATIENCE: Duration = Duration::from_secs(20);

/// A wallet that is introduced.
pub(crate) struct Connected {
    socket: Socket,
    dialect: Dialect,
    wallet: Arc<Wallet>,
    reply: String,
}

/// Introduces wallets, and has them answer until the set is dropped.
pub(crate) async fn serve(wallets: &[Arc<Wallet>], address: SocketAddr, dialect: &Dialect) -> Fallible<JoinSet<()>> {
    let connected: Vec<_> = stream::iter(wallets)
        .map(|wallet| Connected::introduce(Arc::clone(wallet), address, dialect.clone()))
        .buffer_unordered(CONNECTING)
        .try_collect()
        .await?;
    let mut serving = JoinSet::new();
    for wallet in connected {
        serving.spawn(wallet.serve());
    }
    Ok(serving)
}

/// Introduces wallets one after the other, many at a time, each hanging up as soon as it is welcome.
pub(crate) async fn visit(wallets: &[Arc<Wallet>], address: SocketAddr, dialect: &Dialect) -> Fallible<()> {
    stream::iter(wallets)
        .map(|wallet| Connected::introduce(Arc::clone(wallet), address, dialect.clone()))
        .buffer_unordered(CONNECTING)
        .try_for_each(async |_| Ok(()))
        .await
}

impl Connected {
    async fn introduce(wallet: Arc<Wallet>, address: SocketAddr, dialect: Dialect) -> Fallible<Self> {
        let dialled = async {
            let mut socket = Socket::dial(address, dialect.endpoint()).await?;
            if let Some(opening) = dialect.opening(&wallet) {
                socket.outbox.text(&opening);
                socket.outbox.ping();
            }
            let mut connected = Self { socket, dialect, wallet, reply: String::new() };
            while !connected.take()? {
                connected.socket.turn().await?;
            }
            Ok(connected)
        };
        timeout(PATIENCE, dialled).await.map_err(|_| "a wallet was not introduced in time")?
    }

    /// Answers until the connection ends. Its end shows in the requests that then fail.
    async fn serve(mut self) {
        let ended: Fallible<()> = async {
            loop {
                self.take()?;
                self.socket.turn().await?;
            }
        }
        .await;
        if let Err(error) = ended {
            eprintln!("wallet: {error}");
        }
    }

    /// Takes every frame that is there; whether the wallet is known to be introduced now.
    fn take(&mut self) -> Fallible<bool> {
        let Socket { inbox, outbox, .. } = &mut self.socket;
        let mut introduced = false;
        while let Some((frame, length)) = parse(inbox)? {
            match frame {
                Frame::Text(text) => {
                    self.reply.clear();
                    let heard = self.dialect.hear(&self.wallet, text, &mut self.reply)?;
                    if !self.reply.is_empty() {
                        outbox.text(&self.reply);
                    }
                    match heard {
                        Heard::Welcome => introduced = true,
                        // The pong to this cannot overtake the introduction.
                        Heard::Introduced => outbox.ping(),
                        Heard::Handled => {}
                    }
                }
                Frame::Ping(payload) => outbox.pong(payload),
                Frame::Pong => introduced = true,
            }
            inbox.advance(length);
        }
        Ok(introduced)
    }
}
