//! The runtime of native programs: a small one of tokio's for all clients of a process.
//!
//! Separate because browsers have an event loop instead. Nothing runs on the caller's
//! own runtime: so a client may be built before there is one, outlives each of them, works under any
//! executor, and its blocking face cannot starve the very task it waits for.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

static SHARED: OnceLock<Runtime> = OnceLock::new();

/// Serialises the start of [`SHARED`], so that a failed start can be tried again.
static STARTING: Mutex<()> = Mutex::new(());

/// At most so many threads carry the work of all clients.
const MAX_THREADS: usize = 2;

/// The runtime that carries a client's work.
#[derive(Clone, Debug)]
pub(crate) struct Background(Handle);

impl Background {
    /// The process's shared one, started at the first call.
    pub(crate) fn shared() -> io::Result<Self> {
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = SHARED.get() {
            return Ok(Self(runtime.handle().clone()));
        }
        let threads =
            thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("mainstay-client")
            .enable_all()
            .build()?;
        Ok(Self(SHARED.get_or_init(|| runtime).handle().clone()))
    }

    /// The test's own, whose clock the test drives.
    #[cfg(test)]
    pub(crate) fn current() -> Self {
        Self(Handle::current())
    }

    /// Runs `work` to its end, whoever still waits for it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work);
    }

    /// Waits so long, under any executor.
    pub(crate) async fn sleep(&self, pause: Duration) {
        let (sender, over) = oneshot::channel();
        self.spawn(async move {
            sleep(pause).await;
            // Whoever waited may be gone.
            let _ = sender.send(());
        });
        // An error is the end of the runtime, after which there is nothing to wait for.
        let _ = over.await;
    }

    /// Runs `work`, which may block, on a thread where nothing else waits; `None` if it panicked.
    #[cfg(any(feature = "lmdb-cache", feature = "disk-cache"))]
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.0.spawn_blocking(work).await.ok()
    }

    /// Makes what is built inside `build` run here.
    #[cfg(feature = "dht")]
    pub(crate) fn enter<T>(&self, build: impl FnOnce() -> T) -> T {
        let _entered = self.0.enter();
        build()
    }
}

/// A moment on a clock that never goes back.
pub(crate) type Moment = tokio::time::Instant;

/// Waits so long, in the background's runtime.
pub(crate) async fn sleep(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Waits for `work`, but no longer than `patience`.
pub(crate) async fn timeout<F: Future>(patience: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(patience, work).await.ok()
}

/// Drives `future` on the calling thread, which sleeps in between.
///
/// Unlike tokio's it may be called anywhere, inside a runtime too: this crate's futures need no
/// reactor of their own. It still blocks the thread it is called on.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
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

/// Wakes the thread that waits in [`block_on`]; a wake-up that comes before `park` is kept by it.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::{Background, block_on};

    #[test]
    fn work_wakes_the_thread_that_blocks_for_it() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let background = Background::shared().expect("threads can be started");
        background.spawn(async move {
            let _ = sender.send(7);
        });
        assert_eq!(block_on(receiver), Ok(7));
    }

    #[tokio::test]
    async fn blocking_inside_a_single_threaded_runtime_still_ends() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let background = Background::shared().expect("threads can be started");
        background.spawn(async move {
            let _ = sender.send(7);
        });
        assert_eq!(block_on(receiver), Ok(7));
    }
}
