//! The log's lines on their way to standard error: whatever becomes of that, nobody who logs waits for it.
//!
//! A disk that is full, a reader that has gone, a pipe that nobody empties: each costs lines, which are counted, and nothing else.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of lines that wait to be written.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// Takes lines and has a thread of its own write them. Never blocks, never fails. Clones write to the same.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Told whenever there is a line to write, or none any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// Lines that have been taken out are being written.
    writing: bool,
    lost: u64,
}

impl LogWriter {
    /// Writes to `output`, on a thread that goes on as long as the process.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn new(output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let writer = Arc::clone(&shared);
        thread::Builder::new().name("log".into()).spawn(move || writer.write_all_to(output))?;
        Ok(Self(shared))
    }

    /// How many lines have been lost.
    pub fn lost(&self) -> u64 {
        self.0.queue().lost
    }

    /// How much waits to be written, in bytes.
    pub(in crate::http) fn waiting_bytes(&self) -> usize {
        self.0.queue().bytes
    }

    /// Waits until everything is written, no longer than `time_limit`.
    pub fn flush(&self, time_limit: Duration) {
        let waiting = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        // Whether it is written or the time is over, the caller goes on the same way.
        drop(self.0.changed.wait_timeout_while(self.0.queue(), time_limit, waiting));
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all_to(&self, mut output: impl Write) {
        loop {
            let queue = self.changed.wait_while(self.queue(), |queue| queue.lines.is_empty());
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
            let lines = mem::take(&mut queue.lines);
            queue.bytes = 0;
            queue.writing = true;
            drop(queue);
            let lost = lines.iter().filter(|line| output.write_all(line).is_err()).count();
            let mut queue = self.queue();
            queue.lost += lost as u64;
            queue.writing = false;
            self.changed.notify_all();
        }
    }
}

/// A line, as the subscriber writes it in one piece.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.bytes + line.len() > MAX_WAITING_BYTES {
            queue.lost += 1;
        } else {
            queue.bytes += line.len();
            queue.lines.push_back(line.into());
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a LogWriter;

    fn make_writer(&'a self) -> &'a LogWriter {
        self
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogWriter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Takes a line each time somebody lets it.
    struct Gate(Receiver<io::Result<()>>, Written);

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap_or(Ok(()))?;
            self.1.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Written = Arc<Mutex<Vec<u8>>>;

    fn gated() -> (LogWriter, SyncSender<io::Result<()>>, Written) {
        let (open, opened) = sync_channel(0);
        let written = Written::default();
        (LogWriter::new(Gate(opened, Arc::clone(&written))).unwrap(), open, written)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_reader_that_takes_nothing_costs_lines_and_no_time() {
        let (log, open, written) = gated();
        let line = [b'x'; 1024];
        for _ in 0..10_000 {
            (&log).write_all(&line).unwrap();
        }
        assert!(log.lost() >= 10_000 - 2 * 1024, "{}", log.lost());
        drop(open);
        log.flush(LONG);
        let kept = written.lock().unwrap().len() as u64 / 1024;
        assert_eq!(kept + log.lost(), 10_000);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_is_tried() {
        let (log, open, written) = gated();
        (&log).write_all(b"lost\n").unwrap();
        open.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        log.flush(LONG);
        (&log).write_all(b"written\n").unwrap();
        open.send(Ok(())).unwrap();
        log.flush(LONG);
        assert_eq!((log.lost(), &*written.lock().unwrap()), (1, &b"written\n"[..].to_vec()));
    }
}
