import type { CountersignError } from '../common/errors.js';
import type { Policy } from '../policies/policy.js';
import type { SignBatch } from '../requests/batch.js';
import type { Outcome, SignRequest } from '../requests/request.js';
import type { ElsewhereRequest } from './other-tabs.js';

/**
 * The name of a connection's state. `standby`: another tab has this wallet connected, and this one takes over when that one
 * closes, does not answer, or has something open where nobody sees it.
 */
export type ConnectionState = 'idle' | 'standby' | 'connecting' | 'introducing' | 'connected' | 'reconnecting' | 'closed';

/** A change of the connection's state. */
export type StateEvent = ConnectedEvent | ReconnectingEvent | ClosedEvent | OnTheWayEvent;

/** The server has welcomed the wallet. */
export interface ConnectedEvent {
  state: 'connected';
  /** The server's name for the connection. */
  connectionId: string;
  retryInMs?: undefined;
  error?: undefined;
}

/** The connection is lost, or was not made. */
export interface ReconnectingEvent {
  state: 'reconnecting';
  /** Milliseconds until the next try. */
  retryInMs: number;
  /** Why. */
  error: CountersignError;
  connectionId?: undefined;
}

/** The wallet is closed, until `connect()` is called. */
export interface ClosedEvent {
  state: 'closed';
  /** Why; absent where `close()` was called. */
  error?: CountersignError;
  retryInMs?: undefined;
  connectionId?: undefined;
}

/** Any other state. */
export interface OnTheWayEvent {
  state: Exclude<ConnectionState, 'connected' | 'reconnecting' | 'closed'>;
  retryInMs?: undefined;
  connectionId?: undefined;
  error?: undefined;
}

/** A frame on the wire, for logs. */
export interface FrameEvent {
  direction: 'in' | 'out';
  /** The frame's type; empty where the text is no frame. */
  type: string;
  /** The frame as it stands on the wire. It holds the message to be signed. */
  text: string;
}

/** A request is over: how, and why. */
export type EndedEvent = Outcome & {
  /** Names the request on every device and in the backend's log. */
  readonly requestId: string;
};

/** A policy has approved a request, and nobody was asked. */
export interface ApprovedEvent {
  request: SignRequest;
  /** The policy, with the uses that are left to it. */
  policy: Policy;
}

/** The events of a wallet, by name. */
export interface WalletEvents {
  /** The connection's state changed. */
  state: StateEvent;
  /** A request to show, told once. While nobody listens, what no policy approves is declined in the name of this device. */
  request: SignRequest;
  /**
   * Several requests to show in one prompt, told once. While nobody listens to this, they are told one by one as `request`.
   */
  batch: SignBatch;
  /** A policy has approved a request: it is signed, and told for the record. One that needs a human is told by `request` or `batch`. */
  approved: ApprovedEvent;
  /**
   * A request is over, told once. Also told of an answer that was restored from the store and sent again, which has no request object.
   */
  ended: EndedEvent;
  /** What another tab has open has changed; the same list as `wallet.elsewhere`. */
  elsewhere: readonly ElsewhereRequest[];
  /** Something went wrong that the wallet itself can live with. */
  error: CountersignError;
  /** A frame came or went. Only made while somebody listens. */
  frame: FrameEvent;
}
