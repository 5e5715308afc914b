//! Signs of life, its own and the server's.

use super::*;

#[test]
fn asks_after_a_silence_and_again_after_the_next() {
    let mut bench = Bench::welcomed();
    assert_eq!(bench.wait_until_due(), HEARTBEAT);
    let [ClientFrame::Ping(beat)] = bench.sent()[..] else { panic!("one ping") };
    bench.receive(ServerFrame::Pong(beat));
    assert_eq!(bench.wait_until_due(), HEARTBEAT);
    assert!(matches!(bench.sent()[..], [ClientFrame::Ping(_)]));
}

#[test]
fn any_frame_is_a_sign_of_life() {
    let mut bench = Bench::welcomed();
    bench.wait(Millis(HEARTBEAT.0 - 1));
    bench.receive(error(ErrorCode::RateLimited));
    bench.wait(Millis(HEARTBEAT.0 - 1));
    assert_eq!(bench.sent(), []);
}

#[test]
fn takes_a_socket_without_pong_for_dead() {
    let mut bench = Bench::welcomed();
    bench.wait_until_due();
    bench.clear();
    assert_eq!(bench.wait_until_due(), PONG_TIMEOUT);
    assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Timeout)]);
    bench.closed(Closed::AsAsked);
    let State::Reconnecting { error, retry_in } = bench.last_state() else { panic!("reconnecting") };
    assert_eq!((error, retry_in), (Error::HeartbeatTimeout, Millis(1_000)));
}

#[test]
fn answers_pings_and_ignores_pongs_it_did_not_ask_for() {
    let mut bench = Bench::welcomed();
    bench.receive(ServerFrame::Ping(PingPong { t: 7 }));
    bench.receive(ServerFrame::Pong(PingPong { t: 8 }));
    assert_eq!(bench.sent(), [ClientFrame::Pong(PingPong { t: 7 })]);
}

#[test]
fn no_welcome_makes_it_ping_like_mad_or_never() {
    for (stated, kept) in [(0, 1_000), (u64::MAX, 300_000)] {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        bench.sign();
        let connection_id = ConnectionId::from_random_bytes([1; 16]);
        bench.receive(ServerFrame::Welcome(Welcome { connection_id, heartbeat_ms: stated, limits: LIMITS }));
        assert_eq!(bench.wait_until_due(), Millis(kept));
    }
}
