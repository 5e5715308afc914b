// Server-sent events, as the HTML standard reads them (§9.2.6), from parts of any size.

import { ProtocolError } from './errors.js';

/** An event with its name, and its data in one text. */
export interface ServerSentEvent {
  name: string;
  data: string;
}

/** Takes parts of a stream and gives the events that are whole. Each character is looked at once, however small the parts. */
export class EventReader {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #most: number;
  /** The line that has begun. */
  #line: string[] = [];
  /** Whether the last character was a carriage return, which may be half of a line's end. */
  #isHalf = false;
  #name = '';
  #data: string[] = [];
  /** Of all that is held. */
  #size = 0;

  /** @param most how long an event may be, in characters */
  constructor(most: number) {
    this.#most = most;
  }

  /** @throws {ProtocolError} where an event is too long, or no text */
  push(part: Uint8Array): ServerSentEvent[] {
    let text = this.#decode(part);
    if (text === '') return [];
    if (this.#isHalf && text.startsWith('\n')) text = text.slice(1);
    this.#isHalf = text.endsWith('\r');
    const lines = text.split(/\r\n|\n|\r/);
    const begun = lines.pop() ?? '';
    const events = lines.flatMap((end) => this.#end(end));
    if (begun !== '') this.#line.push(begun);
    this.#hold(begun.length);
    return events;
  }

  #decode(part: Uint8Array): string {
    try {
      return this.#decoder.decode(part, { stream: true });
    } catch (cause) {
      throw new ProtocolError('an event is no UTF-8', { cause });
    }
  }

  #hold(length: number): void {
    this.#size += length;
    if (this.#size > this.#most) throw new ProtocolError(`an event is longer than ${this.#most} characters`);
  }

  #end(text: string): ServerSentEvent[] {
    this.#hold(text.length + 1);
    const line = [...this.#line, text].join('');
    this.#line = [];
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    if (field === 'data') this.#data.push(value);
    // Comments keep a stream alive for days.
    if (field === '') this.#size -= Math.min(this.#size, line.length + 1);
    return [];
  }

  #dispatch(): ServerSentEvent[] {
    const event = { name: this.#name || 'message', data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#name = '';
    this.#data = [];
    this.#size = 0;
    return isEmpty ? [] : [event];
  }
}
