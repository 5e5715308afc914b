//! A server that does what it should not.

use super::*;

#[test]
fn a_frame_out_of_order_breaks_the_connection_off() {
    let hostile: [fn(&mut Bench); 6] = [
        |bench| bench.receive(ask(1)),
        |bench| bench.receive(welcome(LIMITS)),
        |bench| {
            bench.receive(challenge());
            bench.receive(challenge());
        },
        |bench| {
            bench.receive(challenge());
            bench.sign();
            bench.receive(challenge());
        },
        |bench| {
            bench.welcome();
            bench.receive(challenge());
        },
        |bench| {
            bench.welcome();
            bench.receive(welcome(LIMITS));
        },
    ];
    for hostile in hostile {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        hostile(&mut bench);
        assert_eq!(bench.transmits().last(), Some(&Transmit::Close(CloseCode::ProtocolError)));
        assert_eq!(bench.errors(), ["protocol_error"]);
        bench.receive(ask(1));
        bench.sign();
        assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]), "nothing more on this connection");
        bench.closed(Closed::AsAsked);
        assert!(matches!(bench.last_state(), State::Reconnecting { error: Error::Protocol(_), .. }));
    }
}

#[test]
fn what_is_no_frame_is_dropped_and_too_much_of_it_is_enough() {
    let mut bench = Bench::welcomed();
    let deep = "[".repeat(50_000);
    let texts = ["", "null", "{", "{\"type\":\"sign_reject\"}", "{\"type\":\"nonsense\"}", &deep];
    for text in texts {
        bench.receive_text(text);
    }
    bench.wallet.handle_incoming(bench.now, Incoming::Binary);
    bench.wallet.handle_incoming(bench.now, Incoming::TooLong(usize::MAX));
    bench.receive_text(&" ".repeat(MAX_FRAME_BYTES + 1));
    assert_eq!(bench.errors(), ["bad_frame"; 9]);
    bench.receive(ask(1));
    assert_eq!(bench.prompts(), 1);
    bench.clear();
    for _ in 9..MOST_FAULTS {
        assert_eq!(bench.transmits(), []);
        bench.receive_text("");
    }
    assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::ProtocolError)]);
    bench.closed(Closed::AsAsked);
    assert!(matches!(bench.last_state(), State::Reconnecting { error: Error::BadFrame(_), .. }));
}

#[test]
fn before_the_welcome_frames_are_short() {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    bench.receive_text(&format!("{}{}", challenge().to_json(), " ".repeat(MAX_INTRODUCTION_FRAME_BYTES)));
    assert_eq!(bench.errors(), ["bad_frame"]);
    assert_eq!(bench.tasks, []);
}

#[test]
fn the_reserved_prefix_is_refused_for_the_key_and_never_shown_or_signed() {
    let mut bench = Bench::welcomed();
    // base64 of 0xFF "countersign/v1/introduction"
    let text = ask(1)
        .to_json()
        .replace(&serde_json::to_string(&message()).unwrap(), "\"/2NvdW50ZXJzaWduL3YxL2ludHJvZHVjdGlvbg==\"");
    bench.receive_text(&text);
    assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Key)]);
    assert_eq!(bench.errors(), ["bad_frame"]);
    assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
}

#[test]
fn a_request_of_which_only_the_id_can_be_read_is_refused_for_the_device() {
    for (good, bad) in [
        ("\"Order 1042\"", "\"line\\nbreak\""),
        ("\"attempt\":1", "\"attempt\":-1"),
        ("\"message\":\"", "\"message\":\"~"),
        ("\"message\"", "\"massage\""),
    ] {
        let mut bench = Bench::welcomed();
        let text = ask(1).to_json().replace(good, bad);
        assert_ne!(text, ask(1).to_json());
        bench.receive_text(&text);
        assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)], "{bad}");
        assert_eq!(bench.prompts(), 0);
    }
}

#[test]
fn an_unreadable_repetition_changes_nothing() {
    let mut bench = Bench::welcomed();
    bench.receive(ask(1));
    bench.clear();
    bench.receive_text(&ask(1).to_json().replace("\"attempt\":1", "\"attempt\":-1"));
    assert_eq!(bench.sent(), []);
    bench.approve(id(1));
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
}

#[test]
fn a_message_longer_than_the_welcome_allows_is_refused() {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    bench.receive(challenge());
    bench.sign();
    bench.receive(welcome(WelcomeLimits { max_message_bytes: message().len() - 1, max_inflight: 16 }));
    bench.clear();
    bench.receive(ask(1));
    assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)]);
    assert_eq!(bench.prompts(), 0);
}

#[test]
fn no_welcome_opens_the_wallet_without_bound() {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    bench.receive(challenge());
    bench.sign();
    bench.receive(welcome(WelcomeLimits { max_message_bytes: usize::MAX, max_inflight: usize::MAX }));
    for n in 0..300 {
        bench.receive(ask(n));
    }
    assert_eq!(bench.prompts(), MOST_OPEN);
}

#[test]
fn texts_from_outside_are_cut_and_cannot_forge_lines() {
    let mut bench = Bench::welcomed();
    let message = format!("first\nsecond{}", "x".repeat(10_000));
    bench.receive(ServerFrame::Error(ErrorFrame { code: ErrorCode::Malformed, message, request_id: None }));
    let [Event::Error(Error::Server { message, .. })] = &bench.events()[..] else { panic!("one error") };
    assert!(message.starts_with("first\u{FFFD}second") && message.chars().count() == 200);
}
