//! What the TypeScript side provides. Every call may come back into the wallet before it returns. An empty text stands for one
//! that is not there. No call throws: what goes wrong in one is reported there and stops no wallet.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Who has the socket and the timer, and is told what happens.
    pub type Host;

    /// Opens a socket to the node of this audience, for a subprotocol; what it reports goes to `CoreWallet::opened`, `received` and
    /// `closed`, but no text of more than `longest` units of UTF-16; or to `CoreWallet::not_made`, before this returns.
    #[wasm_bindgen(method)]
    pub fn dial(this: &Host, audience: &str, subprotocol: &str, longest: u32);

    /// Sends a text. A socket that cannot take it is about to report its close, and what was lost is sent again after that.
    #[wasm_bindgen(method)]
    pub fn send(this: &Host, text: &str);

    /// Closes the socket, which reports nothing more.
    #[wasm_bindgen(method, js_name = hangUp)]
    pub fn hang_up(this: &Host, code: u16);

    /// Has `CoreWallet::wake` called in so many milliseconds, or earlier, and not when it was asked for before; never where
    /// they are infinite.
    #[wasm_bindgen(method, js_name = wakeIn)]
    pub fn wake_in(this: &Host, ms: f64);

    #[wasm_bindgen(method)]
    pub fn state(this: &Host, name: &str, retry_in_ms: f64, connection_id: &str, error_code: &str, error_message: &str);

    /// One of the requests of a prompt; `more` says that others follow at once.
    #[wasm_bindgen(method)]
    pub fn request(
        this: &Host,
        id: &str,
        message: Uint8Array,
        requester: &str,
        purpose: &str,
        attempt: u32,
        expires_in_ms: f64,
        resumed: bool,
        more: bool,
        batch_id: &str,
        batch_index: u32,
        batch_size: u32,
    );

    /// Has the signer sign, and what it gives verified; answered by `CoreWallet::signed` or `sign_failed`.
    #[wasm_bindgen(method)]
    pub fn sign(this: &Host, task: f64, bytes: Uint8Array);

    /// Has a record kept. `promise` says that it holds a decision that has yet to reach the server.
    #[wasm_bindgen(method)]
    pub fn store(this: &Host, task: f64, id: &str, record: &str, expires_in_ms: f64, promise: bool);

    #[wasm_bindgen(method)]
    pub fn forget(this: &Host, task: f64, id: &str);

    #[wasm_bindgen(method)]
    pub fn repeated(this: &Host, id: &str, attempt: u32, expires_in_ms: f64);

    #[wasm_bindgen(method)]
    pub fn answered(this: &Host, id: &str);

    #[wasm_bindgen(method)]
    pub fn ended(this: &Host, id: &str, state: &str, error_code: &str, error_message: &str);

    #[wasm_bindgen(method)]
    pub fn error(this: &Host, code: &str, message: &str);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub fn performance_now() -> f64;
}
