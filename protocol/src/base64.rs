//! The base64 of the wire in little code, for those who have to download it. Elsewhere the library does the same faster.

use crate::prelude::*;

/// What decodes to one text only: the standard alphabet, padded, unused bits zero (RFC 4648 §4, §3.5).
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let symbols = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut rest, mut bits) = (0, 0);
    for symbol in symbols.bytes() {
        rest = rest << 6 | u32::from(value(symbol)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((rest >> bits) as u8);
            rest &= (1 << bits) - 1;
        }
    }
    // As many symbols as leave a whole number of bytes and no more than the padding stands for.
    (text.len().is_multiple_of(4) && bits < 6 && rest == 0).then_some(bytes)
}

/// Adds the base64 of `bytes` to a text.
pub(crate) fn encode_to(text: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0, |word, at| word << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let symbol = if at <= group.len() { symbol((word >> (18 - 6 * at) & 63) as u8) } else { b'=' };
            text.push(symbol.into());
        }
    }
}

fn value(symbol: u8) -> Option<u8> {
    Some(match symbol {
        b'A'..=b'Z' => symbol - b'A',
        b'a'..=b'z' => symbol - b'a' + 26,
        b'0'..=b'9' => symbol - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

fn symbol(value: u8) -> u8 {
    match value {
        0..26 => b'A' + value,
        26..52 => b'a' + value - 26,
        52..62 => b'0' + value - 52,
        62 => b'+',
        _ => b'/',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    #[test]
    fn writes_and_reads_as_the_library_does() {
        for length in 0..300u32 {
            let bytes: Vec<u8> = (0..length).map(|n| (n * n + length * 7) as u8).collect();
            let mut text = String::new();
            encode_to(&mut text, &bytes);
            assert_eq!(text, STANDARD.encode(&bytes));
            assert_eq!(decode(&text), Some(bytes));
        }
    }

    /// Every text of up to five characters out of those that matter: each class of the alphabet, its ends, and what is not in it.
    #[test]
    fn refuses_what_the_library_refuses() {
        let symbols: Vec<char> = "AQgwz9+/=-_ \n".chars().collect();
        let mut texts = vec![String::new()];
        let mut read = 0;
        for _ in 0..5 {
            texts = texts.iter().flat_map(|text| symbols.iter().map(move |symbol| format!("{text}{symbol}"))).collect();
            for text in &texts {
                assert_eq!(decode(text), STANDARD.decode(text).ok(), "{text:?}");
                read += usize::from(decode(text).is_some());
            }
        }
        assert!(read > 4_000, "{read}");
        assert_eq!(decode(&"A".repeat(1 << 20)), Some(vec![0; 3 << 18]));
        assert_eq!(decode("é==="), None);
    }
}
