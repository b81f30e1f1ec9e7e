//! What the owner of a node may say about each request of a stranger, before anything is done about it.
//! A closure, because most are one line; the server calls it and obeys.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use mainstay_krpc::{ErrorReply, Id, Method};

/// A request that is about to be answered; what it says of itself is unproven.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'a> {
    /// When it came.
    pub now: Instant,
    /// Who asks.
    pub from: SocketAddr,
    /// The id it asks under.
    pub id: Id,
    /// Whether it says that it answers no requests itself
    /// ([BEP 43](https://www.bittorrent.org/beps/bep_0043.html)).
    pub read_only: bool,
    /// Whether `from` is known to be where it says: it answered a request of ours, or showed a token we sent there.
    pub proven: bool,
    /// What it asks, with every argument.
    pub method: Method<'a>,
    /// What it is about. For a put this is the hash of what is put.
    pub target: Option<Id>,
}

/// What becomes of a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered as always.
    Answer,
    /// Nothing is sent, as if it had been lost on the way.
    Ignore,
    /// It is refused with this error, if that is not larger than the request allows.
    Refuse(ErrorReply<'static>),
}

/// A filter of requests, given to [`Node::set_hook`](crate::Node::set_hook). It is called for every request that is
/// within the budgets of [`LimitConfig`](crate::LimitConfig), and must be quick: the node waits for it.
pub type RequestHook = Box<dyn FnMut(&Request<'_>) -> Verdict + Send>;

/// The hook of a node, if it has one.
#[derive(Default)]
pub(crate) struct Hook(Option<RequestHook>);

impl Hook {
    pub(crate) fn set(&mut self, hook: RequestHook) {
        self.0 = Some(hook);
    }

    /// What the hook says; the request is made for nobody if there is none.
    pub(crate) fn judge<'a>(&mut self, request: impl FnOnce() -> Request<'a>) -> Verdict {
        self.0.as_mut().map_or(Verdict::Answer, |hook| hook(&request()))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hook").field(&self.0.is_some()).finish()
    }
}
