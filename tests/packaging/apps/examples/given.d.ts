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
/** What the user typed. */
declare const passphrase: string;
declare const phrase: string;
/** What the user chose. */
declare const file: File;
