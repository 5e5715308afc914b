// What the page makes of frames, phases and attacks, without a page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allEnded, allSigned, askedOnce, noneWrong, nothingSigned, tookPlace, verdict } from '../../web-demo/src/js/attacks/verdict.js';
import { callProgress } from '../../web-demo/src/js/call-progress.js';
import { checkSnippet } from '../../web-demo/src/js/verify/snippet.js';
import { frameWords, isHeartbeat } from '../../web-demo/src/js/wire/frame-words.js';
import { frameOf, interceptor } from '../../web-demo/src/js/wire/interceptor.js';

const { frames } = JSON.parse(readFileSync(new URL('../../protocol/vectors/frames.json', import.meta.url), 'utf8'));

test('every frame of the specification is explained', () => {
  for (const { canonical } of frames) {
    const frame = frameOf(canonical);
    const words = frameWords(frame);
    assert.match(words, /^[A-Z].*[.?]$/, words);
    assert.doesNotMatch(words, /undefined|NaN|No frame/, JSON.stringify(frame));
  }
  for (const strange of [{}, { type: 'constructor' }, { type: 'toString' }])
    assert.equal(frameWords(strange), 'No frame of this protocol.');
  // @ts-expect-error: a frame may be anything
  assert.equal(frameWords({ type: 7 }), 'No frame of this protocol.');
});

test('words depend on what the frame says', () => {
  assert.match(frameWords({ type: 'sign_request', message: 'aGVsbG8=', expires_in_ms: 60_000, attempt: 1 }), /5 bytes, within 1:00/);
  assert.match(frameWords({ type: 'sign_request', attempt: 2 }), /attempt 2.*not asked again/);
  const outcomes = ['accepted', 'late', 'duplicate', 'bad_signature', 'message_mismatch', 'unknown'];
  assert.equal(new Set(outcomes.map((outcome) => frameWords({ type: 'response_ack', outcome }))).size, outcomes.length);
  assert.deepEqual(
    ['ping', 'pong', 'welcome'].map((type) => isHeartbeat({ type })),
    [true, true, false],
  );
});

/** A socket that keeps what it is told to send. */
class FakeSocket extends EventTarget {
  /** @type {string[]} */
  sent = [];
  closed = 0;

  send(text) {
    this.sent.push(text);
  }

  close(code) {
    this.closed = code;
  }

  receive(data) {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

/** @param {Rewrite} [rewrite] */
function tapped(rewrite) {
  /** @type {FrameSeen[]} */
  const seen = [];
  const wire = interceptor(/** @type {typeof WebSocket} */ (/** @type {unknown} */ (FakeSocket)), {
    rewrite,
    onFrame: (event) => seen.push(event),
  });
  const socket = /** @type {WebSocket & FakeSocket} */ (/** @type {unknown} */ (new wire.WebSocket('ws://x')));
  const heard = [];
  socket.onmessage = ({ data }) => heard.push(data);
  return { wire, socket, seen, heard };
}

test('whoever stands in between passes on what they do not touch', () => {
  const { socket, seen, heard } = tapped();
  socket.receive('{"type":"challenge"}');
  socket.send('{"type":"pong"}');
  socket.send('no frame');
  assert.deepEqual([heard, socket.sent], [['{"type":"challenge"}'], ['{"type":"pong"}', 'no frame']]);
  assert.deepEqual(
    seen.map(({ direction, fate }) => `${direction} ${fate}`),
    ['in passed', 'out passed', 'out passed'],
  );
});

test('frames are altered, lost, slipped in and cut off', () => {
  const { wire, socket, seen, heard } = tapped(({ direction, frame, text }) => {
    if (frame.type === 'response_ack') return null;
    return frame.type === 'sign_request' && direction === 'in' ? '{"type":"sign_request","message":"eA=="}' : text;
  });
  socket.receive('{"type":"sign_request","message":"YQ=="}');
  socket.receive('{"type":"response_ack"}');
  wire.inject('{"type":"sign_response"}');
  wire.cut();
  assert.deepEqual(heard, ['{"type":"sign_request","message":"eA=="}']);
  assert.deepEqual(socket.sent, ['{"type":"sign_response"}']);
  assert.equal(socket.closed, 4000);
  assert.deepEqual(
    seen.map(({ fate, was }) => [fate, was]),
    [
      ['altered', '{"type":"sign_request","message":"YQ=="}'],
      ['dropped', undefined],
      ['injected', undefined],
    ],
  );
  assert.deepEqual(['{', '3', 'null', '"x"'].map(frameOf), [{}, {}, {}, {}]);
});

test('a wallet that lets go of its socket hears nothing more', () => {
  const { socket, heard } = tapped();
  socket.onmessage = null;
  socket.receive('{}');
  assert.deepEqual(heard, []);
});

test('the promise is held only by what was observed', () => {
  const good = { signature: 's', valid: true };
  const forged = { signature: 's', valid: false };
  const refused = { code: 'invalid_signature' };
  const hung = {};
  assert.equal(
    verdict([tookPlace(true, ''), nothingSigned([refused]), noneWrong([refused]), allEnded([refused]), askedOnce(new Map([['a', 1]]))])
      .state,
    'held',
  );
  for (const broken of [
    nothingSigned([forged]),
    nothingSigned([good]),
    noneWrong([good, forged]),
    allSigned([good, refused]),
    allSigned([forged]),
    allEnded([good, hung]),
    askedOnce(new Map([['a', 2]])),
  ]) {
    assert.equal(verdict([tookPlace(true, ''), broken]).state, 'broken', broken.text);
    // That it was broken counts, however little of the attack was carried out.
    assert.equal(verdict([tookPlace(false, ''), broken]).state, 'broken', broken.text);
  }
  assert.equal(verdict([tookPlace(false, 'no window'), allEnded([refused])]).state, 'void');
  assert.equal(verdict([tookPlace(true, '')]).state, 'void');
  assert.equal(verdict([]).state, 'void');
});

const frame = (frame) => ({ text: JSON.stringify(frame) });

test('phases come from what the wallet sees, and then from the answer', () => {
  const call = callProgress({ message: 'YQ==', timeout_ms: 5_000 }, 100);
  const [request] = call.requests;
  assert.deepEqual([request.state, request.expires_at_ms], ['queued', 5_100]);
  assert.equal(call.frame(frame({ type: 'sign_request', request_id: 'other', message: 'Yg==' }), 101), false);
  assert.equal(call.frame(frame({ type: 'request_status', request_id: 'other', state: 'received' }), 101), false);
  assert.equal(call.frame(frame({ type: 'sign_request', request_id: 'a', message: 'YQ==' }), 102), true);
  assert.equal(call.frame(frame({ type: 'request_status', request_id: 'a', state: 'received' }), 103), true);
  assert.equal(call.frame(frame({ type: 'request_status', request_id: 'a', state: 'displayed' }), 104), true);
  assert.deepEqual(request.times, { queued_ms: 100, delivered_ms: 102, received_ms: 103, displayed_ms: 104 });
  const [signed] = call.end({ kind: 'signed', body: { request_id: 'a', times: { queued_ms: 99, ended_ms: 200 } } }, 201);
  assert.deepEqual([signed.state, signed.times.queued_ms, signed.times.displayed_ms, signed.times.ended_ms], ['signed', 99, 104, 200]);
  assert.equal(call.frame(frame({ type: 'request_status', request_id: 'a', state: 'received' }), 300), false);
});

test('an end without a signature has its name, and what was never a request has no phases', () => {
  const ended = (outcome, delivered = true) => {
    const call = callProgress({ message: 'YQ==' }, 0);
    if (delivered) call.frame(frame({ type: 'sign_request', request_id: 'a', message: 'YQ==' }), 1);
    return call.end(outcome, 2).map(({ state }) => state);
  };
  const problem = (code) => ({ kind: 'problem', body: { code } });
  assert.deepEqual(ended(problem('rejected')), ['rejected']);
  assert.deepEqual(ended(problem('timeout')), ['expired']);
  assert.deepEqual(ended(problem('invalid_signature')), ['failed']);
  assert.deepEqual(ended({ kind: 'cancelled' }), ['cancelled']);
  assert.deepEqual(ended({ kind: 'unreachable' }), ['lost']);
  assert.deepEqual(ended(problem('invalid_public_key'), false), []);
  assert.deepEqual(ended(problem('signer_not_connected'), false), []);
});

test('two messages are told apart, also where they are the same', () => {
  const call = callProgress({ messages: ['YQ==', 'YQ=='] }, 0);
  call.frame(frame({ type: 'sign_request', request_id: 'a', message: 'YQ==' }), 1);
  call.frame(frame({ type: 'sign_request', request_id: 'a', message: 'YQ==', attempt: 2 }), 2);
  call.frame(frame({ type: 'sign_request', request_id: 'b', message: 'YQ==' }), 3);
  assert.deepEqual(
    call.requests.map(({ request_id }) => request_id),
    ['a', 'b'],
  );
});

test('the check to take away names nothing of this project but the values', () => {
  const script = checkSnippet({ publicKey: 'PK', message: 'M', signature: 'S' });
  assert.doesNotMatch(script, /import |countersign/i);
});
