/** The little of the Web Locks API that is used here. */
export interface Locks {
  request(
    name: string,
    options: { ifAvailable?: boolean; steal?: boolean; signal?: AbortSignal },
    callback: (lock: object | null) => Promise<void> | undefined,
  ): Promise<void>;
}

/** The little of the BroadcastChannel API that is used here. */
export interface Channel {
  postMessage(message: unknown): void;
  close(): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** What tabs of one browser have in common. */
export interface TabGroup {
  readonly locks: Locks;
  readonly Channel: new (name: string) => Channel;
  /** Whether this one can be seen. */
  isVisible(): boolean;
  /** Whether it is the one that somebody works with. */
  isFocused(): boolean;
}
