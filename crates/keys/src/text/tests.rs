//! What people paste, row by row, and that no text at all makes the parsers panic.
//! Apart from the parsers because the table is long.

use proptest::prelude::*;

use super::*;
use crate::{Keypair, z32::Z32Error};

/// The key of the seed 07 × 32.
const KEY: &str = "7jfgaa9nutjyixzikb7tgmsf9gkwq7iqz498zr1nd5ig1fng4esy";

fn key() -> PublicKey {
    Keypair::from_secret_key(&[7; 32]).public_key()
}

/// Puts the key in the place of `<key>`.
fn pasted(form: &str) -> String {
    form.replace("<key>", KEY)
}

#[test]
fn the_key_is_found_in_everything_that_people_paste() {
    for form in [
        "<key>",
        "pk:<key>",
        "pk://<key>",
        "http://<key>",
        "https://<key>",
        "foo://<key>",
        "https://user@<key>",
        "https://<key>:8443/p?q#h",
        "https://a.b.<key>./x",
        "a.b.<key>",
        "<key>.",
        "user@<key>",
        // What others refuse or misread.
        "foo.<key>:8080",
        "https://<key>/a@b",
        " <key>",
        "<key>\r\n",
        "\t https://<key>/ \n",
        // Other shapes of the same parts.
        "//<key>/x",
        "<key>:6881",
        "<key>:",
        "<key>/",
        "<key>?q",
        "<key>#h",
        "<key>/a:b@c",
        "<key>?x=https://example.com/",
        "<key>#a@b:c",
        "pk:foo.<key>:8080/x",
        "pk:user@<key>",
        "pkarr:<key>",
        "PK:<key>",
        "web+pk:<key>",
        "user:secret@<key>",
        "user:secret@foo.<key>:1/x",
        "https://user:p@ss@<key>:1",
        "https://<key>:/",
        "_proto.<key>",
        "*.<key>",
        "@.<key>",
        "..<key>",
        "x\u{e9}.<key>",
    ] {
        assert_eq!(PublicKey::parse(&pasted(form)), Ok(key()), "{form}");
        assert_eq!(
            PublicKey::parse(&pasted(form).to_uppercase()),
            Ok(key()),
            "{form} in upper case"
        );
    }
}

#[test]
fn what_is_not_a_key_is_refused_with_the_reason() {
    let length = |characters| PublicKeyError::TextLength { characters };
    for (text, error) in [
        ("", length(0)),
        (".", length(0)),
        ("pk:", length(2)),
        ("https://", length(0)),
        ("https:///<key>", length(0)),
        ("example.com", length(3)),
        ("<key>.com", length(3)),
        ("<key>@example.com", length(3)),
        ("https://example.com/<key>", length(3)),
        ("<key>y", length(53)),
        ("<key><key>", length(104)),
        ("<key>..", length(0)),
        ("<key> <key>", length(105)),
    ] {
        assert_eq!(PublicKey::parse(&pasted(text)), Err(error), "{text}");
    }
    assert_eq!(PublicKey::parse(&KEY[1..]), Err(length(51)));
    let mistyped = KEY.replacen('j', "l", 1);
    let expected = PublicKeyError::Text(Z32Error::Character { position: 1 });
    assert_eq!(PublicKey::parse(&mistyped), Err(expected));
    assert_eq!(
        PublicKey::parse(&"\u{e9}".repeat(52)),
        Err(Z32Error::Character { position: 0 }.into())
    );
}

#[test]
fn sixteen_spellings_are_one_key_and_one_of_them_is_canonical() {
    let keys = [
        (&KEY[..51], "ybndrfg8ejkmcpqx", "y"),
        ("8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ew", "ot1uwisza345h769", "o"),
    ];
    for (start, tails, canonical) in keys {
        let key = PublicKey::parse(&format!("{start}{canonical}")).unwrap();
        for tail in tails.chars() {
            let text = format!("{start}{tail}");
            let parsed = PublicKey::parse(&text).unwrap();
            assert_eq!(parsed, key);
            assert_eq!(parsed.to_z32(), format!("{start}{canonical}"));
            let strict = PublicKey::from_z32(&text);
            if text.ends_with(canonical) {
                assert_eq!(strict, Ok(key));
            } else {
                assert_eq!(strict, Err(Z32Error::SpareBits.into()));
            }
        }
    }
}

#[test]
fn the_strict_reader_takes_52_characters_and_no_decoration() {
    assert_eq!(PublicKey::from_z32(KEY), Ok(key()));
    for form in ["pk:<key>", " <key>", "<key>.", "a.<key>", "<key>\n", "", "<key>y"] {
        let refused = PublicKey::from_z32(&pasted(form));
        assert!(matches!(refused, Err(PublicKeyError::TextLength { .. })), "{form}");
    }
    let refused = PublicKey::from_z32(&KEY.to_uppercase());
    assert_eq!(refused, Err(Z32Error::Character { position: 1 }.into()));
}

#[test]
fn every_way_in_from_text_is_the_lenient_one() {
    let text = pasted("https://<key>/");
    assert_eq!(text.parse(), Ok(key()));
    assert_eq!(PublicKey::try_from(text.as_str()), Ok(key()));
    assert_eq!(PublicKey::try_from(&text), Ok(key()));
    assert_eq!(PublicKey::try_from(text), Ok(key()));
}

#[test]
fn a_key_is_written_as_its_text() {
    assert_eq!(key().to_z32(), KEY);
    assert_eq!(key().to_string(), KEY);
    assert_eq!(format!("{:>54}", key()), format!("  {KEY}"));
    assert_eq!(format!("{:?}", key()), format!("PublicKey({KEY})"));
    assert_eq!(key().to_uri_string(), format!("pk:{KEY}"));
    assert_eq!(key().short(), &KEY[..8]);
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in any::<String>()) {
        let lenient = PublicKey::parse(&text);
        prop_assert!(PublicKey::from_z32(&text).is_err() || lenient.is_ok());
    }

    #[test]
    fn no_text_with_the_shape_of_a_name_makes_the_parsers_panic(
        text in "[ybndrfg8pk:/@.?#*0-9\u{e9} %\\[\\]-]{0,80}",
    ) {
        let _ = PublicKey::parse(&text);
        let _ = PublicKey::parse(&pasted(&format!("{text}<key>")));
        let _ = PublicKey::parse(&pasted(&format!("<key>{text}")));
    }

    #[test]
    fn every_key_survives_its_decoration(
        seed: [u8; 32],
        scheme in "([a-z][a-z0-9+]{0,5}:(//)?|//)?",
        user in "([a-z]{1,5}(:[a-z0-9]{0,5})?@)?",
        below in "([a-z0-9_-]{1,9}\\.){0,3}",
        dot in "\\.?",
        port in "(:[0-9]{0,5})?",
        tail in "([/?#]\\PC{0,20})?",
    ) {
        let key = Keypair::from_secret_key(&seed).public_key();
        let text = format!("{scheme}{user}{below}{key}{dot}{port}{tail}");
        prop_assert_eq!(PublicKey::parse(&text), Ok(key), "{}", text);
        prop_assert_eq!(PublicKey::from_z32(&key.to_z32()), Ok(key));
    }
}

#[test]
fn the_name_below_the_key_is_found_in_what_people_paste() {
    let rows = [
        ("<key>", ""),
        ("pk:<key>", ""),
        ("_http._tcp.<key>.", "_http._tcp"),
        ("https://user@A.b.<key>:8080/path?x#y", "A.b"),
        ("*.<key>", "*"),
    ];
    for (form, below) in rows {
        assert_eq!(PublicKey::parse_name(&pasted(form)), Ok((key(), below)), "{form}");
    }
}
