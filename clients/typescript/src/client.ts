import { Caller } from './caller.js';
import { type Clock, systemClock } from './clock.js';
import { type Verify, verifyEd25519 } from './ed25519.js';
import { CountersignError } from './errors.js';
import type { Filters, ListOptions } from './filters.js';
import { Keys } from './keys.js';
import { Listing } from './listing.js';
import { spelled } from './public-key.js';
import { type ReceiptOptions, verifyReceipt } from './receipt.js';
import { Requests } from './requests.js';
import { type AskOptions, knownReadings, prepareCall, SendToSign } from './send-to-sign.js';
import { Submitted } from './submitted.js';
import { Transport } from './transport.js';
import { asJwkSet, asSigner } from './validation.js';
import type { Signed } from './verified-signature.js';
import { verifyWebhook, type WebhookEvent, type WebhookHeaders, type WebhookOptions } from './webhook.js';
import type { BatchResource, CancelledAll, JwkSet, ReceiptClaims, RequestResource, SignerResource } from './wire.js';

/** How a client is made; all optional. */
export interface ClientOptions {
  /** The bearer token that the operator has given out. Keep it on your backend. */
  token?: string | undefined;
  /** How long a call is tried again while the server cannot be reached or cannot answer; 30,000 where left out. */
  patienceMs?: number | undefined;
  /** How long one answer may take, beside what it is asked to wait; 15,000 where left out. */
  exchangeTimeoutMs?: number | undefined;
  /** How long an answer may be; 4 MiB where left out. */
  maxAnswerBytes?: number | undefined;
  /** False: calls that wait are not written down by the server, which costs it nothing, and are not made again once they have been sent. */
  durable?: boolean | undefined;
  /** In place of the platform's. */
  fetch?: typeof fetch | undefined;
  /** In place of WebCrypto's Ed25519, for platforms that have none. */
  verify?: Verify | undefined;
  /** For tests. */
  clock?: Clock | undefined;
  /** For tests: from 0 to 1. */
  random?: (() => number) | undefined;
  /** For tests: names calls. */
  randomUUID?: (() => string) | undefined;
}

const OPTIONS = [
  'token',
  'patienceMs',
  'exchangeTimeoutMs',
  'maxAnswerBytes',
  'durable',
  'fetch',
  'verify',
  'clock',
  'random',
  'randomUUID',
];

/** A Countersign server, or several that share a database. */
export class Countersign {
  readonly #caller: Caller;
  readonly #requests: Requests;
  readonly #listing: Listing;
  readonly #sendToSign: SendToSign;
  readonly #keys: Keys;
  readonly #verify: Verify;
  readonly #clock: Clock;
  readonly #times: { timeoutMs: number; patienceMs: number };

  /**
   * @param server its URL, such as `https://sign.example.com`; of several, the next is called where one cannot be reached
   * @throws {TypeError} where an argument makes no sense
   */
  constructor(server: string | readonly string[], options: ClientOptions = {}) {
    const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
    if (unknown !== undefined) throw new TypeError(`there is no option ${unknown}`);
    const { patienceMs = 30_000, exchangeTimeoutMs = 15_000, maxAnswerBytes = 4 * 1024 * 1024, durable = true } = options;
    const { clock = systemClock, random = Math.random, verify = verifyEd25519, randomUUID = () => crypto.randomUUID() } = options;
    for (const [name, value] of Object.entries({ patienceMs, exchangeTimeoutMs, maxAnswerBytes })) {
      if (!Number.isSafeInteger(value) || value <= 0) throw new TypeError(`${name} is a whole number`);
    }
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    const transport = new Transport({ fetch, token: checkedToken(options.token), clock, maxAnswerBytes });
    const patience = { patienceMs, exchangeTimeoutMs, maxAnswerBytes, verify };
    this.#caller = new Caller(bases(server), transport, clock, random);
    this.#requests = new Requests(this.#caller, patience);
    this.#listing = new Listing(this.#caller, patience);
    this.#sendToSign = new SendToSign(this.#caller, this.#requests, { ...patience, durable, randomUUID });
    this.#keys = new Keys(() => this.jwks(), clock);
    this.#verify = verify;
    this.#clock = clock;
    this.#times = { timeoutMs: exchangeTimeoutMs, patienceMs };
  }

  /**
   * Asks for a signature over `message`, and waits for it. What comes back has been verified here, over these bytes and under this key.
   *
   * @throws {CountersignError} why there is none
   */
  async sendToSign(publicKey: string | Uint8Array, message: Uint8Array, options: AskOptions = {}): Promise<Signed> {
    if (Array.isArray(message)) throw new TypeError('several messages are for sendToSignBatch');
    const [result] = await this.#sendToSign.sign(prepareCall(publicKey, message, options));
    if (result instanceof CountersignError) throw result;
    return result as Signed;
  }

  /**
   * The same for 1 to 16 messages, which the human sees together and may approve one by one: for each, in their order, what was signed
   * or why it was not.
   *
   * @throws {CountersignError} where none was asked, or the server can no longer say what became of them
   */
  async sendToSignBatch(
    publicKey: string | Uint8Array,
    messages: readonly Uint8Array[],
    options: AskOptions = {},
  ): Promise<(Signed | CountersignError)[]> {
    return this.#sendToSign.sign(prepareCall(publicKey, [...messages], options));
  }

  /**
   * Has a request written down, and does not wait for its end. An aborted signal withdraws nothing here: under the same key the call may be
   * made again.
   */
  async submit(publicKey: string | Uint8Array, message: Uint8Array, options: Omit<AskOptions, 'deadlineMs'> = {}): Promise<Submitted> {
    if (Array.isArray(message)) throw new TypeError('several messages are for submitBatch');
    const [submitted] = await this.#submit(publicKey, message, options);
    return submitted as Submitted;
  }

  /** The same for several messages in one prompt, in their order. */
  async submitBatch(
    publicKey: string | Uint8Array,
    messages: readonly Uint8Array[],
    options: Omit<AskOptions, 'deadlineMs'> = {},
  ): Promise<Submitted[]> {
    return this.#submit(publicKey, [...messages], options);
  }

  async #submit(publicKey: string | Uint8Array, messages: Uint8Array | Uint8Array[], options: AskOptions): Promise<Submitted[]> {
    const asked = prepareCall(publicKey, messages, options);
    const accepted = await this.#sendToSign.accept(asked, { signal: asked.signal });
    return accepted.map((request, index) => {
      const expected = asked.expected[index];
      if (!expected) throw new TypeError('there are more requests than messages');
      return new Submitted(request, expected, this.#requests, this.#verify);
    });
  }

  /** How a request stands. */
  async get(requestId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<RequestResource> {
    return this.#requests.get(requestId, { signal });
  }

  /** How a request stands when it has ended, or after so many seconds. It outlasts restarts of the server. */
  async wait(
    requestId: string,
    { seconds, signal }: { seconds?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<RequestResource> {
    return this.#requests.wait(requestId, { seconds, signal });
  }

  /** Each state of a request once, as they come, to the last. It outlasts restarts of the server. */
  follow(requestId: string, { signal }: { signal?: AbortSignal | undefined } = {}): AsyncGenerator<RequestResource, void, undefined> {
    return this.#requests.follow(requestId, { signal });
  }

  /** Withdraws a request. One that has ended stays as it is, and is answered so. */
  async cancel(requestId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<RequestResource> {
    return this.#requests.cancel(requestId, { signal });
  }

  /** Your requests that the filters take, the newest first; fetched page by page as they are iterated. */
  list(options: ListOptions = {}): AsyncGenerator<RequestResource, void, undefined> {
    return this.#listing.list(options);
  }

  /** How several requests of one prompt stand. */
  async batch(batchId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<BatchResource> {
    return this.#listing.batch('GET', batchId, signal);
  }

  /** Withdraws what is open of a batch. What has ended stays as it is. */
  async cancelBatch(batchId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<BatchResource> {
    return this.#listing.batch('DELETE', batchId, signal);
  }

  /** Withdraws what is open of what the filters take, a hundred at most: one filter beside `state` is needed. */
  async cancelAll(filters: Filters, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<CancelledAll> {
    return this.#listing.cancelAll(filters, signal);
  }

  /** How a request ended, signed by the server, for `verifyReceipt`. */
  async receipt(requestId: string, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<string> {
    return this.#requests.receipt(requestId, { signal });
  }

  /** Whether a wallet with this key is connected, for the moment: ask without asking this first. */
  async signer(publicKey: string | Uint8Array, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<SignerResource> {
    knownReadings(publicKey);
    return asSigner(await this.#read(`/v1/signers/${encodeURIComponent(spelled(publicKey))}`, signal));
  }

  /** The server's keys, to be kept beside receipts. */
  async jwks({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<JwkSet> {
    return asJwkSet(await this.#read('/.well-known/jwks.json', signal, 'application/jwk-set+json'));
  }

  /** Verifies a receipt with the server's keys, which are fetched once an hour, or when it names another. */
  async verifyReceipt(jws: string, options: ReceiptOptions = {}): Promise<ReceiptClaims> {
    return this.#keys.with((keys) => verifyReceipt(jws, keys, { verify: this.#verify, ...options }));
  }

  /** Verifies a webhook with the server's keys, which are fetched once an hour, or once a minute where a signature is by another. */
  async verifyWebhook(
    body: Uint8Array | ArrayBuffer | string,
    headers: WebhookHeaders,
    options: WebhookOptions = {},
  ): Promise<WebhookEvent> {
    return this.#keys.with((keys) => verifyWebhook(body, headers, keys, { now: this.#clock.now(), verify: this.#verify, ...options }));
  }

  #read(path: string, signal: AbortSignal | undefined, wanted?: string): Promise<unknown> {
    const { timeoutMs, patienceMs } = this.#times;
    return this.#caller.json({ method: 'GET', path, timeoutMs, signal }, { repeatable: true, patienceMs }, wanted);
  }
}

/** A header's error would quote it. */
function checkedToken(token: string | undefined): string | undefined {
  if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token))) {
    throw new TypeError('token is visible ASCII, without spaces or line ends');
  }
  return token;
}

function bases(server: string | readonly string[]): string[] {
  const all = [server].flat().map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) throw new TypeError('a server is a URL of http or https');
    if (url.username || url.password || url.search || url.hash)
      throw new TypeError("a server's URL has no user, password, query or fragment");
    return url.href.replace(/\/+$/, '');
  });
  if (all.length === 0) throw new TypeError('at least one server is needed');
  return all;
}
