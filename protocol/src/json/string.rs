//! What a JSON string says.

use crate::prelude::*;
use alloc::borrow::Cow;
use core::str::Chars;

/// A string as it stands between its quotes, its escapes well formed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a str,
    pub(super) is_escaped: bool,
}

impl<'a> Quoted<'a> {
    /// The text it says; none where an escape is half of a surrogate pair, which is no character.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        if self.is_escaped { unescape(self.raw.chars()).map(Cow::Owned) } else { Some(Cow::Borrowed(self.raw)) }
    }
}

fn unescape(mut raw: Chars<'_>) -> Option<String> {
    let mut text = String::with_capacity(raw.as_str().len());
    while let Some(c) = raw.next() {
        text.push(if c == '\\' { escaped(&mut raw)? } else { c });
    }
    Some(text)
}

fn escaped(raw: &mut Chars<'_>) -> Option<char> {
    Some(match raw.next()? {
        'b' => '\u{8}',
        'f' => '\u{C}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => match hex(raw)? {
            high @ 0xD800..0xDC00 => {
                let low = (raw.next()? == '\\' && raw.next()? == 'u').then(|| hex(raw)).flatten()?;
                let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                char::from_u32(0x1_0000 + ((high - 0xD800) << 10 | low))?
            }
            unit => char::from_u32(unit)?,
        },
        itself => itself,
    })
}

fn hex(raw: &mut Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | raw.next()?.to_digit(16)?;
    }
    Some(unit)
}
