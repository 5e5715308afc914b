//! Tokens in a file of their own, which a command writes.

use super::{Settings, SettingsError};

impl Settings {
    /// Adds the tokens in `tokens_file`, where there is one, to those in the settings' own file.
    ///
    /// # Errors
    /// Everything that is wrong with it. What makes sense of it is added all the same.
    pub fn add_tokens_file(&mut self) -> Result<(), Vec<SettingsError>> {
        let Some(path) = &self.tokens_file else { return Ok(()) };
        let (file, mut mistakes) = Self::what_is_right_in(path);
        let alone = Self { token: file.token.clone(), ..Self::default() };
        let others = file.differing(&alone).into_iter();
        mistakes.extend(others.map(|(name, _)| SettingsError::NoToken(path.clone(), name)));
        self.token.extend(file.token);
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }
}
