//! A relay that answers exactly the bytes it is told, one connection a request.
//! Hand-written on sockets because a real HTTP server would mend the faults that the client must bear.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A request as it arrived, the head in lower case.
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

pub(super) struct Fake {
    pub(super) url: String,
    pub(super) seen: mpsc::UnboundedReceiver<Seen>,
}

impl Fake {
    /// Answers as many requests as there are answers, then is gone.
    pub(super) async fn answering<A: AsRef<[u8]> + Send + 'static>(answers: Vec<A>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                tell.send(request(&mut stream).await).unwrap();
                // A client may hang up before it has read all.
                let _ = stream.write_all(answer.as_ref()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, seen }
    }

    pub(super) async fn next(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }
}

/// Reads one request with a body of announced length.
pub(super) async fn request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "a whole head");
    };
    let body = bytes.split_off(end + 4);
    let mut seen = Seen { head: String::from_utf8(bytes).unwrap().to_lowercase(), body };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while seen.body.len() < length {
        assert_ne!(stream.read_buf(&mut seen.body).await.unwrap(), 0, "a whole body");
    }
    seen
}

/// An answer with a body whose length is announced.
pub(super) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status} Any\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
