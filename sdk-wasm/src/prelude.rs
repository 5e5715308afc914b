//! What the standard library's prelude has beyond that of `core`.

pub(crate) use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
