//! A whole file brought into the system's memory while somebody looks at its pages in another order.
//!
//! Separate because both engines look at all of a file that was not closed well. In the order of a tree nearly each page
//! that the system does not have yet is a wait for the disk; in the order of the file, one wait brings hundreds.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// How many bytes are asked for at a time.
const CHUNK: usize = 1 << 20;

/// Works, while a thread of its own reads the file from its beginning to its end, or until the work is over.
///
/// It only saves time: what goes wrong with the reading, the work will find. Where a read moves the place at which the
/// others of the same handle read, and for a file of less than a mebibyte, there is no thread.
pub(in super::super) fn read_ahead<T>(file: &File, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        if file.metadata().is_ok_and(|facts| facts.len() > CHUNK as u64) {
            let reader = thread::Builder::new().name("mainstay-ahead".to_owned());
            let _started = reader.spawn_scoped(scope, || read_until(file, &is_over));
        }
        // Also if the work panics: the scope waits for its thread.
        let _end = End(&is_over);
        work()
    })
}

/// Says that it is over when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads until the end of the file, or until it is over; how many bytes.
#[cfg(unix)]
fn read_until(file: &File, is_over: &AtomicBool) -> u64 {
    let mut chunk = vec![0; CHUNK];
    let mut at = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        match std::os::unix::fs::FileExt::read_at(file, &mut chunk, at) {
            Ok(read) if read > 0 => at = at.saturating_add(read as u64),
            _ => break,
        }
    }
    at
}

#[cfg(not(unix))]
fn read_until(_file: &File, _is_over: &AtomicBool) -> u64 {
    0
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn file(length: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        file
    }

    #[test]
    fn it_reads_to_the_end() {
        let length = 3 * CHUNK as u64 + 17;
        assert_eq!(read_until(&file(length), &AtomicBool::new(false)), length);
    }

    #[test]
    fn it_reads_no_more_once_the_work_is_over() {
        assert_eq!(read_until(&file(1 << 40), &AtomicBool::new(true)), 0);
    }

    #[test]
    fn the_work_is_not_waited_for_longer_than_it_takes() {
        // A file without content that nobody could read to its end.
        let endless = file(1 << 42);
        assert_eq!(read_ahead(&endless, || 7), 7);
        let panicked =
            catch_unwind(AssertUnwindSafe(|| read_ahead(&endless, || panic!("on purpose"))));
        assert!(panicked.is_err());
    }
}
