//! Settings within their ranges, or an error that names the setting and its range.

use super::SettingsError;
use countersign_protocol::limits::MAX_TIMEOUT_MS;
use std::time::Duration;

pub(super) fn in_range(
    setting: &'static str,
    value: Option<usize>,
    default: usize,
    most: usize,
) -> Result<usize, SettingsError> {
    let value = value.unwrap_or(default);
    within(setting, value as u64, 1, most as u64).map(|_| value)
}

pub(super) fn milliseconds(
    setting: &'static str,
    value: Option<u64>,
    default: Duration,
) -> Result<Duration, SettingsError> {
    value.map_or(Ok(default), |value| within(setting, value, 1, MAX_TIMEOUT_MS).map(Duration::from_millis))
}

pub(super) fn within(setting: &'static str, value: u64, least: u64, most: u64) -> Result<u64, SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(SettingsError::OutOfRange { setting, value, least, most })
}
