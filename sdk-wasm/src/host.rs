//! What the TypeScript side provides. Every call may come back into the wallet before it returns.

use crate::prelude::*;
use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// How a wallet is set up.
    pub type Options;

    #[wasm_bindgen(method, getter, js_name = webSocket)]
    pub fn web_socket(this: &Options) -> Function;
    #[wasm_bindgen(method, getter)]
    pub fn url(this: &Options) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn audience(this: &Options) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn origin(this: &Options) -> String;
    #[wasm_bindgen(method, getter, js_name = deviceId)]
    pub fn device_id(this: &Options) -> String;
    #[wasm_bindgen(method, getter, js_name = deviceLabel)]
    pub fn device_label(this: &Options) -> String;
    #[wasm_bindgen(method, getter, js_name = backoffInitialMs)]
    pub fn backoff_initial_ms(this: &Options) -> f64;
    #[wasm_bindgen(method, getter, js_name = backoffMaxMs)]
    pub fn backoff_max_ms(this: &Options) -> f64;

    /// Whether the host carries out changes to a store.
    #[wasm_bindgen(method, getter)]
    pub fn keeps(this: &Options) -> bool;

    /// Who is told what happens.
    pub type Host;

    #[wasm_bindgen(method, catch)]
    pub fn state(
        this: &Host,
        name: &str,
        retry_in_ms: Option<f64>,
        connection_id: Option<String>,
        error_code: Option<String>,
        error_message: Option<String>,
    ) -> Result<(), JsValue>;

    /// One of the requests of a prompt; `more` says that others follow at once.
    #[wasm_bindgen(method, catch)]
    pub fn request(
        this: &Host,
        id: &str,
        message: Uint8Array,
        requester: &str,
        purpose: Option<String>,
        attempt: u32,
        expires_in_ms: f64,
        resumed: bool,
        more: bool,
        batch_id: Option<String>,
        batch_index: u32,
        batch_size: u32,
    ) -> Result<(), JsValue>;

    /// Has the signer sign, and what it gives verified; answered by `CoreWallet::signed` or `sign_failed`.
    #[wasm_bindgen(method, catch)]
    pub fn sign(this: &Host, task: f64, bytes: Uint8Array) -> Result<(), JsValue>;

    /// Has a record kept. `promise` says that it holds a decision that has yet to reach the server.
    #[wasm_bindgen(method, catch)]
    pub fn store(
        this: &Host,
        task: f64,
        id: &str,
        record: &str,
        expires_in_ms: f64,
        promise: bool,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn forget(this: &Host, task: f64, id: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn repeated(this: &Host, id: &str, attempt: u32, expires_in_ms: f64) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn answered(this: &Host, id: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn ended(
        this: &Host,
        id: &str,
        state: &str,
        error_code: Option<String>,
        error_message: Option<String>,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn error(this: &Host, code: &str, message: &str) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn frame(this: &Host, direction: &str, text: &str) -> Result<(), JsValue>;

    /// A function that does nothing.
    #[wasm_bindgen(method, getter)]
    pub fn ignore(this: &Host) -> Function;

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub fn performance_now() -> f64;

    #[wasm_bindgen(thread_local_v2, js_namespace = performance, js_name = timeOrigin)]
    pub static TIME_ORIGIN: f64;

    #[wasm_bindgen(js_name = setTimeout)]
    pub fn set_timeout(callback: &JsValue, delay_ms: f64) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    pub fn clear_timeout(id: &JsValue);
}
