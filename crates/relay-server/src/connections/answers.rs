//! The requests of one connection, as they reach the relay.
//!
//! Separate because a connection has rules that a request taken alone does not have: what a head must name, and when
//! the next one is waited for.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::header::HOST;
use hyper::{HeaderMap, Request, Response, Version};

use crate::answer::Refusal;
use crate::body::Body;
use crate::limits::Peer;
use crate::service::RelayService;

use super::crowd::Presence;

/// What the requests of a connection share. It is counted for each connection and not for the whole relay, so that
/// connections on different cores do not wait for each other.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) service: RelayService,
    pub(super) peer: Peer,
    pub(super) presence: Arc<Presence>,
}

/// Answers one request, and says when it has begun and ended.
pub(super) async fn answer<B: HttpBody<Data = Bytes>>(
    connection: Arc<Connection>,
    request: Request<B>,
) -> Result<Response<Body>, Infallible> {
    connection.presence.pace.request();
    let answering = Answering(connection);
    let Connection { service, peer, .. } = &*answering.0;
    if !names_its_host(request.version(), request.headers()) {
        return Ok(service.refuse(Refusal::Host));
    }
    let response = service.answer(*peer, request).await;
    Ok(response.map(|body| body.while_it_lasts(answering)))
}

/// Whether the head has the one `Host` that
/// [RFC 9112, section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2) asks for. What it says does not matter
/// here; but a proxy in front that reads another one than we do must not get along with it.
fn names_its_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes().iter().all(|byte| may_be_in_a_host(*byte)),
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// The characters of a host with its port, as [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2) has them.
fn may_be_in_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
}

/// Says that an answer has ended, however it did.
struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.presence.pace.answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_http_1_1_names_one_host_and_one_of_http_1_0_may() {
        for (version, hosts, right) in [
            (Version::HTTP_11, &["relay.example:6881"][..], true),
            (Version::HTTP_11, &["[2001:db8::1]:6881"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["a.example", "a.example"], false),
            (Version::HTTP_11, &["user@a.example"], false),
            (Version::HTTP_11, &["a.example/b"], false),
            (Version::HTTP_11, &["a.example b.example"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a.example", "b.example"], false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            assert_eq!(names_its_host(version, &headers), right, "{version:?} {hosts:?}");
        }
    }
}
