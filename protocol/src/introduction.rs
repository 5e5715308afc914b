//! What an introduction's proof binds a key to: one challenge, one server address, one web origin.

use crate::prelude::*;
use crate::{binary::base64_newtype, limits};
use core::{fmt, str::FromStr};
use thiserror::Error;

/// 32 random bytes the server sends first; good for one introduction on one connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

base64_newtype!(Challenge, 32, "challenge");

/// The WebSocket URL a wallet dialled, as the URL standard serialises it, without query and fragment.
///
/// A proof names it so that a server which lures a wallet cannot pass the proof on to another server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Audience(Box<str>);

/// Why a text is not an audience.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AudienceError {
    /// Neither `ws://` nor `wss://`.
    #[error("audience does not start with ws:// or wss://")]
    Scheme,
    /// No host, a user name, or a character that the URL standard would have changed.
    #[error("audience has a host that is empty or not as the URL standard serialises it (lower case, no user name)")]
    Host,
    /// The scheme's own port, which the URL standard leaves out, or no number.
    #[error("audience has a port that is no number or is the scheme's default")]
    Port,
    /// No path, a query or fragment, or a path that the URL standard would have changed.
    #[error("audience needs a path as the URL standard serialises it, and neither query nor fragment")]
    Path,
    /// Over [`MAX_AUDIENCE_BYTES`](limits::MAX_AUDIENCE_BYTES).
    #[error("audience is over {} bytes", limits::MAX_AUDIENCE_BYTES)]
    TooLong,
}

impl Audience {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Audience {
    type Err = AudienceError;

    fn from_str(text: &str) -> Result<Self, AudienceError> {
        Self::read(text, is_ipv6)
    }
}

impl Audience {
    /// Reads one that an implementation of the URL standard has written, which is trusted to write an IPv6 address in its one form.
    ///
    /// # Errors
    /// As `from_str` has them otherwise.
    pub fn from_url(text: &str) -> Result<Self, AudienceError> {
        Self::read(text, |address| address.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b':')))
    }

    fn read(text: &str, is_address: impl Fn(&str) -> bool) -> Result<Self, AudienceError> {
        if text.len() > limits::MAX_AUDIENCE_BYTES {
            return Err(AudienceError::TooLong);
        }
        let (rest, default_port) = match (text.strip_prefix("ws://"), text.strip_prefix("wss://")) {
            (Some(rest), _) => (rest, "80"),
            (None, Some(rest)) => (rest, "443"),
            (None, None) => return Err(AudienceError::Scheme),
        };
        // Not `split_once`: its search for any character is more code than all of this, and wallets download it.
        let slash = rest.bytes().position(|byte| byte == b'/').ok_or(AudienceError::Path)?;
        let (authority, path) = rest.split_at_checked(slash).ok_or(AudienceError::Path)?;
        if !is_path(path) {
            return Err(AudienceError::Path);
        }
        let (host, port) = split_port(authority);
        if port.is_some_and(|port| port == default_port || !is_port(port)) {
            return Err(AudienceError::Port);
        }
        if !is_host(host, is_address) {
            return Err(AudienceError::Host);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits `host[:port]`, leaving the colons of a bracketed IPv6 address alone.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.bytes().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if authority.as_bytes().get(at) == Some(&b':') => {
            (authority.get(..at).unwrap_or_default(), authority.get(at + 1..))
        }
        Some(_) | None => (authority, None),
    }
}

fn is_host(text: &str, is_address: impl Fn(&str) -> bool) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => is_address(address),
        None => {
            !text.is_empty() && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'))
        }
    }
}

/// Whether a text is an IPv6 address as the URL standard serialises it (§3.5), which is shown by writing it anew.
fn is_ipv6(text: &str) -> bool {
    // Of bytes, not of characters: the searching of text is a kilobyte of code.
    let parts = || text.as_bytes().split(|byte| *byte == b':');
    let omitted_at = parts().position(<[u8]>::is_empty);
    let mut groups: Vec<&[u8]> = parts().filter(|group| !group.is_empty()).collect();
    while let Some(at) = omitted_at
        && groups.len() < 8
    {
        groups.insert(at, b"0");
    }
    let is_group = |group: &&[u8]| {
        let digits = group.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits && group.len() <= 4 && (*group == b"0" || !group.starts_with(b"0"))
    };
    groups.len() == 8 && groups.iter().all(is_group) && written_ipv6(&groups) == text.as_bytes()
}

/// The groups with colons between them, and `::` for the first longest run of two or more zeros.
fn written_ipv6(groups: &[&[u8]]) -> Vec<u8> {
    let zeros_at = |at: usize| groups.iter().skip(at).take_while(|group| **group == b"0").count();
    let longest = (0..groups.len()).rev().max_by_key(|at| zeros_at(*at)).unwrap_or(0);
    let omitted = Some(longest..longest + zeros_at(longest)).filter(|run| run.len() > 1).unwrap_or(0..0);
    let mut text = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        if !omitted.contains(&at) {
            text.extend_from_slice(group);
        }
        let is_inside = omitted.contains(&at) && at + 1 < omitted.end;
        if !is_inside && (at + 1 < groups.len() || omitted.contains(&at)) {
            text.push(b':');
        }
        if at == 0 && omitted.contains(&at) {
            text.push(b':');
        }
    }
    text
}

/// What a parser of URLs leaves alone: printable, nothing it would percent-encode or turn, no segment it would resolve.
fn is_path(text: &str) -> bool {
    let turned = |b: u8| matches!(b, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'}');
    let kept = |b: u8| b.is_ascii_graphic() && !turned(b);
    text.bytes().all(kept)
        && !text.as_bytes().split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b".."))
}

fn is_port(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The web origin a wallet runs in, as the browser's handshake states it; empty outside a browser.
///
/// A proof names it so that a page of another origin, holding nothing but the user's trust, cannot introduce itself as this one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Origin(Box<str>);

/// An origin that is too long or has characters no header value carries.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("origin is over {} bytes or not printable ASCII", limits::MAX_ORIGIN_BYTES)]
pub struct OriginError;

impl Origin {
    /// The origin, or the empty text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let fits = text.len() <= limits::MAX_ORIGIN_BYTES && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(OriginError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_a_serialised_websocket_url() {
        for text in
            ["ws://localhost:8080/ws", "wss://sign.example.com/ws", "wss://[2001:db8::1]:8443/a/ws", "ws://127.0.0.1/"]
        {
            let audience = text.parse::<Audience>().unwrap();
            assert_eq!((audience.as_str(), audience.to_string().as_str()), (text, text));
        }
    }

    #[test]
    fn an_audience_of_a_url_is_read_as_far_as_a_url_may_differ_from_it() {
        for (text, read) in [
            ("wss://[2001:db8::1]:8443/a/ws", Ok(())),
            ("wss://example.com/ws", Ok(())),
            ("wss://ex*mple.com/ws", Err(AudienceError::Host)),
            ("wss://[v1.a]/ws", Err(AudienceError::Host)),
            ("wss://example.com:443/ws", Err(AudienceError::Port)),
        ] {
            assert_eq!(Audience::from_url(text).map(|audience| assert_eq!(audience.as_str(), text)), read, "{text}");
        }
    }

    #[test]
    fn other_spellings_of_an_audience_are_refused_with_the_cause() {
        for (text, error) in [
            ("https://example.com/ws", AudienceError::Scheme),
            ("WSS://example.com/ws", AudienceError::Scheme),
            ("wss://Example.com/ws", AudienceError::Host),
            ("wss://user@example.com/ws", AudienceError::Host),
            ("wss:///ws", AudienceError::Host),
            ("wss://example.com:443/ws", AudienceError::Port),
            ("ws://a:b:81/ws", AudienceError::Host),
            ("ws://[::1/ws", AudienceError::Host),
            ("ws://[0:0::1]/ws", AudienceError::Host),
            ("ws://[localhost]/ws", AudienceError::Host),
            ("ws://example.com:80/ws", AudienceError::Port),
            ("ws://example.com:/ws", AudienceError::Port),
            ("ws://example.com:99999/ws", AudienceError::Port),
            ("wss://example.com", AudienceError::Path),
            ("wss://example.com/ws?x", AudienceError::Path),
            ("wss://example.com/ws#x", AudienceError::Path),
            ("wss://example.com/a/../ws", AudienceError::Path),
            ("wss://example.com/\\ws", AudienceError::Path),
        ] {
            assert_eq!(text.parse::<Audience>(), Err(error), "{text}");
        }
        assert_eq!(format!("ws://h/{}", "a".repeat(3000)).parse::<Audience>(), Err(AudienceError::TooLong));
    }

    /// The standard library writes addresses as the URL standard does, save for IPv4 addresses in IPv6.
    #[test]
    fn an_ipv6_address_has_one_spelling() {
        let mut spellings = 0;
        for zeros in 0..=255u8 {
            let groups = std::array::from_fn(|at| if zeros >> at & 1 == 1 { 0 } else { 0xA0 + at as u16 });
            let address = std::net::Ipv6Addr::from(groups);
            if address.to_string().contains('.') {
                continue;
            }
            assert!(is_ipv6(&address.to_string()), "{address}");
            let full: Vec<_> = groups.iter().map(|group| format!("{group:x}")).collect();
            for (from, to) in (0..8).flat_map(|from| (from + 1..=8).map(move |to| (from, to))) {
                let shortened = format!("{}::{}", full[..from].join(":"), full[to..].join(":"));
                let is_that = shortened == address.to_string();
                assert_eq!(is_ipv6(&shortened), is_that || is_other(&shortened), "{shortened}");
                spellings += usize::from(!is_that);
            }
            assert_eq!(is_ipv6(&full.join(":")), full.join(":") == address.to_string());
        }
        assert!(spellings > 8_000, "{spellings}");
        assert!(is_ipv6("::ffff:102:304"));
        for text in [
            "",
            ":",
            ":::",
            ":1",
            "1:",
            ":1::",
            "1:::2",
            "::1::",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "::00",
            "::A",
            "::1%25eth0",
        ] {
            assert!(!is_ipv6(text), "{text}");
        }
    }

    /// Whether a text is how the standard library writes the address that it reads from it.
    fn is_other(text: &str) -> bool {
        text.parse().is_ok_and(|address: std::net::Ipv6Addr| address.to_string() == text)
    }

    #[test]
    fn an_origin_is_printable_and_bounded() {
        assert!("".parse::<Origin>().is_ok());
        assert!("null".parse::<Origin>().is_ok());
        assert!("https://a b".parse::<Origin>().is_err());
        assert!("x".repeat(2049).parse::<Origin>().is_err());
    }
}
