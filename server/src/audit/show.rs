//! Looking up entries.

use super::{
    chain::rfc3339,
    error::AuditError,
    files::in_order,
    line::{Line, read_line},
};
use crate::time::Timestamp;
use countersign_protocol::{PublicKeyBytes, RequestId};
use std::{
    fs::File,
    io::{BufReader, Write},
    path::PathBuf,
};

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those about this key.
    pub key: Option<PublicKeyBytes>,
    /// Those about this requester's requests.
    pub requester: Option<String>,
    /// Those about this request.
    pub request: Option<RequestId>,
    /// Those of this time and later.
    pub since: Option<Timestamp>,
    /// Those before this time.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn takes(&self, line: &Line) -> bool {
        let is = |field: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| line.text(field) == Some(wanted));
        let key = self.key.map(|key| key.to_string());
        let request = self.request.map(|id| id.to_string());
        is("public_key", key.as_deref())
            && is("requester_id", self.requester.as_deref())
            && is("request_id", request.as_deref())
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
    }
}

/// Writes the entries of these files that the filter takes to `output`, a line each; how many lines are no entries. Whether the log is
/// whole is another question.
///
/// # Errors
/// [`AuditError::Io`].
pub fn show(files: &[PathBuf], filter: &Filter, output: &mut impl Write) -> Result<u64, AuditError> {
    let mut wrong = 0;
    for path in in_order(files)? {
        let failed = |source| AuditError::Io { path: path.to_owned(), source };
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        let mut bytes = Vec::new();
        while read_line(&mut reader, &mut bytes).map_err(failed)? {
            match Line::parse(&bytes) {
                Ok(line) if filter.takes(&line) => writeln!(output, "{}", text(&line)).map_err(failed)?,
                Ok(_) => {}
                Err(_) => wrong += 1,
            }
        }
    }
    Ok(wrong)
}

/// An entry for people: no letter of a stranger's text has an effect on their terminal.
fn text(line: &Line) -> String {
    let mut text = format!("{} {}", rfc3339(line.time), line.event.escape_debug());
    let fields =
        line.members.iter().filter(|(name, _)| !["seq", "time", "event", "prev", "hash"].contains(&name.as_str()));
    for (name, value) in fields {
        text.push_str(&match value.as_str() {
            Some(value) if is_plain(value) => format!(" {}={value}", name.escape_debug()),
            Some(value) => format!(" {}={value:?}", name.escape_debug()),
            None => format!(" {}={}", name.escape_debug(), value.to_string().escape_debug()),
        });
    }
    text
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
}
