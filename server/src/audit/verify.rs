//! Verifying files of a log.

use super::{
    chain::Head,
    error::AuditError,
    files::{feed, in_order},
    signed_head::KeySet,
    verifier::{Report, Verifier},
};
use std::path::{Path, PathBuf};

/// Verifies that the files are one unbroken chain, whatever their order; with keys that its heads are signed by one of them; and that the head
/// which somebody has kept elsewhere is in it.
///
/// # Errors
/// [`AuditError`], which names the first wrong line.
pub fn verify(files: &[PathBuf], keys: Option<&KeySet>, kept: Option<Head>) -> Result<Report, AuditError> {
    let mut verifier = Verifier::new(keys, kept);
    let wrong = |path: &Path, (line, reason)| AuditError::Wrong { path: path.to_owned(), line, reason };
    let mut before = None;
    for path in in_order(files)? {
        // What is wrong at this point is a line of the file before.
        verifier.begin_file().map_err(|error| wrong(before.unwrap_or(path), error))?;
        feed(&mut verifier, path)?;
        before = Some(path);
    }
    let report = verifier.finish().map_err(|error| wrong(before.unwrap_or(Path::new("")), error))?;
    if keys.is_some() && report.heads == 0 {
        return Err(AuditError::NothingSigned);
    }
    let range = report.first.zip(report.last).map(|((first, _), (last, _))| first..=last);
    match kept {
        Some(kept) if !range.is_some_and(|range| range.contains(&kept.seq)) => Err(AuditError::HeadMissing(kept.seq)),
        Some(_) | None => Ok(report),
    }
}
