//! Sizes every implementation keeps. A server may set lower ones and states them in its `welcome`.

/// The longest message a backend may ask to have signed, in bytes before base64.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The longest frame of either direction, in bytes of UTF-8: a message of
/// [`MAX_MESSAGE_BYTES`] in base64 and 4 KiB for everything around it.
pub const MAX_FRAME_BYTES: usize = frame_bytes(MAX_MESSAGE_BYTES);

/// The longest frame before an introduction, in bytes: nothing a stranger has to say is longer.
pub const MAX_INTRODUCTION_FRAME_BYTES: usize = 4 * 1024;

/// The longest audience URL, in bytes.
pub const MAX_AUDIENCE_BYTES: usize = 2048;

/// The longest browser origin, in bytes.
pub const MAX_ORIGIN_BYTES: usize = 2048;

/// The longest device id, in bytes.
pub const MAX_DEVICE_ID_BYTES: usize = 64;

/// The longest device label, in bytes.
pub const MAX_DEVICE_LABEL_BYTES: usize = 64;

/// The longest requester name, in bytes.
pub const MAX_REQUESTER_NAME_BYTES: usize = 64;

/// The longest purpose of a request, in bytes.
pub const MAX_PURPOSE_BYTES: usize = 256;

/// The longest reason given with a rejection, in bytes.
pub const MAX_REASON_BYTES: usize = 256;

/// The shortest time a request may be given, in milliseconds.
pub const MIN_TIMEOUT_MS: u64 = 1_000;

/// The longest time a request may be given, in milliseconds: seven days.
pub const MAX_TIMEOUT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// The time a request gets when its backend names none, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// The time within which a wallet has to say that it has received a request, when its backend names none, in milliseconds.
pub const DEFAULT_DELIVERY_TIMEOUT_MS: u64 = 10_000;

/// The most requests in a batch: one prompt shows no more.
pub const MAX_BATCH: usize = 16;

/// The longest frame needed for messages of up to `message_bytes`: base64 of it, and 4 KiB for
/// the JSON around it.
pub const fn frame_bytes(message_bytes: usize) -> usize {
    message_bytes.div_ceil(3) * 4 + 4 * 1024
}
