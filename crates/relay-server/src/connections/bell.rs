//! A future that is looked at only when it has something to say.
//!
//! Separate because it is about wakers alone. Whatever wakes a connection's task polls all that the task waits for. Its
//! deadlines and the end of the relay take part in that thousands of times before they matter once, and each time they
//! would take a lock that all connections share.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Passes on that its future wants to be polled, and remembers it.
#[derive(Debug)]
pub(super) struct Bell {
    wire: Arc<Wire>,
    /// The wire as a waker.
    waker: Waker,
    /// The task that is woken, as last told.
    task: Option<Waker>,
}

#[derive(Debug)]
struct Wire {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    /// A bell that has rung: the first poll is a real one.
    pub(super) fn new() -> Self {
        let wire = Arc::new(Wire { rung: AtomicBool::new(true), task: Mutex::default() });
        Self { waker: wire.clone().into(), wire, task: None }
    }

    /// Polls the future if it has asked for that since it was last polled. A bell serves one future.
    pub(super) fn poll<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        if self.task.as_ref().is_none_or(|task| !task.will_wake(context.waker())) {
            self.task = Some(context.waker().clone());
            *self.wire.task.lock().unwrap_or_else(PoisonError::into_inner) = self.task.clone();
        }
        if !self.wire.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        // Before the poll, so that a ring during it counts.
        self.wire.rung.store(false, Ordering::Release);
        future.poll(&mut Context::from_waker(&self.waker))
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_future_is_polled_when_it_asks_for_it_and_not_when_others_do() {
        let polls = AtomicUsize::new(0);
        let (sender, mut receiver) = oneshot::channel();
        let mut future = pin!(poll_fn(|context| {
            polls.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut receiver).poll(context)
        }));
        let mut bell = Bell::new();
        for _ in 0..100 {
            let polled = poll_fn(|context| Poll::Ready(bell.poll(future.as_mut(), context))).await;
            assert!(polled.is_pending());
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1);
        sender.send(7).unwrap();
        let received = poll_fn(|context| bell.poll(future.as_mut(), context)).await;
        assert_eq!((received, polls.load(Ordering::Relaxed)), (Ok(7), 2));
    }

    #[tokio::test]
    async fn it_wakes_the_task_that_waits_whoever_polled_first() {
        let (sender, receiver) = oneshot::channel();
        let mut bell = Bell::new();
        let mut receiver = Box::pin(receiver);
        let polled = bell.poll(receiver.as_mut(), &mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let waiting = tokio::spawn(poll_fn(move |context| bell.poll(receiver.as_mut(), context)));
        tokio::task::yield_now().await;
        sender.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }
}
