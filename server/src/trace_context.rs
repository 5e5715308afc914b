//! Which trace a call belongs to, as W3C Trace Context Level 1 has it.

use std::{fmt, str::FromStr};
use thiserror::Error;

/// The length of a header of version 00 (§3.2.2): `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const BYTES: usize = 55;

/// The caller's trace and its span, of the header `traceparent`. Nothing is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceContext {
    /// The trace, never zero.
    pub trace_id: TraceId,
    /// The caller's span, never zero.
    pub parent_id: u64,
    /// The caller may have recorded the trace.
    pub sampled: bool,
}

/// Names a trace. Shown as 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The header makes no sense, and is as good as none (§4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no traceparent of W3C Trace Context")]
pub struct TraceContextError;

impl FromStr for TraceContext {
    type Err = TraceContextError;

    fn from_str(header: &str) -> Result<Self, TraceContextError> {
        let (known, rest) = header.split_at_checked(BYTES).ok_or(TraceContextError)?;
        let mut parts = known.split('-');
        let mut next = |digits| parts.next().and_then(|part| hex(part, digits)).ok_or(TraceContextError);
        let (version, trace_id, parent_id, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        // Later versions may have more behind a dash; 255 is none (§3.2.2.1).
        let is_known_version = match version {
            0 => rest.is_empty(),
            0xff => false,
            1.. => rest.is_empty() || rest.starts_with('-'),
        };
        let parent_id = u64::try_from(parent_id).map_err(|_| TraceContextError)?;
        if !is_known_version || parts.next().is_some() || trace_id == 0 || parent_id == 0 {
            return Err(TraceContextError);
        }
        Ok(Self { trace_id: TraceId(trace_id), parent_id, sampled: flags & 1 == 1 })
    }
}

/// So many hex digits, all of them lower-case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(feature = "otlp")]
impl TraceId {
    /// Its bytes, the first digits first.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn what_the_specification_has_is_taken() {
        for (header, sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-ff"), true),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-the-future-brings"), true),
        ] {
            let context: TraceContext = header.parse().unwrap();
            assert_eq!((context.trace_id.to_string().as_str(), context.sampled), (TRACE, sampled), "{header}");
            assert_eq!(format!("{:016x}", context.parent_id), SPAN);
        }
    }

    #[test]
    fn anything_else_is_none() {
        let (no_trace, no_span, large) = ("0".repeat(32), "0".repeat(16), TRACE.to_uppercase());
        for header in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01 "),
            format!("cc-{TRACE}-{SPAN}-01.x"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{no_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{no_span}-01"),
            format!("00-{large}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{TRACE}_{SPAN}-01"),
            format!("00-{SPAN}-{TRACE}-01"),
            format!("00-{}\u{e9}-{SPAN}-01", &TRACE[..31]),
        ] {
            assert_eq!(header.parse::<TraceContext>(), Err(TraceContextError), "{header}");
        }
    }
}
