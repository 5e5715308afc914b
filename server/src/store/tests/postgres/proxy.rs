//! Something between a store and its database that fails at the worst moment.

use super::Database;
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// What becomes of what passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Passes,
    /// The next commit does not get there, and the connection is cut.
    CutsBeforeCommit,
    /// The next commit is made, but nobody hears of it: the connection is cut.
    CutsAfterCommit,
    /// The next requests are taken over, but nobody hears of it: the connection is cut.
    CutsAfterTakingOver,
    /// Nothing gets anywhere, and nobody is told.
    Silent,
}

#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) port: u16,
    mood: Arc<(Mutex<Mood>, Condvar)>,
}

impl Proxy {
    /// Before this database; it ends with the process.
    pub(super) fn before(database: &Database) -> Self {
        let socket = format!("{}/.s.PGSQL.5432", database.directory());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            mood: Arc::new((Mutex::new(Mood::Passes), Condvar::new())),
        };
        let accepting = proxy.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), UnixStream::connect(&socket));
                // While the database restarts there is no socket.
                let Ok(server) = server else { continue };
                let (there, back) = (accepting.clone(), accepting.clone());
                let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || there.pass_on(&client, &server));
                thread::spawn(move || back.bring_back(&server_too, &client_too));
            }
        });
        proxy
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.0.lock().unwrap() = mood;
        self.mood.1.notify_all();
    }

    /// Waits until a commit has been met with what it was to be.
    pub(super) fn wait_until_it_passes(&self) {
        let mood = self.mood.0.lock().unwrap();
        drop(self.mood.1.wait_while(mood, |mood| *mood != Mood::Passes).unwrap());
    }

    fn mood(&self) -> Mood {
        *self.mood.0.lock().unwrap()
    }

    fn while_silent(&self) {
        let mood = self.mood.0.lock().unwrap();
        drop(self.mood.1.wait_while(mood, |mood| *mood == Mood::Silent).unwrap());
    }

    fn pass_on(&self, mut client: &TcpStream, mut server: &UnixStream) {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            self.while_silent();
            let is_commit = bytes[..count].windows(7).any(|window| window == b"COMMIT\0");
            if is_commit && self.mood() == Mood::CutsBeforeCommit {
                self.set(Mood::Passes);
                break;
            }
            if server.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // Whichever is closed already has no more to be told.
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    }

    fn bring_back(&self, mut server: &UnixStream, mut client: &TcpStream) {
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = server.read(&mut bytes) {
            self.while_silent();
            // What a server says of a commit once it is made.
            let is_committed = bytes[..count].windows(7).any(|window| window == b"COMMIT\0");
            // What is read back of a request.
            let is_taken = bytes[..count].windows(9).any(|window| window == b"message 1");
            if is_committed && self.mood() == Mood::CutsAfterCommit
                || is_taken && self.mood() == Mood::CutsAfterTakingOver
            {
                self.set(Mood::Passes);
                break;
            }
            if client.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    }
}
