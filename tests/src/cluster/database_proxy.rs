//! Something between a server and its database that fails at the worst moment.

use std::{io, path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream, UnixStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
        unix::{OwnedReadHalf as UnixReadHalf, OwnedWriteHalf as UnixWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of what passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// All of it does.
    Passes,
    /// Of so many commits in a hundred the answer is swallowed, and the connection cut.
    CutsAfterCommits(u8),
    /// So many notifications in a hundred are lost.
    DropsNotifications(u8),
    /// Nothing gets anywhere, and nobody is told.
    Silent,
    /// Connections are cut, and nobody is let in.
    Away,
}

/// The proxy of one server; it ends when dropped.
#[derive(Debug)]
pub struct DatabaseProxy {
    port: u16,
    mood: Arc<watch::Sender<Mood>>,
    swallowed: Arc<watch::Sender<usize>>,
    accepting: JoinHandle<()>,
}

impl DatabaseProxy {
    /// Before a database's socket.
    pub async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, swallowed) = (Arc::new(watch::Sender::new(Mood::Passes)), Arc::new(watch::Sender::new(0)));
        let way = Way { mood: Arc::clone(&mood), swallowed: Arc::clone(&swallowed) };
        let accepting = tokio::spawn(async move {
            let mut passing = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                // While the database restarts there is no socket.
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                let way = way.clone();
                passing.spawn(async move { way.pass(client, server).await });
            }
        });
        Self { port, mood, swallowed, accepting }
    }

    /// Where a database is, through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes its mood.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// How many answers and notifications it has swallowed.
    pub fn swallowed(&self) -> usize {
        *self.swallowed.borrow()
    }
}

impl Drop for DatabaseProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone)]
struct Way {
    mood: Arc<watch::Sender<Mood>>,
    swallowed: Arc<watch::Sender<usize>>,
}

impl Way {
    /// Both ways; the end of one is that of the other.
    async fn pass(&self, client: TcpStream, server: UnixStream) {
        // Where that fails it is slower.
        let _ = client.set_nodelay(true);
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let mut mood = self.mood.subscribe();
        tokio::select! {
            _ = self.there(from_client, to_server) => {}
            _ = self.back(from_server, to_client) => {}
            _ = mood.wait_for(|mood| *mood == Mood::Away) => {}
        }
    }

    async fn while_silent(&self) {
        // Fails only where the proxy is gone.
        let _ = self.mood.subscribe().wait_for(|mood| *mood != Mood::Silent).await;
    }

    async fn there(&self, mut from: OwnedReadHalf, mut to: UnixWriteHalf) -> io::Result<()> {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let count = from.read(&mut bytes).await?;
            if count == 0 {
                return Ok(());
            }
            self.while_silent().await;
            to.write_all(&bytes[..count]).await?;
        }
    }

    /// Message by message: a type, a length that counts itself, what it says.
    async fn back(&self, from: UnixReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut from = tokio::io::BufReader::with_capacity(64 * 1024, from);
        let mut message = Vec::new();
        loop {
            let mut head = [0; 5];
            from.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            message.clear();
            message.extend_from_slice(&head);
            message.resize(1 + length.max(4), 0);
            from.read_exact(&mut message[5..]).await?;
            self.while_silent().await;
            match *self.mood.borrow() {
                Mood::CutsAfterCommits(percent) if message[5..] == *b"COMMIT\0" && is_one_of(percent) => {
                    self.swallowed.send_modify(|count| *count += 1);
                    return Ok(());
                }
                Mood::DropsNotifications(percent) if head[0] == b'A' && is_one_of(percent) => {
                    self.swallowed.send_modify(|count| *count += 1);
                    continue;
                }
                Mood::Passes | Mood::CutsAfterCommits(_) | Mood::DropsNotifications(_) | Mood::Silent | Mood::Away => {}
            }
            to.write_all(&message).await?;
        }
    }
}

fn is_one_of(percent: u8) -> bool {
    fastrand::u8(..100) < percent
}
