//! What a `.wasm` without the standard library needs beside `core` and `alloc`; nothing on other targets. Link it by
//! `extern crate countersign_bare as _`.

#![cfg_attr(target_arch = "wasm32", no_std)]

/// A fifth of the code of the allocator that comes with the standard library.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// A panic is a trap: a browser shows none of what it would say, and saying it takes 10 KB of code and texts.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
