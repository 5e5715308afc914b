//! What a changed, cut or forged log looks like, and how a log goes on.

use super::{
    chain::Head,
    entry::{Entry, TokenMark},
    error::AuditError,
    journal::{Journal, SIGN_ENTRIES},
    line::{Line, LineError, MAX_LINE_BYTES},
    log::{AuditConfig, AuditLog, OnFull},
    queue::Queue,
    show::{Filter, show},
    signed_head::{KeySet, SignedHeadError},
    verifier::{Reason, Report, Verifier},
    verify::verify,
};
use crate::{store::ServerKey, time::Timestamp};
use std::{
    fs, io,
    path::{Path, PathBuf},
    slice::from_ref,
    sync::Arc,
    time::Duration,
};
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LONG: Duration = Duration::from_secs(60);

fn key(seed: u8) -> Arc<ServerKey> {
    Arc::new(ServerKey::of_seed(&Zeroizing::new([seed; 32])))
}

fn keys(seed: u8) -> KeySet {
    let mut keys = KeySet::default();
    keys.add(&key(seed).jwk_set(&[], &[]).to_string()).unwrap();
    keys
}

fn refused(outcome: &str) -> Entry<'_> {
    Entry::Refused { public_key: [7; 32].into(), requester_id: Some("bank"), address: None, outcome }
}

/// A log of some entries under two signatures, and two entries more.
fn log(seed: u8, outcomes: [&str; 4]) -> String {
    let mut journal = Journal::new(key(seed), Head::NONE, 0, "a".into());
    journal.begin_file(NOW, None, &[]);
    for outcome in &outcomes[..2] {
        journal.add(NOW, &refused(outcome));
    }
    journal.sign(NOW);
    for outcome in &outcomes[2..] {
        journal.add(NOW.after(LONG), &refused(outcome));
    }
    journal.take_lines()
}

fn check(text: &[u8], keys: Option<&KeySet>) -> Result<Report, (u64, Reason)> {
    let mut verifier = Verifier::new(keys, None);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        verifier.take(line)?;
    }
    verifier.finish()
}

#[test]
fn an_honest_log_verifies() {
    let report = check(log(1, ["a", "b", "c", "d"]).as_bytes(), Some(&keys(1))).unwrap();
    assert_eq!((report.entries, report.heads, report.unsigned), (6, 1, 3));
    assert_eq!((report.first.unwrap().0, report.last.unwrap().0, report.signed.unwrap().0), (1, 6, 3));
    assert_eq!((report.torn, report.lost, report.torn_end), (0, 0, 0));
}

#[test]
fn every_change_of_one_byte_is_found() {
    let text = log(1, ["a", "b", "c", "d"]).into_bytes();
    let honest = check(&text, None).unwrap();
    let last_line = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in 0..text.len() {
        for change in [1, 0x20, 0x80, text[at] ^ b'\n'] {
            let mut changed = text.clone();
            changed[at] ^= change;
            match check(&changed, None) {
                Err((line, _)) => {
                    let expected = 1 + text[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
                    assert!(change == 0 || line == expected, "byte {at} of line {expected}, found in line {line}");
                }
                // The last line feed is gone, as if the rest were still to come.
                Ok(report) if change != 0 => {
                    assert!(at > last_line && report.torn_end > 0 && report.entries < honest.entries, "byte {at}");
                }
                Ok(_) => {}
            }
        }
    }
}

#[test]
fn lines_taken_out_put_in_or_moved_are_found() {
    let text = log(1, ["a", "b", "c", "d"]);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_found = |lines: Vec<&str>| assert!(check(lines.concat().as_bytes(), None).is_err(), "{lines:?}");
    for at in 0..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat();
        // Nobody sees that the last is gone.
        if at < lines.len() - 1 {
            is_found(without);
        }
        is_found([&lines[..=at], &lines[at..]].concat());
        for other in 0..at {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            is_found(swapped);
        }
    }
}

#[test]
fn a_log_that_was_cut_off_says_how_far_it_goes() {
    let text = log(1, ["a", "b", "c", "d"]);
    for length in 1..text.len() {
        let report = check(&text.as_bytes()[..length], None).unwrap();
        let whole = text[..length].matches('\n').count() as u64;
        assert_eq!(report.entries, whole);
        assert_eq!(report.torn_end == 0, text[..length].ends_with('\n'));
    }
}

/// Takes the place of the entries of `text` from this line on: a chain that was computed anew, without the key.
fn forged(text: &str, from: usize, bodies: &[&str]) -> String {
    let mut lines: String = text.split_inclusive('\n').take(from).collect();
    let last = Line::parse(lines.split_inclusive('\n').next_back().unwrap().as_bytes()).unwrap();
    let mut head = Head { seq: last.seq, hash: last.hash };
    for body in bodies {
        head.append(NOW, body, &mut lines);
    }
    lines
}

#[test]
fn a_chain_computed_anew_does_not_get_past_a_signed_head() {
    let text = log(1, ["a", "b", "c", "d"]);
    let signed = text.lines().nth(3).unwrap();
    let jws = Line::parse(format!("{signed}\n").as_bytes()).unwrap().text("jws").unwrap().to_owned();
    let body = refused("other").body().unwrap();
    let head = Entry::Head { jws: &jws }.body().unwrap();
    // With the signature that there was.
    let other = forged(&text, 2, &[&body, &head]);
    assert_eq!(check(other.as_bytes(), None).unwrap_err(), (4, SignedHeadError::OtherHead.into()));
    // With one of a key of one's own.
    let own = log(2, ["a", "other", "c", "d"]);
    let unknown = SignedHeadError::UnknownKey(key(2).key_id().into());
    assert_eq!(check(own.as_bytes(), Some(&keys(1))).unwrap_err(), (4, unknown.into()));
    // With one that says it is of the right key.
    let (parts, claims) = (jws.split('.').collect::<Vec<_>>(), jws_claims(&own));
    let renamed = format!("{}.{claims}.{}", parts[0], parts[2]);
    let head = Entry::Head { jws: &renamed }.body().unwrap();
    let own = forged(&own, 3, &[&head]);
    assert_eq!(check(own.as_bytes(), Some(&keys(1))).unwrap_err(), (4, SignedHeadError::Signature.into()));
    // Without any, which goes well only as long as nobody asks for one.
    let none = forged(&text, 2, &vec![body.as_str(); SIGN_ENTRIES as usize]);
    assert_eq!(check(none.as_bytes(), None).unwrap().heads, 0);
    assert_eq!(check(none.as_bytes(), Some(&keys(1))).unwrap_err(), (SIGN_ENTRIES + 1, Reason::Unsigned));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("short");
    fs::write(&file, forged(&text, 2, &[&body])).unwrap();
    assert!(matches!(verify(from_ref(&file), Some(&keys(1)), None), Err(AuditError::NothingSigned)));
}

fn jws_claims(text: &str) -> String {
    let line = Line::parse(format!("{}\n", text.lines().nth(3).unwrap()).as_bytes()).unwrap();
    line.text("jws").unwrap().split('.').nth(1).unwrap().to_owned()
}

#[test]
fn hostile_lines_are_refused_by_name() {
    let text = log(1, ["a", "b", "c", "d"]);
    let first = text.lines().next().unwrap();
    let parse = |line: &str| Line::parse(line.as_bytes()).unwrap_err();
    assert!(matches!(parse("nonsense\n"), LineError::Json(_)));
    assert!(matches!(parse("[1]\n"), LineError::Json(_)));
    assert!(matches!(parse(&format!("{}\n", "[".repeat(100_000))), LineError::Json(_)));
    assert!(matches!(parse(&format!("{}\n", first.replacen("{", "{\"seq\":1,", 1))), LineError::Json(_)));
    assert!(matches!(
        parse(&format!("{}\n", first.replace("\"tokens\":[]", "\"x\":{\"a\":1,\"a\":2}"))),
        LineError::Json(_)
    ));
    assert_eq!(parse(&format!("{}\n", first.replace("\"seq\":1", "\"seq\":-1"))), LineError::Field("seq"));
    assert_eq!(parse(&format!("{} \n", first)), LineError::Field("hash"));
    assert_eq!(parse(&"x".repeat(MAX_LINE_BYTES + 1)), LineError::TooLong);
    assert_eq!(parse(first), LineError::CutOff);
    assert!(matches!(Line::parse(b"\xFF\n"), Err(LineError::Json(_))));
    let long = "x".repeat(MAX_LINE_BYTES + 1);
    assert_eq!(check(format!("{text}{long}\n{long}").as_bytes(), None).unwrap_err(), (7, LineError::TooLong.into()));
}

fn config(dir: &Path) -> AuditConfig {
    AuditConfig { path: dir.join("audit.jsonl"), max_bytes: 1 << 20, on_full: OnFull::Refuse }
}

/// All files of the log, oldest first, as a shell sorts them.
fn files(config: &AuditConfig) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(config.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.rotate_left(1);
    files
}

fn events(config: &AuditConfig) -> Vec<String> {
    let text: String = files(config).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let lines = text.split_inclusive('\n').filter_map(|line| Line::parse(line.as_bytes()).ok());
    lines.map(|line| line.event).collect()
}

fn token(id: &str) -> TokenMark {
    TokenMark { requester_id: id.into(), requester: "Bank".into(), token: "0011aabb".into() }
}

#[test]
fn tokens_that_are_new_or_gone_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let log = AuditLog::open(&config, key(1), vec![token("a"), token("b")]).unwrap();
    assert!(matches!(AuditLog::open(&config, key(1), vec![]), Err(AuditError::InUse(_))));
    log.reloaded(&["token"], vec![token("c"), token("b")]);
    assert!(log.stop(LONG));
    let log = AuditLog::open(&config, key(1), vec![token("c"), token("d")]).unwrap();
    assert!(log.stop(LONG));
    let first = [
        "file",
        "head",
        "start",
        "token_added",
        "token_added",
        "reloaded",
        "token_removed",
        "token_added",
        "stop",
        "head",
    ];
    let second = ["start", "token_removed", "token_added", "stop", "head"];
    assert_eq!(events(&config), [&first[..], &second].concat());
    assert_eq!(verify(&files(&config), Some(&keys(1)), None).unwrap().unsigned, 1);
}

#[test]
fn a_crash_in_the_middle_of_a_write_is_told_and_the_chain_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    assert!(AuditLog::open(&config, key(1), vec![]).unwrap().stop(LONG));
    let whole = fs::read(&config.path).unwrap();
    let rest = ["\n", "{\"seq\":", "{\"seq\":5}\n{\"se", "\0\0\0\0"];
    for (crashes, rest) in (1..).zip(rest) {
        let before = [fs::read(&config.path).unwrap(), rest.into()].concat();
        fs::write(&config.path, &before).unwrap();
        assert!(AuditLog::open(&config, key(1), vec![]).unwrap().stop(LONG));
        assert!(fs::read(&config.path).unwrap().starts_with(&before), "nothing is written anew");
        let report = verify(from_ref(&config.path), Some(&keys(1)), None).unwrap();
        assert_eq!((report.torn, report.torn_end), (crashes, 0));
    }
    // What the entry says is what has to be there.
    let text = fs::read_to_string(&config.path).unwrap().replace("{\"seq\":5}\n", "{\"seq\":6}\n");
    fs::write(&config.path, text).unwrap();
    assert!(verify(from_ref(&config.path), None, None).is_err());
    // A crash leaves no more than a write has.
    fs::write(&config.path, [whole, vec![b'\n'; 5 << 20]].concat()).unwrap();
    assert!(matches!(AuditLog::open(&config, key(1), vec![]), Err(AuditError::Wrong { .. })));
}

/// How long the log's file is. There is none for a moment, when another one takes its place.
fn length(config: &AuditConfig) -> u64 {
    loop {
        match fs::metadata(&config.path) {
            Ok(metadata) => return metadata.len(),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        }
        std::thread::yield_now();
    }
}

#[test]
fn the_chain_goes_on_from_file_to_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig { max_bytes: 2000, ..config(dir.path()) };
    for _ in 0..3 {
        let log = AuditLog::open(&config, key(1), vec![]).unwrap();
        for _ in 0..3 {
            let before = length(&config);
            for _ in 0..20 {
                log.add(&refused("a"));
            }
            // Written on its own.
            while length(&config) == before {
                std::thread::yield_now();
            }
        }
        assert!(log.stop(LONG));
    }
    let files = files(&config);
    assert!(files.len() > 3, "{files:?}");
    let report = verify(&files, Some(&keys(1)), None).unwrap();
    assert_eq!(events(&config).iter().filter(|event| *event == "refused").count(), 180);
    // Without the first, as when it has been moved away; but with none missing in between.
    assert_eq!(verify(&files[1..], Some(&keys(1)), None).unwrap().last, report.last);
    let gap = [&files[..1], &files[2..]].concat();
    assert!(matches!(verify(&gap, None, None), Err(AuditError::Wrong { line: 1, reason: Reason::Order { .. }, .. })));
    // A head that somebody has kept is in it, or another one was there.
    let line = fs::read_to_string(&files[0]).unwrap().split_inclusive('\n').next().unwrap().to_owned();
    let head = Line::parse(line.as_bytes()).map(|line| Head { seq: line.seq, hash: line.hash }).unwrap();
    assert_eq!(head.to_string().parse(), Ok(head));
    verify(&files, None, Some(head)).unwrap();
    let other = Head { seq: 2, ..head };
    assert!(matches!(verify(&files, None, Some(other)), Err(AuditError::Wrong { reason: Reason::OtherHead, .. })));
    assert!(matches!(verify(&files[1..], None, Some(head)), Err(AuditError::HeadMissing(1))));
    // A crash between the two renames.
    fs::remove_file(&config.path).unwrap();
    let log = AuditLog::open(&config, key(1), vec![]).unwrap();
    assert!(log.stop(LONG));
    verify(&self::files(&config), Some(&keys(1)), None).unwrap();
}

#[test]
fn what_finds_no_room_is_counted_and_told_behind_what_did() {
    let queue = Queue::default();
    let piece = "x".repeat(1 << 20);
    for pieces in 1..=70 {
        queue.push(NOW, piece.clone());
        assert_eq!(queue.keeps_up(), pieces <= 16, "{pieces} MiB wait");
    }
    assert_eq!(queue.lost(), 6);
    for _ in 0..63 {
        let taken = queue.take(None);
        assert_eq!((taken.entries.len(), taken.lost, taken.is_last), (1, 0, false));
    }
    let taken = queue.take(None);
    assert_eq!((taken.entries.len(), taken.lost), (1, 6));
    assert!(queue.keeps_up());
    queue.set_failing(true);
    assert!(!queue.keeps_up());
    queue.stop(NOW, "last".into());
    queue.push(NOW, "late".into());
    let taken = queue.take(None);
    assert_eq!((taken.entries.len(), taken.lost, taken.is_last), (1, 1, true));
}

#[test]
fn a_gap_is_told_and_counted() {
    let mut journal = Journal::new(key(1), Head::NONE, 0, "a".into());
    journal.begin_file(NOW, None, &[]);
    journal.add(NOW, &Entry::Gap { lost: 6 });
    journal.add(NOW, &Entry::Gap { lost: 2 });
    assert_eq!(check(journal.take_lines().as_bytes(), None).unwrap().lost, 8);
}

#[test]
fn what_is_shown_is_what_was_asked_for_and_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log");
    fs::write(&file, format!("{}nonsense\n", log(1, ["a b", "\u{1b}[2J\u{202e}", "c", "d"]))).unwrap();
    let shown = |filter: Filter| {
        let mut text = Vec::new();
        assert_eq!(show(from_ref(&file), &filter, &mut text).unwrap(), 1);
        String::from_utf8(text).unwrap()
    };
    let all = shown(Filter::default());
    assert_eq!(all.lines().count(), 6);
    assert!(all.contains("outcome=\"a b\"") && !all.contains('\u{1b}') && !all.contains('\u{202e}'), "{all}");
    assert_eq!(shown(Filter { key: Some([7; 32].into()), ..Filter::default() }).lines().count(), 4);
    assert_eq!(shown(Filter { key: Some([8; 32].into()), ..Filter::default() }), "");
    assert_eq!(shown(Filter { requester: Some("bank".into()), ..Filter::default() }).lines().count(), 4);
    assert_eq!(shown(Filter { since: Some(NOW.after(LONG)), ..Filter::default() }).lines().count(), 2);
    assert_eq!(shown(Filter { until: Some(NOW.after(LONG)), ..Filter::default() }).lines().count(), 4);
}
