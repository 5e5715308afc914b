//! Drives a [`Wallet`] with the platform's socket, clock and timer, and the host's signer.

use crate::prelude::*;
use crate::{
    backoff::Jitter,
    effect::{Asked, Event, SignTask, SignTaskId, State, StoreAction, StoreTask, StoreTaskId, Transmit},
    error::{Error, printable},
    host::{Host, TIME_ORIGIN, performance_now},
    record::Record,
    socket::{Socket, SocketEvent},
    time::Timestamp,
    timer::Timer,
    wallet::{Closed, Config, Incoming, Wallet},
};
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use countersign_protocol::{RequestId, limits::MAX_FRAME_BYTES};
use js_sys::{Function, JsString, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// No borrow of `wallet`, `socket` or `timer` outlives the statement it is made in: every call into JavaScript may call back.
pub(crate) struct Driver {
    wallet: RefCell<Wallet>,
    host: Host,
    web_socket: Function,
    url: String,
    socket: RefCell<Option<Socket>>,
    /// Counts sockets, so that a late event of an old one is recognised.
    generation: Cell<u32>,
    timer: RefCell<Option<Timer>>,
    draining: Cell<bool>,
    shows_frames: Cell<bool>,
}

impl Driver {
    pub(crate) fn new(config: Config, host: Host, web_socket: Function, url: String) -> Rc<Self> {
        Rc::new(Self {
            wallet: RefCell::new(Wallet::new(config)),
            host,
            web_socket,
            url,
            socket: RefCell::new(None),
            generation: Cell::new(0),
            timer: RefCell::new(None),
            draining: Cell::new(false),
            shows_frames: Cell::new(false),
        })
    }

    pub(crate) fn show_frames(&self, show: bool) {
        self.shows_frames.set(show);
    }

    /// Gives the wallet one input and carries out all that follows from it.
    pub(crate) fn input<T>(self: &Rc<Self>, input: impl FnOnce(&mut Wallet, Timestamp) -> T) -> T {
        let output = input(&mut self.wallet.borrow_mut(), now());
        self.drain();
        output
    }

    /// Takes in a record that was kept, whose time is over in so many milliseconds, or was so long ago if they are negative.
    pub(crate) fn restore(self: &Rc<Self>, json: &str, expires_in_ms: f64) -> bool {
        let record = Record::from_json(json, timestamp(milliseconds(now().as_millis()) + expires_in_ms));
        record.map(|record| self.input(|wallet, now| wallet.restore(now, record))).is_ok()
    }

    pub(crate) fn stored(self: &Rc<Self>, task: f64, error: Option<String>) {
        let result = error.map_or(Ok(()), |error| Err(Error::Storage(printable(&error))));
        self.input(|wallet, now| wallet.handle_stored(now, StoreTaskId(whole(task)), result));
    }

    pub(crate) fn signed(self: &Rc<Self>, task: f64, signature: &[u8]) {
        match <[u8; 64]>::try_from(signature) {
            Ok(signature) => {
                self.input(|wallet, now| wallet.handle_signed(now, SignTaskId(whole(task)), signature.into()));
            }
            Err(_) => self.sign_failed(task, Error::InvalidSignature("it is not 64 bytes long".into())),
        }
    }

    pub(crate) fn sign_failed(self: &Rc<Self>, task: f64, error: Error) {
        self.input(|wallet, now| wallet.handle_sign_failed(now, SignTaskId(whole(task)), error));
    }

    /// Carries out what the wallet asks until it asks for nothing more. Called again from within, it leaves the work to the
    /// call that is already at it, so that things happen one after another.
    fn drain(self: &Rc<Self>) {
        if self.draining.replace(true) {
            return;
        }
        while self.carry_out_one() {}
        self.draining.set(false);
        self.arm_timer();
    }

    fn carry_out_one(self: &Rc<Self>) -> bool {
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
        quietly(match action {
            StoreAction::Keep(record) => {
                let request = record.request_id.to_string();
                // The deadline leaves as a span, and may lie in the past: the store counts by a clock of its own.
                let expires_in = milliseconds(record.deadline.as_millis()) - milliseconds(now().as_millis());
                self.host.store(task, &request, &record.to_json(), expires_in, record.is_promise())
            }
            StoreAction::Forget(request) => self.host.forget(task, &request.to_string()),
        });
    }

    fn sign(&self, task: &SignTask) {
        let bytes = Uint8Array::from(&*task.signable().to_bytes());
        quietly(self.host.sign(milliseconds(task.id.0), bytes));
    }

    fn transmit(self: &Rc<Self>, transmit: Transmit) {
        match transmit {
            Transmit::Dial => self.dial(),
            Transmit::Frame(frame) => {
                let text = frame.to_json();
                self.show_frame("out", &text);
                if let Some(socket) = self.socket.borrow().as_ref() {
                    socket.send(&text);
                }
            }
            Transmit::Close(code) => {
                let socket = self.socket.take();
                if let Some(socket) = socket {
                    socket.close(code.as_u16());
                }
                self.closed(Closed::AsAsked);
            }
        }
    }

    fn dial(self: &Rc<Self>) {
        let generation = self.generation.get().wrapping_add(1);
        self.generation.set(generation);
        let driver = Rc::clone(self);
        let report = move |event| driver.handle_socket(generation, event);
        match Socket::open(&self.web_socket, &self.url, self.host.ignore(), report) {
            Ok(socket) => drop(self.socket.replace(Some(socket))),
            Err(error) => self.closed(Closed::NotMade(describe(&error))),
        }
    }

    fn handle_socket(self: &Rc<Self>, generation: u32, event: SocketEvent) {
        if generation != self.generation.get() || self.socket.borrow().is_none() {
            return;
        }
        match event {
            SocketEvent::Opened => self.wallet.borrow_mut().handle_opened(),
            SocketEvent::Message(data) => self.handle_message(&data),
            SocketEvent::Closed { code, reason } => {
                drop(self.socket.take());
                self.closed(Closed::Code(code, reason));
            }
        }
        self.drain();
    }

    fn handle_message(&self, data: &JsValue) {
        let Some(text) = data.dyn_ref::<JsString>() else {
            return self.incoming(Incoming::Binary);
        };
        // UTF-8 is never shorter than UTF-16 counts, so this refuses nothing that would fit, before copying it.
        let units = text.length() as usize;
        if units > MAX_FRAME_BYTES {
            return self.incoming(Incoming::TooLong(units));
        }
        let text = String::from(text);
        self.show_frame("in", &text);
        self.incoming(Incoming::Text(&text));
    }

    fn incoming(&self, incoming: Incoming<'_>) {
        self.wallet.borrow_mut().handle_incoming(now(), incoming);
    }

    fn closed(&self, closed: Closed) {
        self.wallet.borrow_mut().handle_closed(now(), closed, Jitter::new(js_sys::Math::random()));
    }

    fn arm_timer(self: &Rc<Self>) {
        let due = self.wallet.borrow().poll_timeout();
        match due {
            None => drop(self.timer.take()),
            Some(at) if self.timer.borrow().as_ref().is_some_and(|timer| timer.covers(at)) => {}
            Some(at) => {
                let driver = Rc::clone(self);
                let timer = Timer::arm(now(), at, move || {
                    drop(driver.timer.take());
                    driver.input(Wallet::handle_timeout);
                });
                drop(self.timer.replace(Some(timer)));
            }
        }
    }

    fn show_frame(&self, direction: &str, text: &str) {
        if self.shows_frames.get() {
            quietly(self.host.frame(direction, text));
        }
    }

    fn tell(&self, event: &Event) {
        let host = &self.host;
        quietly(match event {
            Event::State(state) => self.tell_state(state),
            Event::Requests(asked) => self.tell_requests(asked),
            Event::Repeated { request_id, attempt, expires_in } => {
                host.repeated(&request_id.to_string(), *attempt, milliseconds(expires_in.0))
            }
            Event::Answered(request_id) => host.answered(&request_id.to_string()),
            Event::Ended { request_id, end } => {
                let (code, message) = parts(end.error().as_ref());
                host.ended(&request_id.to_string(), end.as_str(), code, message)
            }
            Event::Error(error) => host.error(error.code(), &error.to_string()),
        });
    }

    fn tell_state(&self, state: &State) -> Result<(), JsValue> {
        let (retry_in, connection_id, error) = match state {
            State::Connecting | State::Introducing => (None, None, None),
            State::Connected(id) => (None, Some(id.to_string()), None),
            State::Reconnecting { retry_in, error } => (Some(milliseconds(retry_in.0)), None, Some(error)),
            State::Closed(error) => (None, None, error.as_ref()),
        };
        let (code, message) = parts(error);
        self.host.state(state.as_str(), retry_in, connection_id, code, message)
    }

    fn tell_requests(&self, asked: &[Asked]) -> Result<(), JsValue> {
        for (following, Asked { request, resumed }) in (0..asked.len()).rev().zip(asked) {
            let batch = request.batch;
            self.host.request(
                &request.request_id.to_string(),
                Uint8Array::from(request.message.as_bytes()),
                request.requester.name.as_str(),
                request.purpose.as_ref().map(ToString::to_string),
                request.attempt,
                milliseconds(request.expires_in_ms),
                *resumed,
                following > 0,
                batch.map(|batch| batch.id.to_string()),
                batch.map_or(0, |batch| batch.index),
                batch.map_or(1, |batch| batch.size),
            )?;
        }
        Ok(())
    }
}

/// Reads a request's id as the TypeScript side got it from here.
pub(crate) fn request_id(text: &str) -> Result<RequestId, Error> {
    text.parse().map_err(|_| Error::NotOpen)
}

/// The TypeScript side reports what its listeners throw; nothing of it may stop the wallet.
fn quietly(told: Result<(), JsValue>) {
    drop(told);
}

fn parts(error: Option<&Error>) -> (Option<String>, Option<String>) {
    (error.map(|error| error.code().into()), error.map(ToString::to_string))
}

/// By a clock that nobody sets. It counts from long before the page, so that moments before that have a place too.
fn now() -> Timestamp {
    timestamp(TIME_ORIGIN.with(|origin| *origin) + performance_now())
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

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => "the WebSocket constructor threw".into(),
    }
}
