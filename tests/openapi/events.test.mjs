// A request's events, as followers of other projects understand them: over a restart of the server, and up to the end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EventSource } from 'eventsource';
import { ForeignWallet } from '../foreign/client.mjs';
import { startServer } from '../foreign/server.mjs';

const python = process.env.COUNTERSIGN_PYTHON ?? fileURLToPath(new URL('../../target/openapi/bin/python', import.meta.url));
const states = ['queued', 'delivered', 'received', 'displayed', 'signed', 'rejected', 'expired', 'cancelled'];
const PATIENCE_MS = 60_000;

/** What a follower was told, and what it asked with: answers are `{ status, seen }`. */
class Course extends EventEmitter {
  events = [];
  answers = [];
  isOver = false;

  note(change) {
    change(this);
    this.emit('news');
  }

  /** Resolves once something is so. */
  async until(what, is) {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    while (!is(this)) {
      await once(this, 'news', { signal }).catch(() => assert.fail(`${what}: ${JSON.stringify([this.events, this.answers])}`));
    }
  }
}

/** npm's `eventsource`, which is the browsers' but for where it runs. */
function byEventSource(url) {
  const course = new Course();
  const source = new EventSource(url, {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      course.note(({ answers }) => answers.push({ status: response.status, seen: init.headers['Last-Event-ID'] ?? null }));
      return response;
    },
  });
  for (const state of [...states, 'problem']) {
    source.addEventListener(state, ({ type, lastEventId }) =>
      course.note(({ events }) => events.push({ event: type, id: lastEventId || null })),
    );
  }
  source.addEventListener('error', () => {
    if (source.readyState === source.CLOSED) course.note((course) => (course.isOver = true));
  });
  return { course, end: () => source.close() };
}

/** PyPI's `sseclient`. */
function bySseClient(url) {
  assert.ok(existsSync(python), `${python} is missing: make openapi-tests`);
  const course = new Course();
  const child = spawn(python, [fileURLToPath(new URL('follow.py', import.meta.url)), url], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  createInterface({ input: child.stdout }).on('line', (line) => {
    // It says by itself, in words, that a stream has broken off.
    if (!line.startsWith('{')) return;
    const { status, seen, event, id, over } = JSON.parse(line);
    course.note((course) => {
      if (status) course.answers.push({ status, seen });
      if (event) course.events.push({ event, id });
      if (over) course.isOver = true;
    });
  });
  const end = async () => {
    child.kill();
    await ended;
  };
  return { course, end };
}

async function asked(http, publicKey) {
  const body = { public_key: publicKey.toString('base64'), message: 'aGVsbG8=', queue: true };
  const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
  const response = await fetch(`${http}/v1/send_to_sign`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(response.status, 202);
  return (await response.json()).request_id;
}

/** @param {'kill' | 'stop'} how */
async function follow(how, begin) {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-events-'));
  const start = (listen) => startServer('--listen', listen, '--data-dir', join(folder, 'data'));
  let server = await start('127.0.0.1:0');
  const { http, ws } = server;
  const wallet = new ForeignWallet({ url: ws });
  const url = `${http}/v1/requests/${await asked(http, wallet.publicKey)}/events`;
  const { course, end } = begin(url);
  let connected;
  try {
    await course.until('it hears that the request waits', ({ events }) => events.length > 0);
    const before = course.answers.length;
    await server[how]();
    server = await start(new URL(http).host);
    // A server that stops answers too, until it has stopped; who has asked the next one hears nothing that it has heard.
    await course.until('it has connected anew', ({ answers }) => answers.length > before);
    connected = wallet.run();
    await course.until('it has heard that it is over', ({ isOver }) => isOver);
  } finally {
    await end();
    wallet.close();
    await connected;
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
  const told = course.events.filter(({ event }) => event !== 'problem');
  assert.deepEqual([told[0].event, told.at(-1).event], ['queued', 'signed']);
  assert.equal(new Set(told.map(({ event }) => event)).size, told.length, `each state once: ${JSON.stringify(told)}`);
  for (const { event, id } of told) assert.equal(id, event);
  const problems = course.events.length - told.length;
  assert.ok(how === 'stop' || problems === 0, 'a server that is killed says nothing of it');
  const { answers } = course;
  assert.deepEqual(answers[0], { status: 200, seen: null });
  assert.deepEqual(answers.at(-1), { status: 204, seen: 'signed' });
  for (const { status, seen } of answers.slice(1, -1)) assert.deepEqual({ status, seen }, { status: 200, seen: 'queued' });
  assert.ok(answers.length <= 3 + problems, `nobody asks more often than there is reason to: ${JSON.stringify(answers)}`);
}

for (const how of /** @type {const} */ (['kill', 'stop'])) {
  for (const [name, begin] of Object.entries({ eventsource: byEventSource, sseclient: bySseClient })) {
    test(`${name} follows a request over a server's ${how} and knows when to stop`, () => follow(how, begin));
  }
}
