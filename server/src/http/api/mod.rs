//! What backends ask, and wallets for their WebSocket: each call from its headers and body to its answer.

mod app;
mod auth;
mod body;
mod call;
mod call_context;
mod demo;
mod events;
mod head;
mod prefer;
mod preferences;
mod problem;
mod refusal_log;
mod requesters;
mod requests;
mod resource;
mod send_to_sign;
mod send_to_sign_body;
mod signers;
mod webhook_target;
mod websocket;

pub(super) use app::App;
pub use auth::{TokenEntry, TokenError, Tokens};
pub(super) use body::read_json;
pub(super) use call::{Caller, OtherMethod, READING, admit, annotate, caller, json, methods, refused, reply, with_app};
pub(super) use call_context::name_call;
pub(super) use demo::demo;
pub(super) use head::check_head;
pub(super) use preferences::Preferences;
pub(super) use problem::Problem;
pub(super) use requests::requests;
pub(super) use resource::Resource;
pub(super) use send_to_sign::send_to_sign;
pub(super) use send_to_sign_body::{SendToSignBody, body_limit, invalid_public_key};
pub(super) use signers::get_signer;
pub use webhook_target::{WebhookTarget, WebhookTargetError};
pub(super) use websocket::upgrade;
