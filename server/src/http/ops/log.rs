//! The log's lines on their way to standard error: whatever becomes of that, nobody who logs waits for it.
//!
//! A disk that is full, a reader that has gone, a pipe that nobody empties: each costs lines, which are counted, and nothing else.
//!
//! Lines gather for some milliseconds and are written together, so that a busy server neither wakes the thread nor makes a system call for each.

use std::{
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

/// How long a line may wait for others, unless somebody waits for it or there are many.
const GATHERING: Duration = Duration::from_millis(5);

/// As many bytes are written without waiting for more.
const MANY_BYTES: usize = 64 * 1024;

/// Takes lines and has a thread of its own write them. Never blocks, never fails. Clones write to the same.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Told when there is a first line to write, or more than can wait, or somebody waits for them.
    wanted: Condvar,
    /// Told when lines have been written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    lines: Lines,
    /// Lines that have been taken out are being written.
    writing: bool,
    /// So many wait until everything is written.
    flushing: usize,
    lost: u64,
}

/// Lines, one after the other.
#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Lines {
    fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Writes them in as few pieces as it takes; how many of them are lost. One that cannot be written costs itself alone: the next is tried, on
    /// a line of its own.
    fn write_to(&self, output: &mut impl Write) -> u64 {
        let (mut at, mut lost, mut lost_until, mut ended) = (0, 0, 0, 0);
        while let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty()) {
            match output.write(rest) {
                Ok(written) if written > 0 => at += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => {
                    let (start, end) = self.line_at(at);
                    // Of one that is cut short, what ends it is tried, once.
                    let may_end = start < at && ended < end;
                    if !may_end || at + 1 < end {
                        lost += u64::from(lost_until < end);
                        lost_until = end;
                    }
                    at = if may_end { end - 1 } else { end };
                    ended = end;
                }
            }
        }
        lost
    }

    /// Where the line begins and ends in which this byte is.
    fn line_at(&self, at: usize) -> (usize, usize) {
        let line = self.ends.partition_point(|end| *end <= at);
        let end = |line: usize| self.ends.get(line).copied();
        (line.checked_sub(1).and_then(end).unwrap_or(0), end(line).unwrap_or(self.text.len()))
    }
}

impl LogWriter {
    /// Writes to `output`, on a thread that goes on as long as the process.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn new(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (wanted, written) = Default::default();
        let shared = Arc::new(Shared { queue: Mutex::default(), wanted, written });
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
        self.0.queue().lines.text.len()
    }

    /// Waits until everything is written, no longer than `time_limit`.
    pub fn flush(&self, time_limit: Duration) {
        let waiting = |queue: &mut Queue| queue.writing || !queue.lines.text.is_empty();
        let mut queue = self.0.queue();
        queue.flushing += 1;
        self.0.wanted.notify_all();
        // Whether it is written or the time is over, the caller goes on the same way.
        let (mut queue, _) =
            self.0.written.wait_timeout_while(queue, time_limit, waiting).unwrap_or_else(PoisonError::into_inner);
        queue.flushing -= 1;
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all_to(&self, mut output: impl Write) {
        let mut taken = Lines::default();
        loop {
            let queue = self.wanted.wait_while(self.queue(), |queue| queue.lines.text.is_empty());
            let queue = queue.unwrap_or_else(PoisonError::into_inner);
            let may_wait = |queue: &mut Queue| queue.flushing == 0 && queue.lines.text.len() < MANY_BYTES;
            let gathered = self.wanted.wait_timeout_while(queue, GATHERING, may_wait);
            let (mut queue, _) = gathered.unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut queue.lines, &mut taken);
            queue.writing = true;
            drop(queue);
            let lost = taken.write_to(&mut output);
            taken.clear();
            let mut queue = self.queue();
            queue.lost += lost;
            queue.writing = false;
            self.written.notify_all();
        }
    }
}

/// A line, as the subscriber writes it in one piece.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        let before = queue.lines.text.len();
        let after = before + line.len();
        if after > MAX_WAITING_BYTES {
            queue.lost += 1;
            return Ok(line.len());
        }
        queue.lines.push(line);
        drop(queue);
        if before == 0 || (before < MANY_BYTES && after >= MANY_BYTES) {
            self.0.wanted.notify_all();
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

    #[test]
    fn lines_that_are_there_together_are_written_together() {
        let (log, open, written) = gated();
        (&log).write_all(b"first\n").unwrap();
        open.send(Ok(())).unwrap();
        for _ in 0..3 {
            (&log).write_all(b"line\n").unwrap();
        }
        open.send(Ok(())).unwrap();
        log.flush(LONG);
        assert_eq!(*written.lock().unwrap(), b"first\nline\nline\nline\n");
    }

    /// A disk with room for so many bytes, and for more after one failure.
    struct Disk(usize, Vec<u8>);

    impl Write for Disk {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let taken = text.len().min(self.0);
            self.0 -= taken;
            self.1.extend_from_slice(&text[..taken]);
            if taken == 0 {
                self.0 = usize::MAX;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_is_cut_short_costs_itself_alone() {
        let mut lines = Lines::default();
        for line in ["one\n", "two\n", "three\n"] {
            lines.push(line.as_bytes());
        }
        for (room, lost, left) in [
            (0, 1, "two\nthree\n"),
            (3, 0, "one\ntwo\nthree\n"),
            (4, 1, "one\nthree\n"),
            (5, 1, "one\nt\nthree\n"),
            (13, 0, "one\ntwo\nthree\n"),
            (14, 0, "one\ntwo\nthree\n"),
        ] {
            let mut disk = Disk(room, Vec::new());
            assert_eq!((lines.write_to(&mut disk), str::from_utf8(&disk.1).unwrap()), (lost, left), "{room}");
        }
    }
}
