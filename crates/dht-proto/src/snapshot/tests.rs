//! What is written is read again, and whatever happened to a file is told by its error.

use mainstay_keys::Keypair;

use super::*;

fn sample() -> Snapshot {
    let keypair = Keypair::from_secret_key(&[1; 32]);
    let item = |seq, salt: &[u8]| MutableItem::sign_bytes(&keypair, salt, seq, b"value").unwrap();
    let node = |addr: &str, byte| SavedNode {
        node: RemoteNode { id: Id::from_bytes([byte; 20]), addr: addr.parse().unwrap() },
        rtt: Duration::from_micros(48_123),
        age: Duration::from_secs(77),
    };
    let identity = |byte, address: Option<&str>| Identity {
        id: Id::from_bytes([byte; 20]),
        address: address.map(|ip| ip.parse().unwrap()),
    };
    Snapshot {
        taken: Some(Duration::from_millis(1_795_219_200_123)),
        ipv4: vec![identity(1, Some("80.1.1.1")), identity(2, None)],
        ipv6: vec![identity(3, Some("2001:db8::1"))],
        nodes: vec![node("1.2.3.4:5", 9), node("[2001:db8::7]:6881", 8)],
        published: vec![item(1, b""), item(i64::MAX, b"salt")],
    }
}

#[test]
fn what_is_written_is_read_again() {
    for snapshot in [Snapshot::default(), sample()] {
        let bytes = snapshot.encode();
        assert_eq!(Snapshot::decode(&bytes), Ok(snapshot));
        assert!(bytes.len() <= Snapshot::MOST_BYTES);
    }
}

#[test]
fn a_snapshot_that_was_cut_off_is_told_at_every_length() {
    let bytes = sample().encode();
    for length in 0..bytes.len() {
        let error = Snapshot::decode(&bytes[..length]).unwrap_err();
        match length {
            0 => assert_eq!(error, SnapshotError::Foreign),
            _ => assert!(matches!(error, SnapshotError::Length { .. }), "{length}: {error:?}"),
        }
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(Snapshot::decode(&longer), Err(SnapshotError::Length { .. })));
}

#[test]
fn every_flipped_bit_is_told() {
    let bytes = sample().encode();
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(Snapshot::decode(&damaged).is_err(), "bit {at}");
    }
}

#[test]
fn a_newer_form_is_told_from_a_damaged_one() {
    let mut bytes = sample().encode();
    bytes[9] = 2;
    assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Newer { version: 2 }));
    bytes[9] = 0;
    assert_eq!(Snapshot::decode(&bytes), Err(SnapshotError::Checksum));
    assert_eq!(Snapshot::decode(&[0; 4096]), Err(SnapshotError::Foreign));
}

#[test]
fn an_item_that_its_key_did_not_sign_is_refused_although_the_checksum_fits() {
    let mut bytes = sample().encode();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let sum = write::checksum(1, &bytes[write::HEADER..]).to_be_bytes();
    bytes[14..write::HEADER].copy_from_slice(&sum);
    assert!(matches!(Snapshot::decode(&bytes), Err(SnapshotError::Item(_))));
}

#[test]
fn what_is_too_much_to_keep_is_left_out_from_the_worse_end() {
    let mut snapshot = sample();
    snapshot.nodes = vec![snapshot.nodes[0]; 3000];
    snapshot.nodes[0].rtt = Duration::ZERO;
    snapshot.ipv4 = vec![snapshot.ipv4[0]; 300];
    let keypair = Keypair::from_secret_key(&[1; 32]);
    let item = MutableItem::sign_bytes(&keypair, b"", 1, b"").unwrap();
    snapshot.published = vec![item; 1500];
    snapshot.published.push(sample().published.remove(1));
    let body = snapshot.encode();
    let mut kept = snapshot.clone();
    kept.ipv4.truncate(IDENTITIES);
    kept.nodes.truncate(Snapshot::MOST_NODES);
    kept.published.drain(..1501 - Snapshot::MOST_PUBLISHED);
    assert_eq!(body, kept.encode());
}

#[test]
fn no_snapshot_is_longer_than_its_cap() {
    let value = [b"995:".as_slice(), &[b'x'; 995]].concat();
    let keypair = Keypair::from_secret_key(&[1; 32]);
    let item = MutableItem::sign(&keypair, &[1; 64], i64::MAX, &value).unwrap();
    let mut snapshot = sample();
    snapshot.nodes = vec![snapshot.nodes[1]; Snapshot::MOST_NODES];
    snapshot.ipv4 = vec![snapshot.ipv6[0]; IDENTITIES];
    snapshot.ipv6 = snapshot.ipv4.clone();
    snapshot.published = vec![item; Snapshot::MOST_PUBLISHED];
    let slack = Snapshot::MOST_BYTES - snapshot.encode().len();
    assert!(slack <= Snapshot::MOST_PUBLISHED, "{slack} bytes of slack");
}
