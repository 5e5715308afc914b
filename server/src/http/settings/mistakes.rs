//! Everything that is wrong with settings, rather than the first of it.

use super::SettingsError;

/// What was found to be wrong.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<SettingsError>);

impl Mistakes {
    /// Takes note of something.
    pub(super) fn add(&mut self, error: impl Into<SettingsError>) {
        self.0.push(error.into());
    }

    /// The value; where there is an error, that is noted, and `otherwise` stands in for going on.
    pub(super) fn or<T>(&mut self, result: Result<T, SettingsError>, otherwise: T) -> T {
        match result {
            Ok(value) => value,
            Err(error) => {
                self.add(error);
                otherwise
            }
        }
    }

    /// All of it, in the order in which it was found, each once.
    pub(super) fn into_all(self) -> Vec<SettingsError> {
        let mut all: Vec<SettingsError> = Vec::new();
        for error in self.0 {
            if !all.iter().any(|known| known.to_string() == error.to_string()) {
                all.push(error);
            }
        }
        all
    }

    /// What was made, if nothing is wrong; the first error otherwise.
    pub(super) fn first_or<T>(self, made: T) -> Result<T, SettingsError> {
        self.0.into_iter().next().map_or(Ok(made), Err)
    }
}
