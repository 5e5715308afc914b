//! Everything that is wrong with settings, before anything is opened.

use super::{Settings, SettingsError, mistakes::Mistakes};
use crate::{
    Config,
    http::{HttpConfig, TlsError, Tokens},
};
use std::{net::SocketAddr, time::Duration};

/// What settings make of a server: nothing in it has been opened or bound.
pub(in crate::http) struct Checked {
    pub(in crate::http) service: Config,
    pub(in crate::http) http: HttpConfig,
    /// How long requests are kept, and how many bytes of them.
    pub(in crate::http) kept: (Duration, u64),
}

impl Settings {
    /// What these settings make of a server at this address.
    ///
    /// # Errors
    /// Everything for which a start is refused before it opens anything, each with the setting's name.
    pub(in crate::http) fn checked(&self, bound: SocketAddr) -> Result<Checked, Vec<SettingsError>> {
        let mut mistakes = Mistakes::default();
        let checked = self.noting(bound, &mut mistakes);
        let mistakes = mistakes.into_all();
        if mistakes.is_empty() { Ok(checked) } else { Err(mistakes) }
    }

    /// The tokens alone.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(in crate::http) fn checked_tokens(&self) -> Result<Tokens, Vec<SettingsError>> {
        let mut mistakes = Mistakes::default();
        let (tokens, errors) = Tokens::what_is_right_of(&self.token);
        errors.into_iter().for_each(|error| mistakes.add(error));
        self.admin_noting(&mut mistakes);
        let mistakes = mistakes.into_all();
        let tokens = if self.has_database_tokens() { tokens.required() } else { tokens };
        if mistakes.is_empty() { Ok(tokens) } else { Err(mistakes) }
    }

    /// How much of the limits one requester may take, in percent.
    pub(in crate::http) fn share_percent(&self) -> u8 {
        self.max_share_percent(&mut Mistakes::default())
    }

    /// Whether a start at this address is refused before it opens anything.
    ///
    /// # Errors
    /// Everything for which it is, each with the setting's name.
    pub fn verify(&self, bound: SocketAddr) -> Result<(), Vec<SettingsError>> {
        self.checked(bound).map(drop)
    }

    /// Looks through the settings as a start would, and at more: a certificate that has ended is a mistake here. Nothing is opened, bound or
    /// made. What is no mistake and worth knowing is in the answer.
    ///
    /// # Errors
    /// Everything that is wrong, each with the setting's name.
    pub fn check(&self) -> Result<Vec<String>, Vec<SettingsError>> {
        let mut mistakes = Mistakes::default();
        let checked = self.noting(self.listen(), &mut mistakes);
        let mut hints = self.webhook_hints();
        if let (Some(tls), Some(path)) = (&checked.http.tls, &self.tls_cert) {
            let expiry = tls.expiry();
            if expiry.is_over() {
                mistakes.add(TlsError::Expired(path.clone(), expiry));
            } else if expiry.is_near() {
                hints.push(format!("{}: the certificate ends {expiry}", path.display()));
            }
        }
        let mistakes = mistakes.into_all();
        if mistakes.is_empty() { Ok(hints) } else { Err(mistakes) }
    }

    fn noting(&self, bound: SocketAddr, mistakes: &mut Mistakes) -> Checked {
        let service = self.service_noting(bound, mistakes);
        let http = self.http_noting(bound, mistakes);
        self.storage_location_noting(mistakes);
        self.audit_noting(mistakes);
        self.admin_noting(mistakes);
        Checked { service, http, kept: self.kept(mistakes) }
    }
}
