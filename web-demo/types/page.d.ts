// What the modules of the page hand to each other, and what they read from the API.

/** When a request reached each phase, in milliseconds since the Unix epoch. */
interface Times {
  queued_ms?: number;
  delivered_ms?: number;
  received_ms?: number;
  displayed_ms?: number;
  ended_ms?: number;
}

/** An answer of the API that is no signature. */
interface ApiProblem {
  code: string;
  title?: string;
  detail?: string;
  /** Why the person declined, in their words. */
  reason?: string;
  request_id?: string;
}

/** A request as the API shows it. */
interface ApiRequest {
  request_id?: string;
  state: string;
  times: Times;
  expires_at_ms?: number;
  public_key?: string;
  message?: string;
  signature?: string;
  error?: ApiProblem;
}

/** A signature as the API gives it. */
interface SignedBody {
  request_id: string;
  public_key: string;
  message: string;
  signature: string;
  approved_by?: string;
  times?: Times;
}

/** What the API is asked for. */
interface CallBody {
  public_key: string;
  message?: string;
  messages?: string[];
  purpose?: string;
  timeout_ms?: number;
  queue?: boolean;
}

/** A request as the form states it, with the messages' bytes beside it. */
interface Asked {
  body: CallBody;
  contents: Uint8Array<ArrayBuffer>[];
  durable: boolean;
}

/** Why the form states no request, and in which field. */
interface FieldError {
  field: string;
  error: string;
}

/** What came of a call. */
type Outcome =
  | { kind: 'signed'; status: number; body: SignedBody; ms: number }
  /** Several, each as it ended. */
  | { kind: 'ended'; status: number; requests: ApiRequest[]; ms: number }
  /** Written down, to be followed. */
  | { kind: 'accepted'; status: number; requests: ApiRequest[]; ms: number }
  /** An answer of the API that is no signature. */
  | { kind: 'problem'; status: number; body: ApiProblem; ms: number; retryAfter: string | null }
  /** The caller stopped waiting. */
  | { kind: 'cancelled'; ms: number }
  /** No answer at all. */
  | { kind: 'unreachable'; ms: number };

/** What a call takes beside its body. */
interface CallOptions {
  token: string;
  signal: AbortSignal;
  /** Called with the one of several servers that has answered. */
  onNode?(node: string): void;
}

/** A server of a demo. */
interface DemoServer {
  /** Its process. */
  instance: string;
  /** Which of several it is. */
  node?: string;
}

/** A signature that verifies, all in base64. */
interface Signed {
  publicKey: string;
  message: string;
  signature: string;
}

/** What following a request takes. */
interface FollowOptions {
  token: string;
  signal: AbortSignal;
  /** Called with the request at each of its states. */
  onNews(request: ApiRequest): void;
  /** Called when the server cannot be reached, each time it is tried in vain. */
  onLost(): void;
}

type IconName = 'alert' | 'back' | 'check' | 'clock' | 'cross' | 'down' | 'play' | 'up';
type Tone = 'good' | 'bad' | 'calm' | 'waiting';

/** How a request stands, for people. */
interface RequestOutcome {
  sentence: string;
  icon: IconName;
  tone: Tone;
}

/** A frame as it stands on the wire, of whatever type. */
interface Frame {
  type?: string;
  request_id?: string;
  message?: string;
  signature?: string;
  state?: string;
  code?: string;
  cause?: string;
  reason?: string;
  scope?: string;
  outcome?: string;
  attempt?: number;
  expires_in_ms?: number;
  replaces?: string;
}

type Direction = 'in' | 'out';
type Fate = 'passed' | 'altered' | 'dropped' | 'injected';

/** A frame that came or went, and what somebody in between did to it. */
interface FrameSeen {
  direction: Direction;
  /** What the receiver got, or would have got. */
  text: string;
  fate?: Fate;
  /** What it was before it was altered. */
  was?: string;
}

/** Gets a frame and returns the text to pass on, or null to lose it. */
type Rewrite = (passing: { direction: Direction; text: string; frame: Frame }) => string | null;

/** The elements of a template by their `data-part`. */
interface Parts {
  [name: string]: HTMLElement;
  approve: HTMLButtonElement;
  details: HTMLDetailsElement;
  reason: HTMLInputElement;
  receipt: HTMLAnchorElement;
  time: HTMLTimeElement;
}

/** The elements with an id that are more than any element. */
interface PageElements {
  ask: HTMLFormElement & { elements: AskFields };
  'rule-form': HTMLFormElement & { elements: RuleFields };
  cancel: HTMLButtonElement;
  durable: HTMLInputElement;
  'kill-node': HTMLButtonElement;
  'new-key': HTMLButtonElement;
  'second-device': HTMLDetailsElement;
  'show-heartbeats': HTMLInputElement;
  submit: HTMLButtonElement;
}

interface AskFields extends HTMLFormControlsCollection {
  message: HTMLTextAreaElement;
  second: HTMLTextAreaElement;
  several: HTMLInputElement;
  durable: HTMLInputElement;
  encoding: RadioNodeList;
  purpose: HTMLInputElement;
  timeout: HTMLInputElement;
  signer: HTMLInputElement;
  token: HTMLInputElement;
}

interface RuleFields extends HTMLFormControlsCollection {
  requester: HTMLInputElement;
  prefix: HTMLInputElement;
  uses: HTMLInputElement;
}

/** A card of the wallet: one request, or several that came together. */
interface Card {
  root: HTMLElement;
  requests: readonly import('countersign').SignRequest[];
  arm(): void;
  outcomes(): (RequestOutcome | null)[];
  /** Says that another request stood here before. */
  replace?(): void;
  /** Offers a way to the answer that the other half of the page got for this request. */
  linkToAnswer(): void;
}

/** What a call of an attack's backend got. */
interface JudgedAnswer {
  kind: Outcome['kind'];
  signature: string | undefined;
  /** Whether the signature verifies over what was asked. */
  valid: boolean;
  code: string | undefined;
}

/** What was observed of an attack. */
interface Finding {
  /** Whether the promise hangs on it; otherwise it only says that the attack took place. */
  promise: boolean;
  ok: boolean;
  text: string;
}

/** Something that was seen in an attack. */
interface Step {
  who: string;
  text: string;
  tone: Tone | '';
}

interface Attack {
  id: string;
  title: string;
  summary: string;
  /** Why it fails. */
  why: string;
  run(harness: import('../src/js/attacks/harness.js').AttackHarness): Promise<Finding[]>;
}

/** What an attack's second window tells of itself. */
interface SecondTab {
  ready: boolean;
  state: string;
  prompts: number;
  elsewhere: number;
}
