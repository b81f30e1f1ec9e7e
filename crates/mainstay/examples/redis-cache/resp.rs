//! One connection to Redis: commands and replies of its protocol, RESP 2.
//! Separate from the cache because none of it is about packets.

use std::io;
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream,
};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a command may take, connecting included.
const PATIENCE: Duration = Duration::from_secs(1);

/// The largest reply: a packet and its time have 1112 bytes.
const LARGEST: usize = 4096;

/// The longest list: what the script answers has two members.
const LONGEST: usize = 16;

/// What the server answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Number(i64),
    Bytes(Option<Vec<u8>>),
    Several(Vec<Reply>),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Open = BufStream<Box<dyn Stream>>;

/// A connection that opens again after a failure. One command at a time.
pub(crate) struct Connection {
    server: String,
    /// Empty while a command is under way: whoever drops it halfway leaves no reply to the next.
    open: Mutex<Option<Open>>,
}

impl Connection {
    pub(crate) fn new(server: &str) -> Self {
        Self { server: server.to_owned(), open: Mutex::new(None) }
    }

    /// Sends a command and waits for its reply; an error that the server answers is an error.
    pub(crate) async fn ask(&self, words: &[&[u8]]) -> io::Result<Reply> {
        let mut place = self.open.lock().await;
        let open = place.take();
        let asked: Result<io::Result<_>, _> = timeout(PATIENCE, async {
            let mut open = match open {
                Some(open) => open,
                None => self.connect().await?,
            };
            send(&mut open, words).await?;
            let reply = reply(&mut open).await?;
            Ok((open, reply))
        })
        .await;
        let (open, reply) = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        *place = Some(open);
        reply.map_err(io::Error::other)
    }

    async fn connect(&self) -> io::Result<Open> {
        let stream: Box<dyn Stream> = if self.server.starts_with('/') {
            Box::new(UnixStream::connect(&self.server).await?)
        } else {
            Box::new(TcpStream::connect(&self.server).await?)
        };
        Ok(BufStream::new(stream))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

async fn send(open: &mut Open, words: &[&[u8]]) -> io::Result<()> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        command.extend_from_slice(word);
        command.extend_from_slice(b"\r\n");
    }
    open.write_all(&command).await?;
    open.flush().await
}

/// A reply, or what the server says is wrong with the command.
async fn reply(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Result<Reply, String>> {
    let head = line(from).await?;
    let count = match sign(&head) {
        Some(b'-') => return Ok(Err(head.chars().skip(1).collect())),
        Some(b'*') => length(&head, LONGEST)?.unwrap_or(0),
        _ => return Ok(Ok(simple(from, head).await?)),
    };
    let mut replies = Vec::with_capacity(count);
    for _ in 0..count {
        let head = line(from).await?;
        replies.push(simple(from, head).await?);
    }
    Ok(Ok(Reply::Several(replies)))
}

/// A reply that has no members.
async fn simple(from: &mut (impl AsyncBufRead + Unpin), head: String) -> io::Result<Reply> {
    match sign(&head) {
        Some(b'+') => Ok(Reply::Text(head.chars().skip(1).collect())),
        Some(b':') => Ok(Reply::Number(number(&head)?)),
        Some(b'$') => {
            let Some(length) = length(&head, LARGEST)? else { return Ok(Reply::Bytes(None)) };
            let mut bytes = vec![0; length];
            from.read_exact(&mut bytes).await?;
            let mut end = [0; 2];
            from.read_exact(&mut end).await?;
            if &end == b"\r\n" { Ok(Reply::Bytes(Some(bytes))) } else { Err(strange(&head)) }
        }
        _ => Err(strange(&head)),
    }
}

/// A line without its end, of at most as many bytes as a reply.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    from.take(LARGEST as u64).read_line(&mut line).await?;
    match line.strip_suffix("\r\n") {
        Some(whole) => Ok(whole.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The sign that says what follows.
fn sign(head: &str) -> Option<u8> {
    head.as_bytes().first().copied()
}

fn number(head: &str) -> io::Result<i64> {
    head.get(1..).and_then(|digits| digits.parse().ok()).ok_or_else(|| strange(head))
}

/// How much follows, or nothing at all.
fn length(head: &str, most: usize) -> io::Result<Option<usize>> {
    match number(head)? {
        -1 => Ok(None),
        count => match usize::try_from(count) {
            Ok(count) if count <= most => Ok(Some(count)),
            _ => Err(strange(head)),
        },
    }
}

fn strange(head: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a reply of Redis: {head:?}"))
}
