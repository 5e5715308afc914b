/** A `.wasm`, compressed by deflate and in base64: made by bundle.mjs. */
declare module '*.deflate' {
  const base64: string;
  export default base64;
}

/** As workerd imports it. */
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
