//! The settings of the listener for administrators.

use super::{Settings, SettingsError};
use crate::http::{AdminConfig, AdminSocket, Tokens};

impl Settings {
    /// Listens for administrators, if there are to be any.
    pub(super) fn admin(&self) -> Result<Option<AdminConfig>, SettingsError> {
        let tokens = Tokens::from_entries(&self.admin_token)?;
        // One that is both would let a requester do what only an administrator may.
        Tokens::from_entries(&[&self.token[..], &self.admin_token].concat())?;
        let Some(address) = &self.admin_listen else {
            return if tokens.is_empty() { Ok(None) } else { Err(SettingsError::AdminTokenWithoutListen) };
        };
        if tokens.is_empty() && !address.is_local() {
            return Err(SettingsError::OpenAdmin(address.clone()));
        }
        let socket = AdminSocket::bind(address)
            .map_err(|source| SettingsError::AdminListen { address: address.clone(), source })?;
        Ok(Some(AdminConfig { socket, tokens }))
    }
}
