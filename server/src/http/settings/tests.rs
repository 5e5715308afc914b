//! What settings make of a server, and what they refuse.

use super::{mistakes::Mistakes, *};
use crate::{
    http::Tokens,
    store::{MIN_MAX_BYTES, StoreConfig},
};
use clap::{Args as _, Command, FromArgMatches as _};
use countersign_protocol::{Audience, limits::MAX_MESSAGE_BYTES};
use std::time::Duration;

fn bound(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn audiences(settings: &Settings, at: &str) -> Vec<String> {
    settings.audiences(bound(at), &mut Mistakes::default()).iter().map(Audience::to_string).collect()
}

#[test]
fn a_file_has_every_setting_and_no_other() {
    let file: Settings = toml::from_str(
        "listen = '0.0.0.0:443'\naudience = ['wss://sign.example/ws']\nlog_format = 'json'\n[[token]]\nname = 'a'\nsha256 = 'b'",
    )
    .unwrap();
    assert_eq!(file.listen(), bound("0.0.0.0:443"));
    assert_eq!((file.token.len(), file.log_format), (1, Some(LogFormat::Json)));
    let error = toml::from_str::<Settings>("lisen = '127.0.0.1:1'").unwrap_err();
    assert!(error.to_string().contains("lisen"), "{error}");
}

#[test]
fn what_comes_first_wins() {
    let flags = ["countersign", "--max-inflight", "3", "--audience", "wss://a.example/ws", "--demo=false"];
    let flags = Settings::augment_args(Command::new("countersign")).get_matches_from(flags);
    let file = "max_inflight = 4\nmax_pending = 5\naudience = ['wss://b.example/ws']\nwebhook_target = ['https://c.example']\n\
                demo = true\n[[token]]\nname = 'a'\nsha256 = 'b'";
    let mut both: Settings = toml::from_str(file).unwrap();
    both.update_from_arg_matches(&flags).unwrap();
    assert_eq!((both.max_inflight, both.max_pending, both.demo), (Some(3), Some(5), Some(false)));
    assert_eq!(
        (both.audience, both.webhook_target),
        (vec!["wss://a.example/ws".into()], vec!["https://c.example".into()])
    );
    assert_eq!(both.token.len(), 1, "what has no flag stays");
}

#[test]
fn audiences_follow_the_listener_unless_given() {
    let settings = Settings::default();
    assert_eq!(audiences(&settings, "127.0.0.1:8080"), ["ws://localhost:8080/ws", "ws://127.0.0.1:8080/ws"]);
    assert_eq!(audiences(&settings, "0.0.0.0:80"), ["ws://localhost/ws", "ws://127.0.0.1/ws"]);
    assert!(audiences(&settings, "[::1]:81").contains(&"ws://[::1]:81/ws".to_owned()));
    let tls = Settings { tls_cert: Some("c".into()), tls_key: Some("k".into()), ..Settings::default() };
    assert_eq!(audiences(&tls, "127.0.0.1:443"), ["wss://localhost/ws", "wss://127.0.0.1/ws"]);
    let given = Settings { audience: vec!["wss://sign.example/ws".into()], ..Settings::default() };
    assert_eq!(audiences(&given, "127.0.0.1:8080"), ["wss://sign.example/ws"]);
    let bad = Settings { audience: vec!["https://sign.example".into()], ..Settings::default() };
    assert!(matches!(bad.service(bound("127.0.0.1:1")), Err(SettingsError::Audience { .. })));
}

#[test]
fn what_would_open_the_server_to_strangers_is_refused() {
    let settings = Settings::default();
    assert!(settings.http(bound("127.0.0.1:1")).is_ok());
    assert!(matches!(settings.http(bound("0.0.0.0:1")), Err(SettingsError::OpenApi(_))));
    let proxied = Settings { audience: vec!["wss://sign.example/ws".into()], ..Settings::default() };
    assert!(matches!(proxied.http(bound("127.0.0.1:1")), Err(SettingsError::OpenApiBehindProxy(_))));
    let local = Settings { audience: vec!["ws://localhost:81/ws".into()], ..Settings::default() };
    assert!(local.http(bound("127.0.0.1:1")).is_ok());
    let unproven = Settings { allow_unproven: Some(true), ..Settings::default() };
    assert!(unproven.service(bound("[::1]:1")).unwrap().allow_unproven);
    assert!(matches!(unproven.service(bound("0.0.0.0:1")), Err(SettingsError::UnprovenElsewhere(_))));
    let shared = Settings { database_url: Some("postgres://localhost/x".parse().unwrap()), ..unproven };
    assert!(matches!(shared.service(bound("127.0.0.1:1")), Err(SettingsError::UnprovenShared)));
}

#[test]
fn strangers_cannot_restart_a_demo() {
    let (_, token) = Tokens::generate("a", None).unwrap();
    let demo = Settings { demo: Some(true), token: vec![token], ..Settings::default() };
    assert!(demo.http(bound("127.0.0.1:1")).unwrap().demo.is_some());
    assert!(matches!(demo.http(bound("192.0.2.1:1")), Err(SettingsError::DemoElsewhere(_))));
    let proxied = Settings { audience: vec!["wss://sign.example/ws".into()], ..demo };
    assert!(matches!(proxied.http(bound("127.0.0.1:1")), Err(SettingsError::DemoBehindProxy(_))));
    assert!(Settings::default().http(bound("127.0.0.1:1")).unwrap().demo.is_none());
}

#[test]
fn sizes_have_a_range() {
    let zero = Settings { max_inflight: Some(0), ..Settings::default() };
    let huge = Settings { max_message_bytes: Some(MAX_MESSAGE_BYTES + 1), ..Settings::default() };
    for settings in [zero, huge] {
        assert!(matches!(settings.service(bound("127.0.0.1:1")), Err(SettingsError::OutOfRange { .. })));
    }
}

#[test]
fn what_is_kept_has_a_range_too() {
    let opened = |change: fn(&mut Settings)| {
        let mut settings = Settings { data_dir: Some("data".into()), ..Settings::default() };
        change(&mut settings);
        settings.storage_location()
    };
    let expected = StoreConfig { retention: Duration::from_secs(7200), ..StoreConfig::new("data") };
    let location = opened(|settings| settings.retention_hours = Some(2)).unwrap();
    assert!(matches!(location, StorageLocation::Directory(store) if store == expected));
    assert!(matches!(opened(|settings| settings.data_dir = None), Ok(StorageLocation::Nowhere)));
    let database = |settings: &mut Settings| {
        settings.data_dir = None;
        settings.database_url = Some("postgres://localhost/x".parse().unwrap());
        settings.max_store_bytes = Some(MIN_MAX_BYTES);
    };
    assert!(matches!(opened(database), Ok(StorageLocation::Database(store)) if store.max_bytes == MIN_MAX_BYTES));
    let both = |settings: &mut Settings| settings.database_url = Some("postgres://localhost/x".parse().unwrap());
    assert!(matches!(opened(both), Err(SettingsError::TwoPlaces)));
    let key = |settings: &mut Settings| settings.server_key = Some("key".into());
    assert!(matches!(opened(key), Err(SettingsError::ServerKeyElsewhere)));
    let wrong: [fn(&mut Settings); 3] = [
        |settings| settings.retention_hours = Some(0),
        |settings| settings.retention_hours = Some(u64::MAX),
        |settings| settings.max_store_bytes = Some(MIN_MAX_BYTES - 1),
    ];
    for change in wrong {
        assert!(matches!(opened(change), Err(SettingsError::OutOfRange { .. })));
    }
}

#[test]
fn the_database_s_password_is_shown_to_nobody() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for broken in [
        "database_url = 'postgres://u:secret@h/d",
        "\nlisten = 1\ndatabase_url = 'postgres://u:secret@h/d'",
        "\nsecret = 1",
    ] {
        std::fs::write(file.path(), broken).unwrap();
        let errors = Settings::from_file(file.path()).unwrap_err();
        assert!(!errors.is_empty());
        for error in errors.iter().map(ToString::to_string) {
            assert!(error.contains(", line "), "{error}");
            assert!(!error.contains("u:secret"), "{error}");
        }
    }
    let flags = ["countersign", "--database-url", "postgres://u:secret@h/d?sslmode=prefer"];
    let flags = Settings::augment_args(Command::new("countersign")).get_matches_from(flags);
    let settings = Settings::from_arg_matches(&flags).unwrap();
    let error = settings.assemble(bound("127.0.0.1:1")).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("--database-url: sslmode has to be"), "{error}");
    assert!(!format!("{settings:?} {error} {error:?}").contains("secret"));
}

#[test]
fn without_rate_limits_there_is_none() {
    let settings = Settings { no_rate_limit: Some(true), frames_per_second: NonZeroU32::new(1), ..Settings::default() };
    assert_eq!(settings.service(bound("127.0.0.1:1")).unwrap().frames_per_second, None);
    assert_eq!(settings.http(bound("127.0.0.1:1")).unwrap().connects_per_second, None);
}
