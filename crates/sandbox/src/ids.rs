//! Identifiers and times as they appear on the wire.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Spreads a number over all 64 bits (the finaliser of splitmix64). It is a bijection, so that
/// different sequence numbers can never give the same identifier.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in `0.0..1.0` made from a sequence number; 53 bits, as many as a double holds.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) fn unit_interval(number: u64) -> f64 {
    (mix(number) >> 11) as f64 / (1u64 << 53) as f64
}

/// A trunk's SID, kept as the number that its text is made from: eight bytes instead of 28.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TrunkSid(u64);

const SID_PREFIX: &str = "trmum1";
const SID_SUFFIX: &str = "1a1n";
const SID_LENGTH: usize = 28;

impl TrunkSid {
    pub(crate) fn new(sequence: u64, salt: u64) -> Self {
        Self(mix(sequence ^ salt))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(SID_PREFIX)?.strip_suffix(SID_SUFFIX)?;
        if text.len() != SID_LENGTH || digits.bytes().any(|b| b.is_ascii_uppercase() || b == b'+') {
            return None;
        }
        let sid = Self(u64::from_str_radix(digits.get(..16)?, 16).ok()?);
        let check = u8::from_str_radix(digits.get(16..)?, 16).ok()?;
        (check == sid.check()).then_some(sid)
    }

    fn check(self) -> u8 {
        mix(self.0).to_le_bytes()[0]
    }
}

impl fmt::Display for TrunkSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SID_PREFIX}{:016x}{:02x}{SID_SUFFIX}",
            self.0,
            self.check()
        )
    }
}

/// The identifier of one request: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestId(pub(crate) u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", mix(self.0), mix(!self.0))
    }
}

/// A resource's number, which the API prints as a string of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) u32);

impl Id {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            text.parse().ok().map(Self)
        } else {
            None
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A phone number in E.164, without its plus sign: 15 digits at most, so a `u64` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PhoneNumber(u64);

impl PhoneNumber {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let shape = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if shape {
            digits.parse().ok().map(Self)
        } else {
            None
        }
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// A trunk's name: at most 16 bytes, kept in place, since both the trunk and the index of names
/// have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TrunkName([u8; Self::LONGEST]);

impl TrunkName {
    /// Longest trunk name, by Exotel's reference.
    pub(crate) const LONGEST: usize = 16;

    /// `None`: it is too long. The alphabet is for the caller to check.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut name = [0; Self::LONGEST];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        let length = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(Self::LONGEST);
        str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

/// Whole seconds since 1970, UTC; good until 2106.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u32);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(i64::from(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => f.write_str("1970-01-01T00:00:00Z"),
        }
    }
}

macro_rules! serialize_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
serialize_as_text!(TrunkSid, RequestId, Id, PhoneNumber, Stamp);

macro_rules! deserialize_from_text {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                let wrong = || D::Error::custom(concat!("this is no ", stringify!($name)));
                Self::parse(&text).ok_or_else(wrong)
            }
        }
    )*};
}
deserialize_from_text!(TrunkSid, Id, PhoneNumber);

/// Times where nobody but this program reads them.
pub(crate) mod stamp_as_seconds {
    use super::{Deserialize, Deserializer, Serializer, Stamp};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(crate) fn serialize<S: Serializer>(
        stamp: &Stamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(stamp.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Stamp, D::Error> {
        u32::deserialize(deserializer).map(Stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_survives_being_written_and_read() {
        for sequence in 0..1000 {
            let sid = TrunkSid::new(sequence, 7);
            assert_eq!(TrunkSid::parse(&sid.to_string()), Some(sid));
            assert_eq!(sid.to_string().len(), SID_LENGTH);
        }
    }

    #[test]
    fn text_that_no_sid_was_written_as_is_refused() {
        let sid = TrunkSid::new(1, 7).to_string();
        for text in [
            "",
            "trmum1",
            "trmum11a1n",
            &sid[1..],
            &sid.to_uppercase(),
            "trmum1é1a1n",
        ] {
            assert_eq!(TrunkSid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_e164_is_a_phone_number() {
        let table = [
            ("+919876543210", true),
            ("919876543210", false),
            ("+0919876543210", false),
            ("+91 9876543210", false),
            ("+123456", false),
            ("+1234567890123456", false),
            ("", false),
        ];
        for (text, good) in table {
            assert_eq!(PhoneNumber::parse(text).is_some(), good, "{text}");
        }
        assert_eq!(
            PhoneNumber::parse("+919876543210").unwrap().to_string(),
            "+919876543210"
        );
    }
}
