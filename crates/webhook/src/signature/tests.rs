//! The published vectors, and the cases that the reference libraries test.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use onboarding::Secret;

use super::{SigningKey, TOLERANCE, Verifier, sign};
use crate::{Error, Mapping, Sender, Senders, Unauthentic};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNED_AT: i64 = 1_614_265_330;
const VECTOR: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn key(secret: &str) -> SigningKey {
    SigningKey::parse(&Secret::new(secret)).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn verifier(secrets: &[&str]) -> Verifier {
    Verifier::new(
        secrets.iter().map(|secret| key(secret)).collect(),
        TOLERANCE,
    )
    .unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

fn signed_with(signature: &str) -> HeaderMap {
    headers(&[
        ("webhook-id", MESSAGE),
        ("webhook-timestamp", &SIGNED_AT.to_string()),
        ("webhook-signature", signature),
    ])
}

#[test]
fn the_published_vectors_are_signed_as_published() {
    let vectors: &[(&str, &str, i64, &[u8], &str)] = &[
        (SECRET, MESSAGE, SIGNED_AT, BODY, VECTOR),
        (
            OTHER_SECRET,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ];
    for (secret, id, second, body, signature) in vectors {
        assert_eq!(
            sign(&[key(secret)], id, at(*second), body),
            *signature,
            "{id}"
        );
        let headers = headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &second.to_string()),
            ("webhook-signature", signature),
        ]);
        let signed = verifier(&[secret])
            .verify(&headers, body, at(*second))
            .unwrap();
        assert_eq!((signed.id.as_str(), signed.at), (*id, at(*second)));
    }
}

#[test]
fn a_secret_without_its_prefix_or_padding_is_the_same_secret() {
    let bare = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for text in [bare, &format!("whsec_{bare}"), &format!(" whsec_{bare}\n")] {
        assert_eq!(sign(&[key(text)], MESSAGE, at(SIGNED_AT), BODY), VECTOR);
    }
    let (padded, bare) = (
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    );
    assert_eq!(
        sign(&[key(padded)], MESSAGE, at(SIGNED_AT), BODY),
        sign(&[key(bare)], MESSAGE, at(SIGNED_AT), BODY)
    );
}

#[test]
fn a_secret_that_is_none_is_refused_without_being_told() {
    let long = format!("whsec_{}", "QUFB".repeat(22));
    for (bad, why) in [
        ("whsec_", "0 bytes"),
        ("whsec_c2hvcnQtc2VjcmV0", "12 bytes"),
        (&long, "66 bytes"),
        ("whsec_not/base64!not/base64!not/base64!", "base64"),
        (
            "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "asymmetric",
        ),
    ] {
        let error = SigningKey::parse(&Secret::new(bad)).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains(why), "{bad}: {told}");
        let material = bad.split_once('_').unwrap().1;
        assert!(material.is_empty() || !told.contains(material), "{told}");
    }
    let shown = format!("{:?} {:?}", key(SECRET), verifier(&[SECRET]));
    assert!(!shown.contains("MfKQ") && shown.contains("***"), "{shown}");
}

#[test]
fn only_a_whole_signature_of_our_version_counts() {
    let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let cases: &[(&str, String, bool)] = &[
        ("the right one", VECTOR.into(), true),
        ("one bit off", VECTOR.replace("1OE=", "1OA="), false),
        ("another's", wrong.into(), false),
        ("nothing", String::new(), false),
        ("only the version", "v1,".into(), false),
        ("no version", VECTOR.replace("v1,", ""), false),
        ("the first half", VECTOR[..20].into(), false),
        ("a longer one", format!("{VECTOR}AAAA"), false),
        ("not base64", "v1,%%%".into(), false),
        (
            "another version of the same",
            VECTOR.replace("v1,", "v2,"),
            false,
        ),
        (
            "an asymmetric version",
            VECTOR.replace("v1,", "v1a,"),
            false,
        ),
        (
            "the right one among others",
            format!(
                "{wrong} {} v1a,AAAA v9 {VECTOR} {wrong}",
                VECTOR.replace("v1,", "v2,")
            ),
            true,
        ),
        ("others only", format!("{wrong} {wrong} v1, v2,x"), false),
        ("blanks around", format!("  {wrong}   {VECTOR}  "), true),
    ];
    for (name, signature, is_right) in cases {
        let verified = verifier(&[SECRET]).verify(&signed_with(signature), BODY, at(SIGNED_AT));
        let expected = if *is_right {
            Ok(())
        } else {
            Err(Unauthentic::NoMatch)
        };
        assert_eq!(verified.map(|_| ()), expected, "{name}");
    }
}

#[test]
fn what_is_signed_is_the_id_the_time_and_every_byte_of_the_body() {
    let changed: &[(&str, &str, i64, &[u8])] = &[
        ("id", "msg_other", SIGNED_AT, BODY),
        ("time", MESSAGE, SIGNED_AT + 1, BODY),
        (
            "a blank of the body",
            MESSAGE,
            SIGNED_AT,
            br#"{"test":2432232314}"#,
        ),
        (
            "the end of the body",
            MESSAGE,
            SIGNED_AT,
            br#"{"test": 2432232314"#,
        ),
        ("no body", MESSAGE, SIGNED_AT, b""),
    ];
    for (name, id, second, body) in changed {
        let headers = headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &second.to_string()),
            ("webhook-signature", VECTOR),
        ]);
        let verified = verifier(&[SECRET]).verify(&headers, body, at(SIGNED_AT));
        assert_eq!(verified.unwrap_err(), Unauthentic::NoMatch, "{name}");
    }
}

#[test]
fn headers_that_are_missing_or_malformed_are_told_apart() {
    let long = "x".repeat(201);
    let time = SIGNED_AT.to_string();
    // What is sent instead of a header's right value: nothing, other values, or two.
    let cases: &[(&'static str, &[&str])] = &[
        ("webhook-id", &[]),
        ("webhook-id", &[""]),
        ("webhook-id", &["a.1"]),
        ("webhook-id", &["a b"]),
        ("webhook-id", &[&long]),
        ("webhook-id", &[MESSAGE, MESSAGE]),
        ("webhook-timestamp", &[]),
        ("webhook-timestamp", &[""]),
        ("webhook-timestamp", &["hello"]),
        ("webhook-timestamp", &["+5"]),
        ("webhook-timestamp", &["-5"]),
        ("webhook-timestamp", &["1.5"]),
        ("webhook-timestamp", &["99999999999999999999"]),
        ("webhook-timestamp", &[&time, &time]),
        ("webhook-signature", &[]),
    ];
    for (header, values) in cases {
        let mut sent = signed_with(VECTOR);
        sent.remove(*header);
        for value in *values {
            sent.append(*header, HeaderValue::from_str(value).unwrap());
        }
        let refused = verifier(&[SECRET]).verify(&sent, BODY, at(SIGNED_AT));
        let refused = refused.unwrap_err();
        if values.is_empty() {
            assert_eq!(refused, Unauthentic::Missing(header));
        } else {
            let told = refused.to_string();
            let expected = format!("the header {header} is malformed; ");
            assert!(told.starts_with(&expected), "{values:?}: {told}");
        }
    }
}

#[test]
fn a_message_is_taken_within_the_window_and_not_beside_it() {
    let cases: &[(i64, Option<bool>)] = &[
        (-301, Some(false)),
        (-300, None),
        (-1, None),
        (0, None),
        (300, None),
        (301, Some(true)),
        (i64::from(u32::MAX), Some(true)),
    ];
    for (age, is_old) in cases {
        let now = at(SIGNED_AT + age);
        let verified = verifier(&[SECRET]).verify(&signed_with(VECTOR), BODY, now);
        let tolerance_seconds = 300;
        let expected = match is_old {
            None => Ok(()),
            Some(true) => Err(Unauthentic::TooOld { tolerance_seconds }),
            Some(false) => Err(Unauthentic::TooNew { tolerance_seconds }),
        };
        assert_eq!(verified.map(|_| ()), expected, "{age}");
        // Who does not know a secret learns nothing of the clock.
        let stranger = verifier(&[OTHER_SECRET]).verify(&signed_with(VECTOR), BODY, now);
        assert_eq!(stranger.unwrap_err(), Unauthentic::NoMatch, "{age}");
    }
}

#[test]
fn a_secret_is_replaced_without_a_message_lost() {
    let both = [key(OTHER_SECRET), key(SECRET)];
    let signature = sign(&both, MESSAGE, at(SIGNED_AT), BODY);
    assert_eq!(signature.split(' ').count(), 2);
    for secrets in [&[SECRET][..], &[OTHER_SECRET], &[OTHER_SECRET, SECRET]] {
        for signature in [signature.as_str(), VECTOR] {
            let verified = verifier(secrets).verify(&signed_with(signature), BODY, at(SIGNED_AT));
            let is_known = signature != VECTOR || secrets.contains(&SECRET);
            assert_eq!(verified.is_ok(), is_known, "{secrets:?}");
        }
    }
}

#[test]
fn a_flood_of_signatures_is_refused_unread() {
    let signature = vec![VECTOR; 17].join(" ");
    let refused = verifier(&[SECRET]).verify(&signed_with(&signature), BODY, at(SIGNED_AT));
    assert!(matches!(refused, Err(Unauthentic::Malformed { .. })));
}

#[test]
fn a_verifier_without_secrets_or_with_a_boundless_window_is_refused() {
    for (keys, tolerance, fields) in [
        (0, 300, &["secrets"][..]),
        (5, 300, &["secrets"]),
        (1, 0, &["tolerance_seconds"]),
        (0, 86_401, &["secrets", "tolerance_seconds"]),
    ] {
        let keys = vec![key(SECRET); keys];
        let Err(Error::Settings(problems)) = Verifier::new(keys, Duration::from_secs(tolerance))
        else {
            panic!("taken: {fields:?}");
        };
        let told: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(told, fields);
    }
}

fn sender(name: &str, secret: &str) -> Sender {
    Sender {
        name: name.into(),
        verifier: verifier(&[secret]),
        mapping: Mapping::default(),
    }
}

#[test]
fn a_message_is_the_senders_whose_secret_signed_it() {
    let senders = Senders::new(vec![
        sender("forms", OTHER_SECRET),
        sender("billing", SECRET),
    ]);
    let senders = senders.unwrap();
    let headers = signed_with(VECTOR);
    let cases: &[(Option<&str>, i64, Result<&str, Unauthentic>)] = &[
        (None, 0, Ok("billing")),
        (Some("billing"), 0, Ok("billing")),
        (Some("forms"), 0, Err(Unauthentic::NoMatch)),
        (Some("nobody"), 0, Err(Unauthentic::NoMatch)),
        (
            None,
            301,
            Err(Unauthentic::TooOld {
                tolerance_seconds: 300,
            }),
        ),
    ];
    for (named, age, expected) in cases {
        let verified = senders.verify(*named, &headers, BODY, at(SIGNED_AT + age));
        let verified = verified.map(|message| message.sender.name.as_str());
        assert_eq!(verified, *expected, "{named:?} {age}");
    }
    let nobody = Senders::default();
    assert!(nobody.is_empty());
    let refused = nobody.verify(None, &headers, BODY, at(SIGNED_AT));
    assert_eq!(refused.unwrap_err(), Unauthentic::NoMatch);
}

#[test]
fn senders_with_bad_names_the_same_names_or_too_many_are_refused() {
    let many = (0..17).map(|n| sender(&format!("s{n}"), SECRET)).collect();
    for (senders, why) in [
        (vec![sender("a b", SECRET)], "letters"),
        (vec![sender("", SECRET)], "letters"),
        (
            vec![sender("a", SECRET), sender("a", OTHER_SECRET)],
            "twice",
        ),
        (many, "at most 16"),
    ] {
        let told = Senders::new(senders).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn the_headers_of_svix_are_taken_where_the_usual_ones_are_missing_and_never_mixed_with_them() {
    let time = SIGNED_AT.to_string();
    let verify = |pairs: &[(&'static str, &str)]| {
        verifier(&[SECRET]).verify(&headers(pairs), BODY, at(SIGNED_AT))
    };
    let of_svix = [
        ("svix-id", MESSAGE),
        ("svix-timestamp", &time),
        ("svix-signature", VECTOR),
    ];
    assert_eq!(verify(&of_svix).unwrap().id, MESSAGE);
    for (name, value) in [
        ("webhook-id", MESSAGE),
        ("webhook-timestamp", &time),
        ("webhook-signature", VECTOR),
    ] {
        let mut mixed = of_svix.to_vec();
        mixed.push((name, value));
        let refused = verify(&mixed).unwrap_err();
        assert!(matches!(refused, Unauthentic::Missing(_)), "{name}");
        assert!(refused.to_string().contains("webhook-"), "{refused}");
    }
    // Both, whole: the usual ones count.
    let mut both = vec![
        ("webhook-id", MESSAGE),
        ("webhook-timestamp", time.as_str()),
        ("webhook-signature", VECTOR),
    ];
    both.extend([("svix-id", "other"), ("svix-signature", "v1,AAAA")]);
    assert_eq!(verify(&both).unwrap().id, MESSAGE);
    let refused = verify(&of_svix[..2]).unwrap_err();
    assert_eq!(refused, Unauthentic::Missing("svix-signature"));
}

#[test]
fn how_a_secret_without_its_prefix_is_read_is_said_without_the_secret() {
    assert_eq!(SigningKey::reading(&Secret::new(SECRET)), None);
    let hexadecimal = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let told = SigningKey::reading(&Secret::new(hexadecimal)).unwrap();
    assert!(
        told.contains("48 bytes") && told.contains("hexadecimal"),
        "{told}"
    );
    assert!(!told.contains("00112233"), "{told}");
    let bare = SECRET.trim_start_matches("whsec_");
    let told = SigningKey::reading(&Secret::new(bare)).unwrap();
    assert!(
        told.contains("24 bytes") && !told.contains("looks like"),
        "{told}"
    );
}
