//! One WebSocket of whatever constructor the page, worker or Node.js has.

use crate::prelude::*;
use alloc::rc::Rc;
use countersign_protocol::SUBPROTOCOL;
use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{CloseEvent, MessageEvent, WebSocket};

/// What a socket reports.
pub(crate) enum SocketEvent {
    Opened,
    /// The `data` of a message event.
    Message(JsValue),
    Closed {
        code: u16,
        reason: String,
    },
}

/// A socket and the closures that listen to it. They go together: a socket that was dropped is closed, reports nothing more
/// and keeps nothing alive.
pub(crate) struct Socket {
    raw: WebSocket,
    ignore: Function,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Starts to open a socket. `ignore` does nothing: an error event says nothing that the close event after it does not.
    pub(crate) fn open(
        constructor: &Function,
        url: &str,
        ignore: Function,
        report: impl Fn(SocketEvent) + 'static,
    ) -> Result<Self, JsValue> {
        let arguments = Array::of2(&url.into(), &SUBPROTOCOL.into());
        let raw: WebSocket = Reflect::construct(constructor, &arguments)?.unchecked_into();

        let report = Rc::new(report);
        let to = Rc::clone(&report);
        let opened: Closure<dyn FnMut()> = Closure::own_aborting(move || to(SocketEvent::Opened));
        let to = Rc::clone(&report);
        let message: Closure<dyn FnMut(MessageEvent)> =
            Closure::own_aborting(move |event: MessageEvent| to(SocketEvent::Message(event.data())));
        let closed: Closure<dyn FnMut(CloseEvent)> = Closure::own_aborting(move |event: CloseEvent| {
            report(SocketEvent::Closed { code: event.code(), reason: event.reason() });
        });

        raw.set_onopen(Some(opened.as_ref().unchecked_ref()));
        raw.set_onmessage(Some(message.as_ref().unchecked_ref()));
        raw.set_onclose(Some(closed.as_ref().unchecked_ref()));
        raw.set_onerror(Some(&ignore));
        Ok(Self { raw, ignore, _opened: opened, _message: message, _closed: closed })
    }

    /// Sends a text. A socket that cannot take it is about to report its close, and what was lost is sent again after that.
    pub(crate) fn send(&self, text: &str) {
        let _ = self.raw.send_with_str(text);
    }

    /// Closes without waiting for the other side.
    pub(crate) fn close(self, code: u16) {
        // It can only refuse codes that `CloseCode` does not have.
        let _ = self.raw.close_with_code(code);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.raw.set_onopen(None);
        self.raw.set_onmessage(None);
        self.raw.set_onclose(None);
        // A socket that was closed with a code before takes no notice of this.
        let _ = self.raw.close();
        // Stays: Node's `ws` makes an error event without listener an uncaught exception.
        self.raw.set_onerror(Some(&self.ignore));
    }
}
