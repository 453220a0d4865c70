//! Where a signup came from, for traces: the W3C Trace Context of whoever brought it.

use std::{fmt, str::FromStr};

use crate::problem::Invalid;

/// The context of a trace, as in a `traceparent` header (W3C Trace Context, level 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: [u8; 16],
    parent: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// How many bytes it has.
    pub const BYTES: usize = 25;

    /// The context of these ids; `None` where one of them is all zeros, which names nothing.
    #[must_use]
    pub fn new(trace: [u8; 16], parent: [u8; 8], flags: u8) -> Option<Self> {
        (trace != [0; 16] && parent != [0; 8]).then_some(Self {
            trace,
            parent,
            flags,
        })
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace
    }

    /// The trace as it is written: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_hex(&self) -> String {
        self.trace
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The span within it.
    #[must_use]
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent
    }

    /// The flags; the lowest bit says that it is sampled.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Packed, as stores keep it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.trace);
        bytes[16..24].copy_from_slice(&self.parent);
        bytes[24] = self.flags;
        bytes
    }

    /// Of packed bytes; `None` where they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let (trace, rest) = bytes.split_first_chunk::<16>()?;
        let (parent, flags) = rest.split_first_chunk::<8>()?;
        Self::new(*trace, *parent, *flags.first()?)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        f.write_str("00-")?;
        hex(f, &self.trace)?;
        f.write_str("-")?;
        hex(f, &self.parent)?;
        write!(f, "-{:02x}", self.flags)
    }
}

fn small_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl FromStr for TraceContext {
    type Err = Invalid;

    /// Reads a `traceparent`. A version after 00 may have more at its end, which is left out.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read = || {
            let mut parts = text.splitn(5, '-');
            let [version]: [u8; 1] = small_hex(parts.next()?)?;
            let trace = small_hex(parts.next()?)?;
            let parent = small_hex(parts.next()?)?;
            let [flags]: [u8; 1] = small_hex(parts.next()?)?;
            let more = parts.next().is_some();
            let known = version != 0xff && !(version == 0 && more);
            Self::new(trace, parent, flags).filter(|_| known)
        };
        read().ok_or_else(|| {
            Invalid(
                "this is no traceparent; it is written 00-, 32 hexadecimal digits of the trace, -, 16 of the span, -, 2 of flags"
                    .to_owned(),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_written_as_it_was_read_and_survives_packing() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.trace_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        let context: TraceContext = later.parse().unwrap();
        assert_eq!(
            context.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        );
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-\u{e9}bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
        assert_eq!(TraceContext::from_bytes(&[1; 24]), None);
    }
}
