//! A process that is gone without a word.

use super::{NOW, Written, accept, end, id, ids, open, record, write};
use crate::store::Store;
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};
use tempfile::TempDir;

/// What a process would leave that is killed now.
fn remains(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn assert_has_first_three(store: &Store, open: &[crate::record::Record]) {
    assert_eq!(open, [record(2), record(3)]);
    assert!(super::read(store, id(1)).unwrap().unwrap().end.is_some());
}

#[test]
fn what_was_reported_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for n in 1..=3 {
        assert_eq!(write(&store, accept(n)), Ok(Written::Done));
    }
    write(&store, end(1)).unwrap();
    let copy = remains(dir.path());
    let (reopened, loaded) = open(copy.path());
    assert_has_first_three(&reopened, &loaded.open);
    assert_eq!(ids(&loaded.ended), [id(1)]);
    // A process that dies once more, before it has written anything.
    drop(store);
    let copy = remains(copy.path());
    let (reopened, loaded) = open(copy.path());
    assert_has_first_three(&reopened, &loaded.open);
}

#[test]
fn a_write_that_was_cut_off_is_not_there_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for n in 1..=3 {
        write(&store, accept(n)).unwrap();
    }
    write(&store, end(1)).unwrap();
    let log = |dir: &Path| dir.join("countersign.db-wal");
    let before = fs::metadata(log(dir.path())).unwrap().len();
    write(&store, accept(4)).unwrap();
    let after = fs::metadata(log(dir.path())).unwrap().len();
    assert!(after > before);
    for cut in [before, before + 1, after - 4096, after - 1] {
        let copy = remains(dir.path());
        let file = OpenOptions::new().append(true).open(log(copy.path())).unwrap();
        file.set_len(cut).unwrap();
        (&file).write_all(&[0xA5; 100]).unwrap();
        let (reopened, loaded) = Store::open(super::StoreConfig::new(copy.path()), NOW).unwrap();
        assert_has_first_three(&reopened, &loaded.open);
        assert_eq!(write(&reopened, accept(5)), Ok(Written::Done));
    }
}
