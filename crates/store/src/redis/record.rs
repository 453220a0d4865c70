//! An onboarding as it was accepted, packed: what a million of them cost is mostly this.
//!
//! The length of a trunk name that a person chose and the name, the digest of the signup, the number in
//! seven bytes, the sealed password, the trace that it came with if it did, and the texts, compressed against a
//! dictionary of what they have in common.
//!
//! What comes behind the password begins with a byte that says what it is. A version that does not
//! know that byte refuses the record, and says that a newer one wrote it.

use onboarding::{
    AccountName, Direction, Key, OnboardingId, PartnerName, PhoneNumber, Plan, SipPassword, Step,
    TraceContext,
};
use sha2::{Digest, Sha256};

use crate::{Error, NewOnboarding, Result, SealingKey, intake::digits_of};

/// What the texts of onboardings have in common. Records name the dictionary that they were
/// compressed against, so this one is never edited: a better one is a second file.
const DICTIONARY: &[u8] = include_bytes!("record_dictionary_1.txt");
const DICTIONARY_NUMBER: u8 = 1;

/// Stands where else the dictionary's number does: a trace comes first, and then that number. A
/// record without a trace costs nothing for it.
const TRACED: u8 = 0x80;

/// Longest texts of one onboarding; the longest plan that recipes allow is far below.
const TEXTS_MAX: usize = 16 * 1024 * 1024;

/// Between two texts. None of them holds a control character: they are validated names or JSON.
const BETWEEN: char = '\n';

/// An onboarding as it was accepted.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) account: AccountName,
    pub(super) partner: PartnerName,
    pub(super) number: PhoneNumber,
    pub(super) direction: Direction,
    pub(super) recipe: String,
    pub(super) signup: String,
    pub(super) plan: Plan,
    pub(super) password: Option<SipPassword>,
    pub(super) trace: Option<TraceContext>,
}

/// Where an accepted onboarding stands; see `lua/onboarding.lua`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) created_ms: i64,
}

impl Entry {
    /// `None` for one that is of a batch which is not accepted, or not entered, yet.
    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(packed);
        let (seq, created) = (bytes.number(6)?, bytes.number(6)?);
        bytes.take(8).filter(|_| bytes.0.is_empty())?;
        Some(Self {
            seq,
            created_ms: i64::try_from(created).ok()?,
        })
    }
}

/// Packs what is to be accepted.
pub(super) fn pack(new: &NewOnboarding, key: &SealingKey, place: &str) -> Result<Vec<u8>> {
    let unusable = |message: String| Error::Unusable {
        place: place.to_owned(),
        message,
    };
    let plan = serde_json::to_string(&new.plan).map_err(|error| unusable(error.to_string()))?;
    let name = chosen_trunk_name(&new.plan).unwrap_or_default();
    let sealed = match &new.password {
        Some(password) => key
            .seal(&new.id.to_bytes(), password.secret())
            .map_err(|error| unusable(error.to_string()))?,
        None => Vec::new(),
    };
    let texts = [
        new.account.as_str(),
        new.partner.as_str(),
        new.key.as_str(),
        &new.recipe,
        new.direction.as_str(),
        &new.signup,
        &plan,
    ]
    .join("\n");
    let length = |n: usize, what: &str| {
        u8::try_from(n).map_err(|_| unusable(format!("{what} has more than 255 bytes; shorten it")))
    };
    let mut packed = vec![length(name.len(), "a trunk name")?];
    packed.extend_from_slice(name.as_bytes());
    packed.extend_from_slice(&Sha256::digest(new.signup.as_bytes())[..16]);
    packed.extend_from_slice(&number_field(&new.number));
    packed.push(length(sealed.len(), "a sealed password")?);
    packed.extend_from_slice(&sealed);
    if let Some(trace) = new.trace {
        packed.push(TRACED);
        packed.extend_from_slice(&trace.to_bytes());
    }
    put_text(&mut packed, &texts)
        .ok_or_else(|| unusable(format!("the signup {} is too long", new.key)))?;
    Ok(packed)
}

/// A number as the scripts know it: its digits, at most 15, in seven bytes.
pub(super) fn number_field(number: &PhoneNumber) -> [u8; 7] {
    let [_, field @ ..] = digits_of(number).to_be_bytes();
    field
}

/// Appends a text, compressed: which dictionary, how long it is, and it. `None`: it is too long.
pub(super) fn put_text(packed: &mut Vec<u8>, text: &str) -> Option<()> {
    let size = u32::try_from(text.len())
        .ok()
        .filter(|size| *size as usize <= TEXTS_MAX)?;
    packed.push(DICTIONARY_NUMBER);
    packed.extend_from_slice(&size.to_be_bytes());
    packed.extend(lz4_flex::block::compress_with_dict(
        text.as_bytes(),
        DICTIONARY,
    ));
    Some(())
}

/// Reads what [`put_text`] wrote, or says what is wrong with it.
pub(super) fn text_of(packed: &[u8]) -> Result<String, String> {
    let mut bytes = Bytes(packed);
    let (Some(dictionary), Some(size)) = (bytes.byte(), bytes.number(4)) else {
        return Err("the record is cut off".to_owned());
    };
    if dictionary != DICTIONARY_NUMBER {
        return Err(
            "the record was written by a newer trunkline; use that one, or a newer".to_owned(),
        );
    }
    let size = usize::try_from(size).unwrap_or(TEXTS_MAX).min(TEXTS_MAX);
    let text = lz4_flex::block::decompress_with_dict(bytes.0, size, DICTIONARY)
        .map_err(|error| format!("the record cannot be unpacked: {error}"))?;
    String::from_utf8(text).map_err(|_| "the record's text is no UTF-8".to_owned())
}

fn chosen_trunk_name(plan: &Plan) -> Option<&str> {
    plan.steps.iter().find_map(|step| {
        if let Step::CreateTrunk { name, chosen: true } = step {
            Some(name.as_str())
        } else {
            None
        }
    })
}

/// Takes bytes off the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|one| one[0])
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let digits = self.take(bytes)?;
        Some(digits.iter().fold(0, |n, digit| n << 8 | u64::from(*digit)))
    }
}

/// Reads a packed record of the onboarding `id`.
pub(super) fn unpack(
    id: OnboardingId,
    packed: &[u8],
    key: &SealingKey,
    place: &str,
) -> Result<Record> {
    let damaged = |message: &str| Error::Corrupt {
        place: format!("{place}, {id}"),
        message: message.to_owned(),
    };
    let parts = split(packed).ok_or_else(|| damaged("the record is cut off"))?;
    let texts = text_of(parts.texts).map_err(|wrong| damaged(&wrong))?;
    let texts: Vec<&str> = texts.splitn(7, BETWEEN).collect();
    let [account, partner, own_key, recipe, direction, signup, plan] = texts[..] else {
        return Err(damaged("the record has not all of its texts"));
    };
    let password = if parts.sealed.is_empty() {
        None
    } else {
        let opened = key.open(&id.to_bytes(), parts.sealed);
        Some(SipPassword::from_secret(
            opened.map_err(|error| damaged(&error.to_string()))?,
        ))
    };
    let invalid = |what: &str, error: &dyn std::fmt::Display| {
        damaged(&format!(
            "the {what} of an onboarding cannot be read: {error}"
        ))
    };
    Ok(Record {
        key: own_key.parse().map_err(|error| invalid("key", &error))?,
        account: account
            .parse()
            .map_err(|error| invalid("account", &error))?,
        partner: partner
            .parse()
            .map_err(|error| invalid("partner", &error))?,
        number: format!("+{}", parts.number)
            .parse()
            .map_err(|error| invalid("number", &error))?,
        direction: direction
            .parse()
            .map_err(|error| invalid("direction", &error))?,
        recipe: recipe.to_owned(),
        signup: signup.to_owned(),
        plan: serde_json::from_str(plan).map_err(|error| invalid("plan", &error))?,
        password,
        trace: parts.trace,
    })
}

struct Parts<'a> {
    /// Its digits.
    number: u64,
    sealed: &'a [u8],
    trace: Option<TraceContext>,
    /// See [`text_of`].
    texts: &'a [u8],
}

fn split(packed: &[u8]) -> Option<Parts<'_>> {
    let mut bytes = Bytes(packed);
    let name = bytes.byte()?;
    bytes.take(usize::from(name))?;
    bytes.take(16)?;
    let number = bytes.number(7)?;
    let sealed = bytes.byte()?;
    let sealed = bytes.take(usize::from(sealed))?;
    let trace = match bytes.0.split_first() {
        Some((&TRACED, rest)) => {
            bytes = Bytes(rest);
            // One that names nothing is none.
            TraceContext::from_bytes(bytes.take(TraceContext::BYTES)?)
        }
        Some(_) | None => None,
    };
    Some(Parts {
        number,
        sealed,
        trace,
        texts: bytes.0,
    })
}

#[cfg(test)]
mod tests {
    use onboarding::Secret;

    use super::*;

    const PLACE: &str = "redis://made-up";

    fn new(plan: &str, signup: &str) -> NewOnboarding {
        let key: Key = "crm-4700".parse().unwrap();
        NewOnboarding {
            id: OnboardingId::of(&key),
            key,
            account: "acme".parse().unwrap(),
            partner: "elevenlabs".parse().unwrap(),
            number: "+918000000001".parse().unwrap(),
            direction: Direction::Outbound,
            signup: signup.to_owned(),
            plan: serde_json::from_str(plan).unwrap(),
            recipe: "9a97c91c4103ba42923a8fd5f2ec3447".to_owned(),
            password: Some(SipPassword::from_secret(Secret::new("planted-password"))),
            trace: None,
        }
    }

    /// As ElevenLabs' recipe makes it of a signup with a caller id.
    fn four_steps() -> NewOnboarding {
        new(
            r#"{"steps":[{"step":"create_trunk","name":"el_72y7cg13xfg0y"},{"step":"map_number","number":"+918000000001"},{"step":"create_credentials","user_name":"el_72y7cg13xfg0y","friendly_name":"ElevenLabs"},{"step":"set_caller_id","caller_id":"+918000000001"}]}"#,
            r#"{"account":"acme","partner":"elevenlabs","number":"+918000000001","direction":"outbound","caller_id":"+918000000001"}"#,
        )
    }

    #[test]
    fn only_an_accepted_entry_is_one() {
        let mut accepted = vec![0, 0, 0, 0, 0, 7];
        accepted.extend(&1_790_000_000_000_u64.to_be_bytes()[2..]);
        accepted.extend([0, 0, 0, 1, 0, 0, 0, 9]);
        let entry = Entry::unpack(&accepted).unwrap();
        assert_eq!((entry.seq, entry.created_ms), (7, 1_790_000_000_000));
        let laid_down = b"S12345678\0\0\0\x01";
        assert_eq!(Entry::unpack(laid_down), None);
        assert_eq!(Entry::unpack(b""), None);
    }

    #[test]
    fn a_record_is_read_as_it_was_packed_and_its_password_is_not_in_it_in_clear() {
        let key = SealingKey::generate().0;
        let new = four_steps();
        let packed = pack(&new, &key, PLACE).unwrap();
        assert!(!packed.windows(16).any(|w| w == b"planted-password"));
        let read = unpack(new.id, &packed, &key, PLACE).unwrap();
        assert_eq!(
            (read.key, read.account, read.partner),
            (new.key, new.account, new.partner)
        );
        assert_eq!((read.number, read.direction), (new.number, new.direction));
        assert_eq!(
            (read.recipe, read.signup, read.plan),
            (new.recipe, new.signup, new.plan)
        );
        assert_eq!(read.password, new.password);
    }

    #[test]
    fn a_trace_is_kept_and_costs_those_without_one_nothing() {
        let key = SealingKey::generate().0;
        let without = four_steps();
        let mut traced = without.clone();
        let trace = TraceContext::new([1; 16], [2; 8], 1);
        traced.trace = trace;
        let packed = pack(&traced, &key, PLACE).unwrap();
        assert_eq!(
            unpack(traced.id, &packed, &key, PLACE).unwrap().trace,
            trace
        );
        let bare = pack(&without, &key, PLACE).unwrap();
        assert_eq!(packed.len(), bare.len() + 1 + TraceContext::BYTES);
        // As it was written before traces were known.
        assert_eq!(unpack(without.id, &bare, &key, PLACE).unwrap().trace, None);
        let sealed = 25 + usize::from(bare[24]);
        assert_eq!(bare[sealed], DICTIONARY_NUMBER);
        for length in 0..packed.len() {
            assert!(unpack(traced.id, &packed[..length], &key, PLACE).is_err());
        }
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_and_says_so() {
        let key = SealingKey::generate().0;
        let new = four_steps();
        let mut packed = pack(&new, &key, PLACE).unwrap();
        let sealed = 25 + usize::from(packed[24]);
        packed[sealed] = 0x7f;
        let refused = unpack(new.id, &packed, &key, PLACE).unwrap_err();
        assert!(refused.to_string().contains("newer"), "{refused}");
    }

    #[test]
    fn a_usual_record_packs_into_less_than_half_of_its_text() {
        let new = four_steps();
        let packed = pack(&new, &SealingKey::generate().0, PLACE).unwrap();
        let text = new.signup.len() + serde_json::to_string(&new.plan).unwrap().len();
        assert!(packed.len() - 64 < text / 2, "{} of {text}", packed.len());
    }

    #[test]
    fn a_damaged_record_is_an_error_whatever_was_done_to_it() {
        let key = SealingKey::generate().0;
        let new = four_steps();
        let record = pack(&new, &key, PLACE).unwrap();
        for length in 0..record.len() {
            assert!(
                unpack(new.id, &record[..length], &key, PLACE).is_err(),
                "{length}"
            );
        }
        for at in 0..record.len() {
            let mut flipped = record.clone();
            flipped[at] ^= 0xff;
            // Never a panic; what is not covered by a check may still be read.
            drop(unpack(new.id, &flipped, &key, PLACE));
        }
        let stranger = SealingKey::generate().0;
        assert!(unpack(new.id, &record, &stranger, PLACE).is_err());
    }
}
