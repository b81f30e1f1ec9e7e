//! What Mainline nodes say, against the bytes of the BEPs and of the field.
//! Apart from the crate's own tests because these are facts of the wire, not of our code.

mod items;
mod limits;
mod mutants;
mod queries;
mod quirks;
mod responses;
mod samples;

use mainstay_krpc::{Body, Id, Message, Query, Response};

const ID: Id = Id::from_bytes(*b"abcdefghij0123456789");
const TARGET: Id = Id::from_bytes(*b"mnopqrstuvwxyz123456");

fn decode(datagram: &[u8]) -> Message<'_> {
    match Message::decode(datagram) {
        Ok(message) => message,
        Err(error) => panic!("{error:?}: {}", datagram.escape_ascii()),
    }
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

fn query<'a>(message: &Message<'a>) -> Query<'a> {
    match message.body {
        Body::Query(query) => query,
        Body::Response(_) | Body::Error(_) => panic!("not a query: {message:?}"),
    }
}

fn response<'a>(message: &Message<'a>) -> Response<'a> {
    match message.body {
        Body::Response(response) => response,
        Body::Query(_) | Body::Error(_) => panic!("not a response: {message:?}"),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("a hexadecimal digit");
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(high) << 4 | digit(low)).expect("a byte");
    text.as_bytes().as_chunks().0.iter().map(byte).collect()
}
