//! Telling ends to the addresses that requests name and the operator has allowed (Standard Webhooks, with an asymmetric signature).

mod client;
mod notice;
mod schedule;
mod worker;

pub(super) use schedule::RETRIES;
pub(super) use worker::deliver;
