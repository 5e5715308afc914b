// Content-Security-Policies that the package works under, put in place of the server's own.

/** The strictest under which a page loads a script at all and may compile WebAssembly. */
export const STRICTEST =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";

/** The same for pages that start workers: a worker's address has to come from a policy of the page's own. */
export const WITH_WORKERS = `${STRICTEST.replace("trusted-types 'none'", 'trusted-types workers')}; worker-src 'self'`;

/** The same for pages of frameworks, which have policies of their own for Trusted Types. */
export const WITH_FRAMEWORKS = STRICTEST.replace("trusted-types 'none'", 'trusted-types vue svelte-trusted-html');

/** For bundlers that write a script into the page itself, such as an import map. */
export const WITH_INLINE_SCRIPTS = STRICTEST.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'");

/** For bundlers whose workers load their scripts by addresses that are strings, which no policy with Trusted Types takes. */
export const WITHOUT_TRUSTED_TYPES = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'";

/** Serves every document and script of a browser context with this policy. */
export const under = (policy) => async (context) => {
  // Of what passes through here Chromium no longer knows that it comes from this machine, which it may then not dial.
  await context.grantPermissions(['local-network-access']);
  await context.route('**/*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } });
  });
};
