// The page's modules that need no page.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fromBase64, fromHex, toBase64 } from '../../web-demo/src/js/bytes.js';
import { curlCommand, shellQuote } from '../../web-demo/src/js/curl.js';
import { eventsOf } from '../../web-demo/src/js/event-stream.js';
import { byteCount, duration, elapsed, groupsOf, sentence, timeLeft } from '../../web-demo/src/js/format.js';

test('hex and base64 are read or refused', () => {
  assert.deepEqual(fromHex(' DE ad\nbe ef '), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  assert.deepEqual(fromHex(''), new Uint8Array());
  for (const text of ['abc', 'zz', '0x00', 'a b c']) assert.equal(fromHex(text), null, text);
  assert.deepEqual(fromBase64('-_8='), Uint8Array.of(0xfb, 0xff));
  assert.equal(fromBase64('a*'), null);
  assert.equal(toBase64(Uint8Array.of(0xfb, 0xff)), '+/8=');
});

test('times and sizes are said in a human way', () => {
  assert.deepEqual([60_000, 59_001, 999, 0, -5, 3_600_000, 604_800_000].map(timeLeft), [
    '1:00',
    '1:00',
    '0:01',
    '0:00',
    '0:00',
    '1:00:00',
    '7 d 0 h',
  ]);
  assert.deepEqual([1, 0, 65_536].map(byteCount), ['1 byte', '0 bytes', '65,536 bytes']);
  assert.deepEqual([12.4, 2_345].map(duration), ['12 ms', '2.3 s']);
  assert.deepEqual([0, 2_345, 75_000].map(elapsed), ['+0 ms', '+2.3 s', '+1:15']);
  assert.deepEqual(groupsOf('11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=', 11), [
    '11qYAYKxCrf',
    'VS/7TyWQHOg',
    '7hcvPapiMlr',
    'wIaaPcHURo=',
  ]);
  assert.deepEqual(
    ['', 'ab', 'abc'].map((text) => groupsOf(text, 2)),
    [[], ['ab'], ['ab', 'c']],
  );
  assert.equal(sentence('no wallet is connected'), 'No wallet is connected.');
});

test('a shell hands on exactly what was quoted', () => {
  for (const text of [`it's`, `'`, `''`, '$HOME `id` \\ "x" !', 'a\nb', '🦊', '-n']) {
    assert.equal(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' }), text);
  }
});

test('the command names a token and says what is preferred', () => {
  const command = curlCommand('http://localhost/x', { a: 1 }, { withToken: true, prefer: 'respond-async' });
  assert.equal(
    command,
    `curl -sS 'http://localhost/x' -H 'content-type: application/json' -H 'prefer: respond-async' -H "authorization: Bearer $COUNTERSIGN_TOKEN" -d '{"a":1}'`,
  );
});

test('events are read however they are cut into pieces', async () => {
  const text = ':\n\nevent:queued\ndata:{"a":"ü"}\nid:1\n\nevent: signed\ndata: {}\n\nevent:half\ndata:{';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 7, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size));
    const events = [];
    for await (const event of eventsOf(/** @type {ReadableStream} */ (new Blob(pieces).stream()))) events.push(event);
    assert.deepEqual(events, [
      { event: 'queued', data: '{"a":"ü"}' },
      { event: 'signed', data: '{}' },
    ]);
  }
});
