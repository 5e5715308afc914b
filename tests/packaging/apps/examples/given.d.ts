/** What examples take as given. What they declare themselves comes before this. */
declare const key: import('countersign').Key;
declare const wallet: import('countersign').Wallet;
declare const request: import('countersign').SignRequest;
/** Shows messages to the user. */
declare function show(requester: string, messages: readonly Uint8Array[]): void;
/** Waits for the user's yes or no. */
declare function yes(signal: AbortSignal): Promise<boolean>;
/** A signer somewhere else, as over USB. */
declare const device: { sign(bytes: Uint8Array): Promise<Uint8Array> };
/** Two parts of a user's interface, for apps that ask by the Wallet Standard. */
declare function askToConnect(): Promise<boolean>;
declare function askToSign(messages: readonly import('countersign').Description[]): Promise<boolean>;
/** A component that shows a request. */
declare function Prompt(properties: { key: string; request: import('countersign').SignRequest }): null;
/** A list of rules, and the one the user chose. */
declare function render(policies: readonly import('countersign').Policy[]): void;
declare const policy: import('countersign').Policy;
declare function log(line: string): void;
/** Where a message is shown. */
declare const preview: HTMLElement;
/** A database of the caller's. */
declare const database: {
  transaction(
    work: (rows: { get(key: string): Promise<string | undefined>; set(key: string, value: string): Promise<void> }) => Promise<void>,
  ): Promise<void>;
};
/** What the user typed. */
declare const passphrase: string;
declare const phrase: string;
/** What the user chose. */
declare const file: File;
/** Of an extension. */
declare const chrome: {
  alarms: { create(name: string, options: { periodInMinutes: number }): void; onAlarm: { addListener(listener: () => void): void } };
};
/** What is used of Vue, whose own types are not here. */
declare module 'vue' {
  export function shallowRef<T>(value: T): { value: T };
  export function onUnmounted(hook: () => void): void;
}
