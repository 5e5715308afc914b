// What the tests put into their pages and workers, and look at from outside.

/** A key as the package keeps it. */
interface KeptKey {
  name: string;
  storage: string;
  publicKey: string;
  privateKey: CryptoKey;
  sealingKey: CryptoKey;
  iv: Uint8Array<ArrayBuffer>;
  sealed: ArrayBuffer;
}

// In pages of keys-page.mjs.
declare var countersign: typeof import('countersign');
declare var codeOf: (promise: Promise<unknown>) => Promise<string>;
declare var inKeys: <Result>(mode: IDBTransactionMode, use: (keys: IDBObjectStore) => IDBRequest<Result>) => Promise<Result>;
declare var kept: () => Promise<KeptKey[]>;
declare var kill: () => void;
declare var change: (name: string, changes: object) => Promise<void>;

// In the bare pages of sdk.test.mjs and policies.test.mjs.
declare var wallet: import('countersign').Wallet;
declare var sockets: WebSocket[];
declare var open_wallet: {
  (seed?: number[] | null, options?: object): Promise<string>;
  (options?: object): Promise<string>;
};
declare var log: {
  requests: import('countersign').SignRequest[];
  errors: string[];
  states: string[];
  elsewhere: (readonly import('countersign').ElsewhereRequest[])[];
  approved: [string, string, number][];
  changes: number[][];
};

// In the demo page.
declare var axe: typeof import('axe-core');
declare var __prompts: number;
declare var __untaken: number;
declare var __prompted: (prompt: { ids: (string | undefined)[]; resumed: boolean }) => void;
declare var __violation: (text: string) => void;
declare var __opened: number;
declare var __told: number;
declare var __shift: number;

/** https://wicg.github.io/layout-instability/, which only Chromium has. */
interface LayoutShift extends PerformanceEntry {
  readonly hadRecentInput: boolean;
  readonly value: number;
}

// In pages and workers of whole apps.
declare var said: unknown[];
declare var worker: Worker;
declare var words: unknown[];
declare var start: (server: string) => void;

/** Trusted Types (https://w3c.github.io/trusted-types/), which TypeScript's own declarations lack, as far as an app here uses them. */
declare var trustedTypes: {
  createPolicy<Policy extends { createScriptURL(name: string): string }>(name: string, policy: Policy): Policy;
};
