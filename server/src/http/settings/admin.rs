//! The settings of the listener for administrators.

use super::{Settings, SettingsError, mistakes::Mistakes};
use crate::http::{AdminConfig, AdminSocket, Tokens};

impl Settings {
    /// Listens for administrators, if there are to be any.
    pub(super) fn admin(&self) -> Result<Option<AdminConfig>, SettingsError> {
        let tokens = self.admin_tokens()?;
        let Some(address) = &self.admin_listen else { return Ok(None) };
        let socket = AdminSocket::bind(address)
            .map_err(|source| SettingsError::AdminListen { address: address.clone(), source })?;
        Ok(Some(AdminConfig { socket, tokens }))
    }

    /// Takes note of what is wrong; nothing is listened for.
    pub(super) fn admin_noting(&self, mistakes: &mut Mistakes) {
        mistakes.or(self.admin_tokens().map(drop), ());
    }

    fn admin_tokens(&self) -> Result<Tokens, SettingsError> {
        let tokens = Tokens::from_entries(&self.admin_token)?;
        // It would be believed to hold an administrator back.
        if let Some(scoped) = self.admin_token.iter().find(|entry| entry.is_scoped()) {
            return Err(SettingsError::ScopedAdminToken(scoped.name.clone()));
        }
        // One that is both would let a requester do what only an administrator may.
        Tokens::from_entries(&[&self.token[..], &self.admin_token].concat())?;
        match &self.admin_listen {
            None if !tokens.is_open() => Err(SettingsError::AdminTokenWithoutListen),
            Some(address) if tokens.is_open() && !address.is_local() => Err(SettingsError::OpenAdmin(address.clone())),
            None | Some(_) => Ok(tokens),
        }
    }
}
