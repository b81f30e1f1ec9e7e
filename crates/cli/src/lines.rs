//! Lines on their way to a stream that perhaps nobody reads: a pipe that is full must hold up nobody.
//!
//! Separate, because logs and figures go to two streams and neither may stop a service.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A queue of lines and the thread that writes them.
///
/// When the queue is full, new lines are dropped; the next that is written says how many.
#[derive(Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
    room: usize,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Vec<u8>>,
    dropped: u64,
    /// Whether a line has left the queue and is not written yet.
    writing: bool,
    /// Why nothing is written any more.
    broken: Option<ErrorKind>,
}

impl Lines {
    /// Writes to `stream` whatever is pushed, of which `room` lines may wait.
    ///
    /// The thread lives as long as the process; it ends when the stream cannot be written to.
    pub(crate) fn to(stream: impl Write + Send + 'static, room: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let spawned =
            std::thread::Builder::new().name("lines".to_owned()).spawn(move || theirs.run(stream));
        if let Err(error) = spawned {
            shared.lock().broken = Some(error.kind());
        }
        Self { shared, room }
    }

    /// Hands over a line, with its end, without waiting.
    ///
    /// # Errors
    /// If the stream cannot be written to any more. A line that finds no room is no error.
    pub(crate) fn push(&self, line: Vec<u8>) -> io::Result<()> {
        let mut queue = self.shared.lock();
        if let Some(kind) = queue.broken {
            return Err(kind.into());
        }
        if queue.waiting.len() < self.room {
            queue.waiting.push_back(line);
            self.shared.changed.notify_all();
        } else {
            queue.dropped += 1;
        }
        Ok(())
    }

    /// Waits until all is written, or for so long.
    pub(crate) fn finish(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut queue = self.shared.lock();
        while (queue.writing || !queue.waiting.is_empty()) && queue.broken.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, mut stream: impl Write) {
        loop {
            let line = self.next();
            let written = stream.write_all(&line).and_then(|()| stream.flush());
            let mut queue = self.lock();
            queue.writing = false;
            queue.broken = written.err().map(|error| error.kind());
            let broken = queue.broken.is_some();
            drop(queue);
            self.changed.notify_all();
            if broken {
                return;
            }
        }
    }

    /// The next line; before it, how many were dropped since the last.
    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.waiting.pop_front() {
                queue.writing = true;
                let dropped = std::mem::take(&mut queue.dropped);
                return if dropped == 0 { line } else { [note(dropped), line].concat() };
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// In the form of the lines around it, so that programs can go on reading.
fn note(dropped: u64) -> Vec<u8> {
    format!("{{\"event\":\"lines_dropped\",\"count\":{dropped}}}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A stream whose every write waits to be read.
    struct Pipe {
        permits: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| ErrorKind::BrokenPipe)?;
            self.written.send(bytes.to_vec()).map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piped(room: usize) -> (Lines, Sender<()>, Receiver<Vec<u8>>) {
        let ((permit, permits), (written, read)) = (channel(), channel());
        (Lines::to(Pipe { permits, written }, room), permit, read)
    }

    #[test]
    fn a_reader_that_stops_holds_up_nobody_and_learns_what_it_missed() {
        let (lines, permit, read) = piped(3);
        for n in 0..1000 {
            lines.push(format!("{n}\n").into_bytes()).unwrap();
        }
        // It reads again, as much as there is.
        for _ in 0..3 {
            permit.send(()).unwrap();
        }
        let first: Vec<_> = (0..3).map(|_| read.recv().unwrap()).collect();
        let all = String::from_utf8(first.concat()).unwrap();
        assert!(all.starts_with("{\"event\":\"lines_dropped\"") || all.starts_with("0\n"), "{all}");
        let told: u64 = all.lines().filter_map(dropped_of).sum();
        let kept = all.lines().filter(|line| dropped_of(line).is_none()).count();
        // The thread may hold one line besides those that wait.
        assert!(told == 1000 - 3 || told == 1000 - 4, "{told}");
        assert_eq!(kept, 3);
    }

    #[test]
    fn the_end_waits_for_what_is_being_read_and_not_for_ever() {
        let (lines, permit, read) = piped(10);
        lines.push(b"one\n".to_vec()).unwrap();
        lines.finish(Duration::from_millis(1));
        assert!(read.try_recv().is_err());
        permit.send(()).unwrap();
        lines.finish(Duration::from_secs(60));
        assert_eq!(read.try_recv().unwrap(), b"one\n");
    }

    #[test]
    fn a_stream_that_is_gone_is_told_and_holds_up_nobody() {
        let (lines, permit, read) = piped(10);
        drop((permit, read));
        lines.push(b"one\n".to_vec()).unwrap();
        lines.finish(Duration::from_secs(60));
        assert_eq!(lines.push(b"two\n".to_vec()).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn dropped_of(line: &str) -> Option<u64> {
        line.strip_prefix("{\"event\":\"lines_dropped\",\"count\":")?
            .strip_suffix('}')?
            .parse()
            .ok()
    }
}
