//! Drives a [`Wallet`] with the host's socket, timer and signer, and the platform's clock.

use crate::prelude::*;
use crate::{
    backoff::Jitter,
    effect::{Event, Prompt, SignTask, SignTaskId, State, StoreAction, StoreTask, StoreTaskId, Transmit},
    error::{Error, printable},
    host::{Host, performance_now},
    record::Record,
    time::{LaterClock, Timestamp},
    wallet::{Closed, Config, Incoming, Wallet},
};
use core::cell::{Cell, RefCell};
use countersign_protocol::{Purpose, RequestId, SUBPROTOCOL, limits::MAX_FRAME_BYTES};
use js_sys::Uint8Array;

/// The clock's reading when the page began: 69 years, so that moments from long before have a place too.
const BEFORE: f64 = (1_u64 << 41) as f64;

/// No borrow of `wallet` outlives the statement it is made in: every call into JavaScript may call back.
pub(crate) struct Driver {
    wallet: RefCell<Wallet>,
    clock: Cell<LaterClock>,
    host: Host,
    /// When the host was asked to wake the wallet.
    wakes_at: Cell<Option<Timestamp>>,
    draining: Cell<bool>,
}

impl Driver {
    pub(crate) fn new(config: Config, host: Host) -> Self {
        Self {
            wallet: RefCell::new(Wallet::new(config)),
            clock: Cell::new(LaterClock::new(performance_now(), js_sys::Date::now())),
            host,
            wakes_at: Cell::new(None),
            draining: Cell::new(false),
        }
    }

    fn now(&self) -> Timestamp {
        let mut clock = self.clock.get();
        let now = clock.read(performance_now(), js_sys::Date::now());
        self.clock.set(clock);
        timestamp(BEFORE + now)
    }

    /// Gives the wallet one input and carries out all that follows from it.
    pub(crate) fn input<T>(&self, input: impl FnOnce(&mut Wallet, Timestamp) -> T) -> T {
        let output = input(&mut self.wallet.borrow_mut(), self.now());
        self.drain();
        output
    }

    /// Takes in a record that was kept, whose time is over in so many milliseconds, or was so long ago if they are negative.
    pub(crate) fn restore(&self, json: &str, expires_in_ms: f64) -> bool {
        let record = Record::from_json(json, timestamp(milliseconds(self.now().as_millis()) + expires_in_ms));
        record.map(|record| self.input(|wallet, now| wallet.restore(now, record))).is_ok()
    }

    pub(crate) fn stored(&self, task: f64, error: Option<String>) {
        let result = error.map_or(Ok(()), |error| Err(Error::Storage(printable(&error))));
        self.input(|wallet, now| wallet.handle_stored(now, StoreTaskId(whole(task)), result));
    }

    pub(crate) fn signed(&self, task: f64, signature: &[u8]) {
        match <[u8; 64]>::try_from(signature) {
            Ok(signature) => {
                self.input(|wallet, now| wallet.handle_signed(now, SignTaskId(whole(task)), signature.into()));
            }
            Err(_) => self.sign_failed(task, Error::InvalidSignature("it is not 64 bytes long".into())),
        }
    }

    pub(crate) fn sign_failed(&self, task: f64, error: Error) {
        self.input(|wallet, now| wallet.handle_sign_failed(now, SignTaskId(whole(task)), error));
    }

    pub(crate) fn received(&self, text: Option<&str>, units: u32) {
        let incoming = match (text, units) {
            (Some(text), _) => Incoming::Text(text),
            (None, 0) => Incoming::Binary,
            (None, units) => Incoming::TooLong(units as usize),
        };
        self.input(|wallet, now| wallet.handle_incoming(now, incoming));
    }

    pub(crate) fn closed(&self, closed: Closed) {
        self.input(|wallet, now| wallet.handle_closed(now, closed, jitter()));
    }

    pub(crate) fn wake(&self) {
        self.wakes_at.set(None);
        self.input(Wallet::handle_timeout);
    }

    /// Carries out what the wallet asks until it asks for nothing more. Called again from within, it leaves the work to the
    /// call that is already at it, so that things happen one after another.
    fn drain(&self) {
        if self.draining.replace(true) {
            return;
        }
        while self.carry_out_one() {}
        self.draining.set(false);
        self.arm_timer();
    }

    fn carry_out_one(&self) -> bool {
        let task = self.wallet.borrow_mut().poll_store();
        if let Some(task) = task {
            self.store(task);
            return true;
        }
        let task = self.wallet.borrow_mut().poll_sign();
        if let Some(task) = task {
            self.sign(&task);
            return true;
        }
        let transmit = self.wallet.borrow_mut().poll_transmit();
        if let Some(transmit) = transmit {
            self.transmit(transmit);
            return true;
        }
        let event = self.wallet.borrow_mut().poll_event();
        event.inspect(|event| self.tell(event)).is_some()
    }

    fn store(&self, StoreTask { id, action }: StoreTask) {
        let task = milliseconds(id.0);
        match action {
            StoreAction::Keep(record) => {
                let request = record.request_id.to_string();
                // The deadline leaves as a span, and may lie in the past: the store counts by a clock of its own.
                let expires_in = milliseconds(record.deadline.as_millis()) - milliseconds(self.now().as_millis());
                self.host.store(task, &request, &record.to_json(), expires_in, record.is_promise());
            }
            StoreAction::Forget(request) => self.host.forget(task, &request.to_string()),
        }
    }

    fn sign(&self, task: &SignTask) {
        let bytes = Uint8Array::from(&*task.signable().to_bytes());
        self.host.sign(milliseconds(task.id.0), bytes);
    }

    fn transmit(&self, transmit: Transmit) {
        match transmit {
            Transmit::Dial(audience) => {
                let longest = u32::try_from(MAX_FRAME_BYTES).unwrap_or(u32::MAX);
                self.host.dial(audience.as_str(), SUBPROTOCOL, longest);
            }
            Transmit::Frame(frame) => self.host.send(&frame.to_json()),
            Transmit::Close(code) => {
                self.host.hang_up(code.as_u16());
                self.closed(Closed::AsAsked);
            }
        }
    }

    /// Leaves a timer alone that is due no later: whom it wakes early looks at the clock.
    fn arm_timer(&self) {
        let due = self.wallet.borrow().poll_timeout();
        let wakes_at = self.wakes_at.get();
        if due == wakes_at || wakes_at.is_some_and(|at| due.is_some_and(|due| at <= due)) {
            return;
        }
        self.wakes_at.set(due);
        // One more, since the clock is read in whole milliseconds, rounded down.
        self.host.wake_in(due.map_or(f64::INFINITY, |due| milliseconds((due - self.now()).0) + 1.0));
    }

    fn tell(&self, event: &Event) {
        let host = &self.host;
        match event {
            Event::State(state) => self.tell_state(state),
            Event::Requests(asked) => self.tell_requests(asked),
            Event::Repeated { request_id, attempt, expires_in } => {
                host.repeated(&request_id.to_string(), *attempt, milliseconds(expires_in.0));
            }
            Event::Answered(request_id) => host.answered(&request_id.to_string()),
            Event::Ended { request_id, end } => {
                let (code, message) = parts(end.error().as_ref());
                host.ended(&request_id.to_string(), end.as_str(), code, &message);
            }
            Event::Error(error) => host.error(error.code(), &error.to_string()),
        }
    }

    fn tell_state(&self, state: &State) {
        let (retry_in, connection_id, error) = match state {
            State::Connecting | State::Introducing => (0.0, String::new(), None),
            State::Connected(id) => (0.0, id.to_string(), None),
            State::Reconnecting { retry_in, error } => (milliseconds(retry_in.0), String::new(), Some(error)),
            State::Closed(error) => (0.0, String::new(), error.as_ref()),
        };
        let (code, message) = parts(error);
        self.host.state(state.as_str(), retry_in, &connection_id, code, &message);
    }

    fn tell_requests(&self, asked: &[Prompt]) {
        for (following, Prompt { request, resumed }) in (0..asked.len()).rev().zip(asked) {
            let batch = request.batch;
            self.host.request(
                &request.request_id.to_string(),
                Uint8Array::from(request.message.as_bytes()),
                request.requester.name.as_str(),
                request.purpose.as_ref().map_or("", Purpose::as_str),
                request.attempt,
                milliseconds(request.expires_in_ms),
                *resumed,
                following > 0,
                &batch.map_or_else(String::new, |batch| batch.id.to_string()),
                batch.map_or(0, |batch| batch.index),
                batch.map_or(1, |batch| batch.size),
            );
        }
    }
}

/// Reads a request's id as the TypeScript side got it from here.
pub(crate) fn request_id(text: &str) -> Result<RequestId, Error> {
    text.parse().map_err(|_| Error::NotOpen)
}

fn parts(error: Option<&Error>) -> (&'static str, String) {
    error.map_or_else(Default::default, |error| (error.code(), error.to_string()))
}

fn jitter() -> Jitter {
    Jitter::new(js_sys::Math::random())
}

fn timestamp(ms: f64) -> Timestamp {
    Timestamp::from_millis(whole(ms))
}

/// The nearest whole number there is: exact below 2^53, and zero for what is negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// Exact below 2^53 ms, 285,000 years.
#[allow(clippy::cast_precision_loss)]
fn milliseconds(ms: u64) -> f64 {
    ms as f64
}
