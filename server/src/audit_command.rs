//! `countersign audit`: whether a log is whole, and who did what.

use clap::{Args, Subcommand};
use countersign_server::{
    Timestamp,
    audit::{Filter, Head, KeySet, Report, show, verify},
    protocol::{PublicKeyBytes, RequestId},
};
use std::{
    error::Error,
    fs,
    io::{self, BufWriter, Write as _},
    path::PathBuf,
    time::UNIX_EPOCH,
};

/// What is wanted of a log.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Verifies that nothing in the files was changed, taken out or put in
    Verify {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The server's keys, as /.well-known/jwks.json had them; may be given several times. Without, signatures are not verified
        #[arg(long, value_name = "FILE")]
        jwks: Vec<PathBuf>,
        /// A head that was kept elsewhere, as `SEQ:HASH`, which has to be in the log
        #[arg(long, value_name = "SEQ:HASH")]
        head: Option<Head>,
    },
    /// Prints the entries of the files that everything given applies to
    Show(Show),
}

/// Which entries.
#[derive(Args)]
pub(crate) struct Show {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// About requests to this public key, however it is written
    #[arg(long, value_name = "KEY", value_parser = PublicKeyBytes::from_any_text)]
    key: Option<PublicKeyBytes>,
    /// About requests of this requester
    #[arg(long, value_name = "ID")]
    requester: Option<String>,
    /// From this time on, as in 2026-11-24 or 2026-11-24T09:00:00Z, in UTC
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// About this request
    #[arg(long, value_name = "ID")]
    request: Option<RequestId>,
}

impl AuditCommand {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Verify { files, jwks, head } => {
                let mut keys = KeySet::default();
                for path in jwks {
                    let failed = |error: &dyn Error| format!("--jwks {}: {error}", path.display());
                    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
                    keys.add(&text).map_err(|error| failed(&error))?;
                }
                let report = verify(files, Some(&keys).filter(|_| !jwks.is_empty()), *head)?;
                Ok(say(&report, !jwks.is_empty())?)
            }
            Self::Show(Show { files, key, requester, since, until, request }) => {
                let filter =
                    Filter { key: *key, requester: requester.clone(), request: *request, since: *since, until: *until };
                let mut output = BufWriter::new(io::stdout().lock());
                let wrong = show(files, &filter, &mut output)?;
                output.flush()?;
                if wrong > 0 {
                    writeln!(
                        io::stderr(),
                        "countersign: {wrong} lines are no entries; `countersign audit verify` says more"
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn say(report: &Report, has_keys: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let at = |time: Timestamp| {
        humantime::format_rfc3339_millis(UNIX_EPOCH + std::time::Duration::from_millis(time.as_millis()))
    };
    writeln!(output, "entries: {}", report.entries)?;
    for (name, entry) in [("first", report.first), ("last", report.last)] {
        if let Some((seq, time)) = entry {
            writeln!(output, "{name}: {seq}, {}", at(time))?;
        }
    }
    let verified = if has_keys { "verified" } else { "NOT verified, for want of --jwks" };
    writeln!(output, "signed heads: {}, {verified}", report.heads)?;
    if let Some((seq, time, key_id)) = &report.signed {
        writeln!(output, "last signed: {seq}, {}, by {key_id}", at(*time))?;
    }
    writeln!(output, "entries that no signature covers: {}", report.unsigned)?;
    if report.first.is_some_and(|(first, _)| first > 1) {
        writeln!(output, "what was before the first of these files is not verified")?;
    }
    if report.torn > 0 {
        writeln!(output, "writes cut off by a crash, as entries say: {}", report.torn)?;
    }
    if report.lost > 0 {
        writeln!(output, "entries missing, as entries say: {}", report.lost)?;
    }
    if report.torn_end > 0 {
        writeln!(output, "at the end {} bytes that are no whole line: a crash, or a write under way", report.torn_end)?;
    }
    Ok(())
}

/// A day or a point in time, in UTC.
fn time(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == "2026-11-24".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339_weak(&whole).map_err(|error| error.to_string())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_millis(0).after(since))
}
