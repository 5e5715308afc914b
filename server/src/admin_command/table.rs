//! What a server answers, for people.

use serde_json::Value;
use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

/// The columns of a list.
pub(super) struct Columns(&'static [Column]);

struct Column {
    head: &'static str,
    /// A JSON pointer (RFC 6901) into a row.
    field: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    /// Milliseconds since 1970.
    Time,
    /// How many there are.
    Count,
}

const fn column(head: &'static str, field: &'static str, kind: Kind) -> Column {
    Column { head, field, kind }
}

pub(super) const CONNECTIONS: Columns = Columns(&[
    column("KEY", "/public_key", Kind::Plain),
    column("DEVICE", "/device/label", Kind::Plain),
    column("ADDRESS", "/address", Kind::Plain),
    column("SINCE", "/since_ms", Kind::Time),
    column("OPEN", "/inflight", Kind::Plain),
    column("CONNECTION", "/connection_id", Kind::Plain),
]);

pub(super) const REQUESTS: Columns = Columns(&[
    column("REQUEST", "/request_id", Kind::Plain),
    column("REQUESTER", "/requester_id", Kind::Plain),
    column("KEY", "/public_key", Kind::Plain),
    column("STATE", "/state", Kind::Plain),
    column("CREATED", "/created_ms", Kind::Time),
    column("EXPIRES", "/expires_at_ms", Kind::Time),
    column("DURABLE", "/durable", Kind::Plain),
    column("ASKED", "/connections", Kind::Count),
]);

pub(super) const WEBHOOKS: Columns = Columns(&[
    column("REQUEST", "/request_id", Kind::Plain),
    column("REQUESTER", "/requester_id", Kind::Plain),
    column("STATE", "/state", Kind::Plain),
    column("ATTEMPTS", "/attempts", Kind::Plain),
    column("NEXT", "/next_attempt_ms", Kind::Time),
    column("ENDED", "/ended_ms", Kind::Time),
    column("TARGET", "/target", Kind::Plain),
]);

pub(super) const BLOCKS: Columns = Columns(&[
    column("KEY", "/public_key", Kind::Plain),
    column("SINCE", "/since_ms", Kind::Time),
    column("UNTIL", "/until_ms", Kind::Time),
    column("REASON", "/reason", Kind::Plain),
]);

impl Columns {
    /// Prints rows, below the heads if these are the first.
    pub(super) fn print(&self, output: &mut impl Write, rows: &[Value], with_heads: bool) -> io::Result<()> {
        let heads = with_heads.then(|| self.0.iter().map(|column| column.head.to_owned()).collect());
        let rows = rows.iter().map(|row| self.0.iter().map(|column| column.text(row)).collect());
        let lines: Vec<Vec<String>> = heads.into_iter().chain(rows).collect();
        let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..self.0.len()).map(|at| width(at).unwrap_or(0)).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(output, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Column {
    fn text(&self, row: &Value) -> String {
        match (row.pointer(self.field), self.kind) {
            (None | Some(Value::Null), _) => "-".into(),
            (Some(value), Kind::Time) => time(value),
            (Some(value), Kind::Count) => value.as_array().map_or(0, Vec::len).to_string(),
            (Some(value), Kind::Plain) => plain(value),
        }
    }
}

/// Prints the members of an object, a line each, those of objects within it under both names.
pub(super) fn print_members(output: &mut impl Write, object: &Value) -> io::Result<()> {
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) => {
                for (inner_name, value) in inner {
                    writeln!(output, "{}.{}: {}", name.escape_debug(), inner_name.escape_debug(), plain(value))?;
                }
            }
            value => writeln!(output, "{}: {}", name.escape_debug(), plain(value))?,
        }
    }
    Ok(())
}

/// No letter of a stranger's text has an effect on the terminal.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        value => value.to_string().escape_debug().to_string(),
    }
}

fn time(value: &Value) -> String {
    let at = value.as_u64().and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)));
    // The formatter panics beyond the year 9999.
    let printable = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    at.filter(|at| *at < printable).map_or_else(|| plain(value), |at| humantime::format_rfc3339_seconds(at).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_as_wide_as_its_cells_and_moves_no_cursor() {
        let rows = [
            json!({ "public_key": "k", "device": { "label": "a\u{1b}[2Jb" }, "since_ms": 1_764_000_000_000_u64, "inflight": 2, "connection_id": "c" }),
            json!({ "public_key": "longer", "address": "192.0.2.1", "since_ms": u64::MAX, "inflight": 0, "connection_id": "d" }),
        ];
        let mut output = Vec::new();
        CONNECTIONS.print(&mut output, &rows, true).unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("KEY     DEVICE"), "{text}");
        assert!(lines[1].contains("a\\u{1b}[2Jb") && lines[1].contains("2025-11-24T16:00:00Z"), "{text}");
        assert!(lines[2].contains("18446744073709551615"), "{text}");
        let mut output = Vec::new();
        print_members(&mut output, &json!({ "a": 1, "b": { "c": "x" } })).unwrap();
        assert_eq!(output, b"a: 1\nb.c: x\n");
    }
}
