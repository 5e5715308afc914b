//! Settings from a TOML file: each key by itself, so that one that is wrong hides no other.

use super::{Settings, SettingsError};
use serde::Deserialize as _;
use std::{fs, mem, path::Path};
use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue, Deserializer, Error},
};

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`SettingsError::Unreadable`] and [`SettingsError::Toml`]: everything that is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, Vec<SettingsError>> {
        let (settings, errors) = Self::what_is_right_in(path);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// What of a file makes sense, and everything that does not.
    pub fn what_is_right_in(path: &Path) -> (Self, Vec<SettingsError>) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(source) => return (Self::default(), vec![SettingsError::Unreadable { path: path.into(), source }]),
        };
        let (settings, errors) = what_is_right(&text);
        (settings, errors.into_iter().map(|error| located(error, path, &text)).collect())
    }
}

fn what_is_right(text: &str) -> (Settings, Vec<Error>) {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What could be made out of a file that is no TOML is guesswork.
        return (Settings::default(), errors);
    }
    for (key, value) in mem::take(document.get_mut()) {
        if let Some(value) = right_parts(&key, value, &mut errors) {
            document.get_mut().insert(key, value);
        }
    }
    match Settings::deserialize(Deserializer::from(document)) {
        Ok(settings) => (settings, errors),
        Err(error) => (Settings::default(), errors.into_iter().chain([error]).collect()),
    }
}

/// What of a setting's value makes sense by itself: of a list each element.
fn right_parts<'a>(
    key: &Spanned<DeString<'a>>,
    value: Spanned<DeValue<'a>>,
    errors: &mut Vec<Error>,
) -> Option<Spanned<DeValue<'a>>> {
    let span = value.span();
    let mut is_right = |value: &Spanned<DeValue<'a>>| {
        let alone = DeTable::from_iter([(key.clone(), value.clone())]);
        let read = Settings::deserialize(Deserializer::from(Spanned::new(span.clone(), alone)));
        read.map_err(|error| errors.push(error)).is_ok()
    };
    let DeValue::Array(elements) = value.get_ref() else { return is_right(&value).then_some(value) };
    if elements.is_empty() {
        return is_right(&value).then_some(value);
    }
    let list = |element: &Spanned<DeValue<'a>>| {
        let mut list = DeArray::new();
        list.push(element.clone());
        Spanned::new(element.span(), DeValue::Array(list))
    };
    let mut right = DeArray::new();
    for element in elements.iter().filter(|element| is_right(&list(element))) {
        right.push(element.clone());
    }
    (!right.is_empty()).then(|| Spanned::new(value.span(), DeValue::Array(right)))
}

fn located(mut error: Error, path: &Path, text: &str) -> SettingsError {
    // Without the line itself, which may have the database's password in it.
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    error.set_input(None);
    SettingsError::Toml { path: path.into(), line, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mistake_hides_no_other() {
        let text = "max_inflight = 'x'\nlisen = 1\ntrusted_proxy = ['10.0.0.1', 'nowhere', '10.0.0.1/8']\nmax_pending = 7\n\
                    [[token]]\nname = 'a'\n[[token]]\nname = 'b'\nsha256 = 'c'\n";
        let (settings, errors) = what_is_right(text);
        let lines: Vec<_> = errors
            .into_iter()
            .map(|error| match located(error, Path::new("f"), text) {
                SettingsError::Toml { line, .. } => line,
                other => panic!("{other}"),
            })
            .collect();
        let mut sorted = lines.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 3, 5]);
        assert_eq!((settings.max_pending, settings.trusted_proxy.len(), settings.token.len()), (Some(7), 1, 1));
    }

    #[test]
    fn what_is_no_toml_is_not_guessed_at() {
        let (settings, errors) = what_is_right("max_pending = 7\nlisten = = 1\naudience = [\n");
        assert!(!errors.is_empty());
        assert_eq!(settings, Settings::default());
    }
}
