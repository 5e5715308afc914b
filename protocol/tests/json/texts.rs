//! Texts that are JSON, nearly JSON, or hostile.

use proptest::{
    char,
    collection::vec,
    prelude::{Just, any as anything},
    prop_oneof,
    sample::{Index, select},
    strategy::{BoxedStrategy, Strategy},
};

/// A text of any kind.
pub(crate) fn any() -> impl Strategy<Value = String> {
    let edits = vec((anything::<Index>(), 0..4_u8, select(PIECES)), 1..4);
    prop_oneof![
        4 => object(),
        1 => value(),
        3 => (object(), edits).prop_map(|(text, edits)| edited(text, &edits)),
        1 => (object(), anything::<Index>()).prop_map(|(text, at)| text.chars().take(at.index(text.len() + 1)).collect()),
        2 => vec(select(PIECES), 0..24).prop_map(|pieces| pieces.concat()),
        1 => (50..140_usize).prop_map(nested),
    ]
}

/// An object in whose field `x` arrays and objects are nested so deep.
pub(crate) fn nested(depth: usize) -> String {
    let (open, close): (Vec<_>, Vec<_>) = (0..depth).map(|at| [("[", "]"), (r#"{"a":"#, "}")][at % 2]).unzip();
    format!(r#"{{"x":{}1{}}}"#, open.concat(), close.into_iter().rev().collect::<String>())
}

/// A text out of all of Unicode, and often of what JSON escapes.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let plain =
        select(vec!['"', '\\', '/', '\u{8}', '\u{C}', '\n', '\r', '\t', '\0', '\u{1F}', '\u{7F}', '\u{2028}', '🦊']);
    vec(prop_oneof![plain, char::any()], 0..12).prop_map(String::from_iter)
}

/// What texts are put together from, and what is put into those that were whole.
#[rustfmt::skip] // which would give each a line of its own
const PIECES: &[&str] = &[
    "{", "}", "[", "]", ":", ",", "\"", "\\", "/", "-", "+", ".", "e", "E", "0", "1", "9", " ", "\t", "\n", "\r", "\0",
    "\u{B}", "\u{C}", "\u{85}", "\u{A0}", "\u{2028}", "\u{FEFF}", "é", "🦊", "null", "nul", "true", "false", "NaN",
    "Infinity", "'", "//", "/**/", "\"a\"", "\"b\"", "\"é\"", "\"a\":", "{\"a\":", "\\u", "\\u00", "\\u0061", "\\u00e9",
    "\\ud83e", "\\udd8a", "\\uDC00", "\\x41", "\\n", "\\\"", "\\/", "1e999", "-0", "01", "1.", ".5",
    "18446744073709551615", "18446744073709551616", "\u{1}", "\u{7F}",
];

#[rustfmt::skip] // which would give each a line of its own
const NUMBERS: &[&str] = &[
    "0", "1", "-0", "-1", "0.0", "1.5", "1e3", "1E+3", "1e-3", "-1.5e-300", "9007199254740993", "18446744073709551615",
    "18446744073709551616", "-9223372036854775809", "1e308", "1e999", "-1e999", "1e-999", "0e999",
    "123456789012345678901234567890",
];

#[rustfmt::skip] // which would give each a line of its own
const QUOTED: &[&str] = &[
    r#""""#, r#""\u0000""#, r#""\ud83e\udd8a""#, r#""\uD83E\uDD8A""#, r#""\ud83e""#, r#""\udd8a""#, r#""\ud83e\ud83e""#,
    r#""\ud83ex""#, r#""\ud83e\n""#, r#""\/\b\f\n\r\t\"\\""#, r#""\u00E9""#, "\"\u{7F}\"",
];

const NAMES: &[&str] = &[r#""a""#, r#""b""#, r#""é""#, r#""\u0061""#, r#""\u00e9""#, r#""x""#, r#""""#, r#""a ""#];

fn quoted() -> impl Strategy<Value = String> {
    // As a whole, or with every UTF-16 unit escaped.
    let escaped = string().prop_map(|text| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    });
    prop_oneof![
        string().prop_map(|text| serde_json::to_string(&text).unwrap()),
        escaped,
        select(QUOTED).prop_map(str::to_owned),
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => select(&[" ", "\n", "\t\r", "  "][..])]
}

fn value() -> BoxedStrategy<String> {
    let literal = select(&["null", "true", "false"][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![2 => literal, 3 => select(NUMBERS).prop_map(str::to_owned), 3 => quoted()];
    leaf.prop_recursive(5, 24, 4, |inner| {
        let array = vec((space(), inner.clone(), space()), 0..4).prop_map(|items| joined("[", &items, "]"));
        prop_oneof![members(inner), array]
    })
    .boxed()
}

fn object() -> impl Strategy<Value = String> {
    (space(), members(value()), space()).prop_map(|(before, text, after)| format!("{before}{text}{after}"))
}

fn members(value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let member =
        (select(NAMES), space(), value).prop_map(|(name, space, value)| format!("{name}{space}:{space}{value}"));
    vec((space(), member, space()), 0..4).prop_map(|members| joined("{", &members, "}")).boxed()
}

fn joined(open: &str, items: &[(&str, String, &str)], close: &str) -> String {
    let items: Vec<_> = items.iter().map(|(before, item, after)| format!("{before}{item}{after}")).collect();
    format!("{open}{}{close}", items.join(","))
}

/// A text with a few characters taken out, doubled or replaced by pieces.
fn edited(text: String, edits: &[(Index, u8, &str)]) -> String {
    let mut chars: Vec<String> = text.chars().map(String::from).collect();
    for (at, how, piece) in edits {
        let at = at.index(chars.len() + 1);
        match (how, chars.get(at).cloned()) {
            (0, Some(_)) => drop(chars.remove(at)),
            (1, Some(same)) => chars.insert(at, same),
            (2, Some(_)) => chars[at] = (*piece).into(),
            _ => chars.insert(at, (*piece).into()),
        }
    }
    chars.concat()
}
