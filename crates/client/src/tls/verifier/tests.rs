//! The verifier's judgement without a socket: whole handshakes are in the loopback tests.
//! Apart from it because it takes more cases than code.

use mainstay_keys::Keypair;
use rustls::ServerConnection;
use rustls::internal::msgs::codec::Codec as _;

use super::*;
use crate::tls::TlsKeypair;

fn keypair(n: u8) -> Keypair {
    Keypair::from_secret_key(&[n; 32])
}

fn verifier(expected: &ExpectedKeys) -> ServerVerifier {
    ServerVerifier {
        expected: expected.clone(),
        provider: Arc::new(ring::default_provider()),
        web: None,
        wants_raw_key: || true,
    }
}

fn judge(verifier: &ServerVerifier, host: &str, der: Vec<u8>) -> Result<(), Error> {
    let name = ServerName::try_from(host.to_owned()).expect("a host name");
    let der = CertificateDer::from(der);
    let now = UnixTime::now();
    verifier.verify_server_cert(&der, &[], &name, &[], now).map(|_verified| ())
}

/// Shakes hands in memory.
fn shake_hands(
    client: ClientConfig,
    server: rustls::ServerConfig,
    host: &str,
) -> Result<(), Error> {
    let name = ServerName::try_from(host.to_owned()).expect("a host name");
    let mut client = rustls::ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).expect("memory takes all");
        }
        let mut read = flight.as_slice();
        while !read.is_empty() {
            server.read_tls(&mut read).expect("memory gives all");
        }
        server.process_new_packets()?;
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).expect("memory takes all");
        }
        let mut read = flight.as_slice();
        while !read.is_empty() {
            client.read_tls(&mut read).expect("memory gives all");
        }
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn a_server_that_holds_the_key_of_the_name_needs_no_look_up() {
    let (verifier, key) = (verifier(&ExpectedKeys::default()), keypair(1).public_key());
    for host in
        [key.to_z32(), format!("www.{key}"), format!("www.{key}."), key.to_z32().to_uppercase()]
    {
        assert_eq!(judge(&verifier, &host, spki::encode(&key)), Ok(()), "{host}");
    }
}

#[test]
fn another_key_serves_only_the_name_it_was_resolved_for() {
    let expected = ExpectedKeys::default();
    let verifier = verifier(&expected);
    let (name, server) = (keypair(1).public_key(), keypair(2).public_key());
    let error = judge(&verifier, &name.to_z32(), spki::encode(&server)).expect_err("a stranger");
    assert!(error.to_string().contains(&server.to_z32()), "{error}");
    expected.expect(&name.to_z32(), server, Instant::now());
    assert_eq!(judge(&verifier, &name.to_z32(), spki::encode(&server)), Ok(()));
    assert!(judge(&verifier, &format!("www.{name}"), spki::encode(&server)).is_err());
}

#[test]
fn names_outside_keys_are_not_served_by_raw_keys() {
    let key = keypair(1).public_key();
    let without_roots = verifier(&ExpectedKeys::default());
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let with_roots = without_roots.clone().with_web_roots(roots);
    for verifier in [without_roots, with_roots] {
        for host in ["example.com", "192.0.2.1", &format!("{key}.example.com")] {
            assert!(judge(&verifier, host, spki::encode(&key)).is_err(), "{host}");
        }
    }
}

#[test]
fn certificates_count_outside_keys_and_only_where_there_are_roots() {
    let without_roots = verifier(&ExpectedKeys::default());
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let with_roots = without_roots.clone().with_web_roots(roots);
    let of_none = without_roots.clone().with_web_roots(RootCertStore::empty());
    let not_one = vec![0x30; 300];
    for verifier in [without_roots, of_none] {
        let nobody = Err(CertificateError::UnknownIssuer.into());
        assert_eq!(judge(&verifier, "example.com", not_one.clone()), nobody);
    }
    let looked_at = Err(CertificateError::BadEncoding.into());
    assert_eq!(judge(&with_roots, "example.com", not_one), looked_at);
}

#[test]
fn a_raw_key_comes_alone() {
    let (verifier, key) = (verifier(&ExpectedKeys::default()), keypair(1).public_key());
    let der = CertificateDer::from(spki::encode(&key));
    let name = ServerName::try_from(key.to_z32()).expect("a host name");
    let judged = |intermediates: &[CertificateDer<'_>]| {
        let now = UnixTime::now();
        verifier.verify_server_cert(&der, intermediates, &name, &[], now).map(|_verified| ())
    };
    assert_eq!(judged(&[]), Ok(()));
    assert_eq!(judged(std::slice::from_ref(&der)), Err(CertificateError::BadEncoding.into()));
}

/// What a server sends to prove that it has a secret.
fn proof(scheme: SignatureScheme, signature: &[u8]) -> DigitallySignedStruct {
    let length = u16::try_from(signature.len()).expect("it is short");
    let scheme = u16::from(scheme).to_be_bytes();
    let bytes = [&scheme[..], &length.to_be_bytes(), signature].concat();
    DigitallySignedStruct::read_bytes(&bytes).expect("it is of that form")
}

#[test]
fn a_raw_key_proves_itself_with_its_own_kind_of_signature_alone_and_not_in_tls_12() {
    let (verifier, keypair) = (verifier(&ExpectedKeys::default()), keypair(1));
    let der = CertificateDer::from(spki::encode(&keypair.public_key()));
    let signature = keypair.sign(b"handshake").to_bytes();
    let judged = |message: &[u8], scheme, signature: &[u8]| {
        let proof = proof(scheme, signature);
        verifier.verify_tls13_signature(message, &der, &proof).map(|_verified| ())
    };
    let ed25519 = SignatureScheme::ED25519;
    assert_eq!(judged(b"handshake", ed25519, &signature), Ok(()));
    let forged = Err(CertificateError::BadSignature.into());
    assert_eq!(judged(b"handshook", ed25519, &signature), forged);
    assert_eq!(judged(b"handshake", ed25519, &signature[..63]), forged);
    assert_eq!(judged(b"handshake", ed25519, &[&signature[..], &[0]].concat()), forged);
    let unasked = Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    assert_eq!(judged(b"handshake", SignatureScheme::ECDSA_NISTP256_SHA256, &signature), unasked);
    let in_tls12 = verifier.verify_tls12_signature(b"handshake", &der, &proof(ed25519, &signature));
    assert!(in_tls12.is_err());
}

#[test]
fn what_a_connection_asks_for_is_left_to_whoever_makes_it() {
    let verifier = verifier(&ExpectedKeys::default());
    assert!(verifier.requires_raw_public_keys());
    #[cfg(any(feature = "hyper-connector", feature = "reqwest-builder"))]
    assert!(!verifier.asking(|| false).requires_raw_public_keys());
}

#[test]
fn what_is_no_raw_key_serves_no_name_under_a_key() {
    let (verifier, key) = (verifier(&ExpectedKeys::default()), keypair(1).public_key());
    for der in [Vec::new(), key.as_bytes().to_vec(), vec![0x30; 300]] {
        let judged = judge(&verifier, &key.to_z32(), der);
        assert_eq!(judged, Err(CertificateError::BadEncoding.into()));
    }
}

#[test]
fn a_handshake_proves_the_secret_and_not_only_the_key() {
    let expected = ExpectedKeys::default();
    let client = || verifier(&expected).into_client_config();
    let host = keypair(1).to_z32();
    let honest = keypair(1).to_rpk_rustls_server_config();
    assert_eq!(shake_hands(client(), honest, &host), Ok(()));
    // An impostor who shows the key but signs with another.
    let shown = keypair(1).to_rpk_certified_key();
    let signs = keypair(2).to_rpk_certified_key();
    let forged = rustls::sign::CertifiedKey::new(shown.cert.clone(), signs.key.clone());
    let resolver = rustls::server::AlwaysResolvesServerRawPublicKeys::new(Arc::new(forged));
    let mut impostor = keypair(2).to_rpk_rustls_server_config();
    impostor.cert_resolver = Arc::new(resolver);
    let refused = shake_hands(client(), impostor, &host);
    assert_eq!(refused, Err(CertificateError::BadSignature.into()));
    let stranger = keypair(2).to_rpk_rustls_server_config();
    assert!(shake_hands(client(), stranger, &host).is_err());
}
