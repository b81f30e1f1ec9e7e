//! Where a node's task runs: the caller's tokio runtime, or one shared background runtime.
//! Separate because it is the only process-wide state of this crate.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::block_in_place;

/// The runtime for nodes that were built outside of any: one worker thread, started when it is
/// first needed, kept for as long as the process lives.
static BACKGROUND: OnceLock<Runtime> = OnceLock::new();

/// Serialises the start of [`BACKGROUND`], so that a failed start can be tried again.
static STARTING: Mutex<()> = Mutex::new(());

/// The runtime that this call runs in, or else the background one.
pub(crate) fn current_or_background() -> io::Result<Handle> {
    match Handle::try_current() {
        Ok(handle) => Ok(handle),
        Err(_) => background(),
    }
}

fn background() -> io::Result<Handle> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = BACKGROUND.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("mainstay-dht")
        .enable_io()
        .enable_time()
        .build()?;
    Ok(BACKGROUND.get_or_init(|| runtime).handle().clone())
}

/// Drives `future` on the calling thread, which sleeps in between.
///
/// Unlike tokio's `block_on` it may be called inside a runtime, too: the futures of this crate need
/// no reactor. A worker of a runtime first hands its other tasks over, since the node's task may be
/// one of them and cannot be taken from a worker that sleeps.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(|| park_on(future)),
        Ok(_) | Err(_) => park_on(future),
    }
}

fn park_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes the thread that waits in [`block_on`]. A wake-up that comes before `park` is kept by it.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::{block_on, current_or_background};

    #[test]
    fn a_future_that_another_thread_completes_wakes_the_blocked_one() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let handle = current_or_background().unwrap();
        handle.spawn(async move { sender.send(7) });
        assert_eq!(block_on(receiver), Ok(7));
    }

    #[test]
    fn the_background_runtime_is_started_once() {
        let first = current_or_background().unwrap();
        let second = current_or_background().unwrap();
        assert_eq!(first.id(), second.id());
    }
}
