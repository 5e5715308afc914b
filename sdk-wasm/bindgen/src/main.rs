//! `countersign-bindgen IN.wasm OUT_DIR NAME` writes `NAME.js`, `NAME_bg.js`, `NAME_bg.wasm` and their types: the command
//! `wasm-bindgen` with the options that the npm package is built with. That command brings a test runner and a web server,
//! and takes longer to compile than everything else in the package.

use std::env;

use anyhow::{Context, Error, Result};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

fn main() -> Result<()> {
    let [input, out_dir, name] = <[String; 3]>::try_from(env::args().skip(1).collect::<Vec<_>>())
        .map_err(|_| Error::msg("usage: countersign-bindgen IN.wasm OUT_DIR NAME"))?;
    Bindgen::new()
        .bundler(true)?
        .typescript(true)
        .encode_into(EncodeInto::Always)
        .remove_name_section(true)
        .remove_producers_section(true)
        .input_path(&input)
        .out_name(&name)
        .generate(out_dir)
        .with_context(|| format!("no bindings for {input}"))
}
