//! The command that backs a database up: PostgreSQL's own program does that.

use super::url::DatabaseUrlError;
use crate::store::DatabaseUrl;
use std::path::Path;

impl DatabaseUrl {
    /// The shell command that makes a backup of the database in `<dir>/countersign.dump`, and takes the place of an earlier one only once it is whole. It has no
    /// password in it.
    ///
    /// # Errors
    /// [`DatabaseUrlError`], which does not quote the URL.
    pub fn dump_command(&self, dir: &Path) -> Result<String, DatabaseUrlError> {
        let url = quoted(&self.without_password()?);
        let dump = dir.join("countersign.dump");
        let (dump, partial) = (quoted(&dump.to_string_lossy()), quoted(&format!("{}.partial", dump.display())));
        Ok(format!(
            "pg_dump --format=custom --no-unlogged-table-data --exclude-table-data=nodes --file={partial} {url} && mv {partial} {dump}"
        ))
    }
}

/// As a shell reads it as one word.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_for_a_shell_and_has_no_password() {
        let url: DatabaseUrl = "postgres://u:secret@h/it's?sslmode=require".parse().unwrap();
        assert_eq!(
            url.dump_command(Path::new("/a b")).unwrap(),
            r"pg_dump --format=custom --no-unlogged-table-data --exclude-table-data=nodes --file='/a b/countersign.dump.partial' 'postgres://u@h/it'\''s?sslmode=require' && mv '/a b/countersign.dump.partial' '/a b/countersign.dump'"
        );
        let broken: DatabaseUrl = "mysql://u:secret@h/d".parse().unwrap();
        assert_eq!(broken.dump_command(Path::new("/a")), Err(DatabaseUrlError::Malformed));
    }
}
