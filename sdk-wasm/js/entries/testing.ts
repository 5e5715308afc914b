import type { Signer } from '../keys/signer.js';
import type { Details, Outcome } from '../requests/request.js';
import { answered, CountersignError, ended, install, overridesByKey, platform, SignBatch, SignRequest, Wallet, web } from './shared.js';
import type { Answer, EndOfAnswer, EndOfOpen } from './test-answers.js';
import { type Host, TestCore } from './test-core.js';
import { TestRequests } from './test-requests.js';

export type { Answer, EndOfAnswer, EndOfOpen } from './test-answers.js';

/** What is known of a request that a test makes. */
export interface TestRequestOptions {
  /** Who asks; `Example Shop` unless given. */
  requester?: string;
  /** Why, in the requester's words. */
  purpose?: string;
  /** How long it says that it lasts, in milliseconds; 60,000 unless given. It ends by `endRequest` alone, whatever a clock says. */
  expiresInMs?: number;
  /** Whether it was shown before, by a page that is gone. */
  resumed?: boolean;
  /** Which delivery of it this is; 1 unless given. */
  attempt?: number;
  /** What becomes of an approval, soon after it; `accepted` unless given. `pending`: nothing until `endRequest`. A refusal is `declined`. */
  onAnswer?: EndOfAnswer | 'pending';
}

/** A wallet without a server, of {@link testWallet}. */
export interface TestWallet {
  /** The wallet, connected. */
  readonly wallet: Wallet;
  /** Its key, for code that makes its own wallet: every `Wallet` and `useWallet` of this key is as this one. It signs nothing. */
  readonly key: Signer;
  /** Has the wallet asked, and resolves when that was told to whoever listens, or a policy has approved it. */
  ask(message: string | Uint8Array, options?: TestRequestOptions): Promise<SignRequest>;
  /** Has it asked for several in one prompt. */
  askBatch(messages: readonly (string | Uint8Array)[], options?: TestRequestOptions): Promise<readonly SignRequest[]>;
  /** Loses the connection: `reconnecting`, until `reconnect()`. What is open stays so. */
  disconnect(): void;
  reconnect(): void;
}

/** The requests of tests, and what becomes of them. */
const tables = new WeakMap<SignRequest, TestRequests>();

/**
 * A request, as a wallet hands it to a prompt: answer it as any, and end it with {@link endRequest}.
 *
 * @example
 * ```js
 * import { answerOf, testRequest } from 'countersign/testing';
 *
 * const request = testRequest('Pay 25 EUR to Alice', { purpose: 'Order 1042' });
 * const { state } = await request.approve(); // 'accepted'
 * answerOf(request);                         // { approvedBy: 'human' }
 * ```
 */
export function testRequest(message: string | Uint8Array, options: TestRequestOptions = {}): SignRequest {
  const [request] = standalone([message], options, undefined);
  return request as SignRequest;
}

/** Several requests, as a wallet hands them to a prompt in one. */
export function testBatch(messages: readonly (string | Uint8Array)[], options: TestRequestOptions = {}): SignBatch {
  if (messages.length === 0) throw new TypeError('a batch has at least one message');
  const id = nextId();
  return SignBatch.create(id, standalone(messages, options, id));
}

/**
 * Ends a request: `cancelled` by the requester, `expired`, `answered_elsewhere` where nobody has decided, and how an answer that is `pending`
 * ends where somebody has.
 *
 * @throws {TypeError} where that is no end of this request, as one that is over.
 */
export function endRequest(request: SignRequest, end: EndOfOpen | EndOfAnswer | 'declined'): void {
  if (!tableOf(request).end(request.id, end)) throw new TypeError(`a request that is ${request.state} does not become ${end}`);
}

/** What was answered; undefined where nothing was. */
export function answerOf(request: SignRequest): Answer | undefined {
  return tableOf(request).answerOf(request.id);
}

/** Whether `displayed()` was called. */
export function wasDisplayed(request: SignRequest): boolean {
  return tableOf(request).wasDisplayed(request.id);
}

/**
 * A wallet without server, network and timers: all but these is the package's own, and nothing is loaded. Nothing is kept and nothing is signed.
 *
 * @example
 * ```js
 * import { testWallet } from 'countersign/testing';
 *
 * const { wallet, ask } = await testWallet();
 * wallet.on('request', (request) => request.approve());
 * const request = await ask('Pay 25 EUR to Alice');
 * ```
 */
export async function testWallet(): Promise<TestWallet> {
  ensurePlatform();
  const cores = new Set<TestCore>();
  let isOnline = true;
  const key = new TestKey();
  class Core extends TestCore {
    constructor(...given: unknown[]) {
      super(given.at(-1) as Host, () => isOnline);
      cores.add(this);
    }
  }
  overridesByKey.set(key, {
    options: { url: 'wss://example.com/ws', store: false, tabs: 'each', WebSocket: class {} },
    // It has what a wallet without store and socket calls.
    Core: Core as never,
  });
  const wallet = new Wallet({ key });
  await wallet.connect();
  const askAll = async (messages: readonly (string | Uint8Array)[], options: TestRequestOptions = {}, batchId = '') => {
    // The one that was made last is that of the component under test.
    const core = [...cores].findLast(({ isConnected }) => isConnected);
    if (core === undefined) throw new TypeError('no wallet of this key is connected');
    let told: Promise<void> | undefined;
    const requests = messages.map((message, index) => {
      const { id, requester, purpose = '', attempt, expiresInMs, resumed, message: bytes } = details(message, options);
      core.requests.add(id, options.onAnswer ?? 'accepted');
      const more = index + 1 < messages.length;
      const added = core.host.request(id, bytes, requester, purpose, attempt, expiresInMs, resumed, more, batchId, index, messages.length);
      tables.set(added[0], core.requests);
      told = added[1];
      return added[0];
    });
    await told;
    return requests;
  };
  return {
    wallet,
    key,
    ask: async (message, options) => (await askAll([message], options))[0] as SignRequest,
    askBatch: (messages, options) => askAll(messages, options, nextId()),
    disconnect() {
      isOnline = false;
      for (const core of cores) core.lose();
    },
    reconnect() {
      isOnline = true;
      for (const core of cores) core.restoreConnection();
    },
  };
}

/** A test may import this entry alone; whatever it imports later puts in the true one. */
function ensurePlatform(): void {
  try {
    platform();
  } catch (error) {
    const missing = () => Promise.reject(error);
    install({ ...web, wasm: missing, ed25519: missing });
  }
}

/** A class, so that no framework makes a proxy of it. */
class TestKey implements Signer {
  readonly publicKey = '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=';
  readonly storage = 'test';

  get [Symbol.toStringTag](): string {
    return 'TestKey';
  }

  sign(): Uint8Array {
    return new Uint8Array(64);
  }
}

/** Requests of no wallet. */
function standalone(messages: readonly (string | Uint8Array)[], options: TestRequestOptions, batchId: string | undefined): SignRequest[] {
  const requests = new Map<string, SignRequest>();
  const table = new TestRequests({
    answered: (id) => each(id, answered),
    ended(id, state, code, message) {
      const outcome = { state, ...(code !== '' && { error: new CountersignError(code as 'late', message) }) } as Outcome;
      each(id, (request) => ended(request, outcome));
    },
  });
  const each = (id: string, act: (request: SignRequest) => void) => {
    const request = requests.get(id);
    if (request !== undefined) act(request);
  };
  return messages.map((message, index) => {
    const batch = batchId === undefined ? undefined : { id: batchId, index, size: messages.length };
    const request = SignRequest.create({ ...details(message, options), batch }, table);
    table.add(request.id, options.onAnswer ?? 'accepted');
    requests.set(request.id, request);
    tables.set(request, table);
    return request;
  });
}

function details(message: string | Uint8Array, options: TestRequestOptions): Details {
  const { requester = 'Example Shop', purpose, attempt = 1, expiresInMs = 60_000, resumed = false } = options;
  const bytes = new Uint8Array(typeof message === 'string' ? new TextEncoder().encode(message) : message);
  return { id: nextId(), message: bytes, requester, purpose, attempt, expiresInMs, resumed, batch: undefined };
}

function tableOf(request: SignRequest): TestRequests {
  const table = tables.get(request);
  if (table === undefined) throw new TypeError('this request was not made by countersign/testing');
  return table;
}

let count = 0;

/** The same in every run of a test. */
function nextId(): string {
  count += 1;
  return `00000000-0000-4000-8000-${count.toString(16).padStart(12, '0')}`;
}
