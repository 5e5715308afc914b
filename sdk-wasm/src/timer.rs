//! One timer of the platform. Dropping it disarms it.

use crate::{
    host::{clear_timeout, set_timeout},
    time::{Millis, Timestamp},
};
use wasm_bindgen::prelude::*;

/// The longest delay `setTimeout` keeps; anything above fires at once.
const LONGEST: u64 = i32::MAX as u64;

pub(crate) struct Timer {
    at: Timestamp,
    id: JsValue,
    _callback: Closure<dyn FnMut()>,
}

impl Timer {
    pub(crate) fn arm(now: Timestamp, at: Timestamp, callback: impl FnMut() + 'static) -> Self {
        let callback: Closure<dyn FnMut()> = Closure::own_aborting(callback);
        let Millis(delay) = at - now;
        // One more, since the clock is read in whole milliseconds, rounded down.
        let delay = u32::try_from(delay.saturating_add(1).min(LONGEST)).unwrap_or(u32::MAX);
        Self { at, id: set_timeout(callback.as_ref(), f64::from(delay)), _callback: callback }
    }

    /// Whether the timer fires no later than `at`. Earlier is harmless: whoever it wakes looks at the clock.
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        self.at <= at
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.id);
    }
}
