//! What real nodes send although no BEP allows it: one row a quirk, with the bytes and what must come of them.
//! Apart from limits because all of this is honest and must be understood.

mod answers;
mod arguments;
mod envelope;

use mainstay_krpc::{Message, Method, Query, Response};

use super::{ID, decode, encode, query, response};

/// A quirk, a datagram that has it, and whether it was read as it should be.
type Row = (&'static str, &'static [u8], fn(&Message<'_>) -> bool);

fn check(rows: &[Row]) {
    for (quirk, datagram, understood) in rows {
        let message = decode(datagram);
        assert!(understood(&message), "{quirk}: {message:?}");
        // We pass no quirk on: what we write of it is read as the same message, and written the same again.
        let written = encode(&message);
        let again = decode(&written);
        assert_eq!(again, message, "{quirk}");
        assert_eq!(encode(&again), written, "{quirk}");
    }
}

fn is_ping(message: &Message<'_>) -> bool {
    message.transaction == b"aa" && query(message) == Query::new(ID, Method::Ping)
}

fn is_pong(message: &Message<'_>) -> bool {
    message.transaction == b"aa" && response(message) == Response::new(ID)
}
