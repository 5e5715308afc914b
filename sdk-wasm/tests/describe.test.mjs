import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CountersignError, describe, digest } from './package.mjs';

const of = (text) => describe(new TextEncoder().encode(text));
const codes = ({ warnings }) => warnings.map(({ code }) => code);

test('plain text is shown as it is, in one piece', () => {
  for (const text of ['Pay 25 EUR to Alice', 'line\n\tindented', 'Größe: 5 µm, 契約 №7, नमस्ते, ٣', '❤️ 🦊', '']) {
    const { kind, segments, text: shown, warnings } = of(text);
    assert.deepEqual([kind, shown, warnings], ['text', text, []], text);
    assert.deepEqual(segments, text ? [{ text }] : []);
  }
});

test('what hides or reorders is named where it stands', () => {
  assert.deepEqual(of('pay \u{202E}001\u{202C} now').segments, [
    { text: 'pay ' },
    { text: '⟨U+202E⟩', hidden: 'U+202E' },
    { text: '001' },
    { text: '⟨U+202C⟩', hidden: 'U+202C' },
    { text: ' now' },
  ]);
  // biome-ignore format: a list of code points, not one a line
  const hidden = [0x00, 0x07, 0x0B, 0x0D, 0x1B, 0x7F, 0x85, 0xA0, 0xAD, 0x061C, 0x115F, 0x180E, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2028, 0x2029,
    ...Array.from({ length: 5 }, (_, n) => 0x202A + n), 0x2060, 0x2062, ...Array.from({ length: 4 }, (_, n) => 0x2066 + n), 0x206A, 0x2800, 0x3000,
    0x3164, 0xE000, 0xFE00, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9, 0x1D173, 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0x10FFFD];
  for (const point of hidden) {
    const name = `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
    const description = of(`1${String.fromCodePoint(point)}0`);
    assert.deepEqual(description.segments, [{ text: '1' }, { text: `⟨${name}⟩`, hidden: name }, { text: '0' }], name);
    assert.deepEqual([description.text, codes(description)], [`1⟨${name}⟩0`, ['hidden_characters']], name);
  }
  assert.equal(of('a\u{200B}\u{200B}\u{200B}\u{200C}b').text, 'a⟨U+200B ×3⟩⟨U+200C⟩b');
  assert.equal(of('\u{FEFF}start').text, '⟨U+FEFF⟩start');
  assert.deepEqual(of('⟨U+202E⟩').segments, [{ text: '⟨U+202E⟩' }], 'what only looks like a name is none');
});

test('JSON is indented and keeps every digit', () => {
  const { kind, text, warnings } = of(
    '{"amount":12345678901234567890.10,"to":["a\\u0041",{}, [] ],"e":-1E+400,"n":null,"s":"a,b:{\\"}\\\\"}',
  );
  assert.equal(kind, 'json');
  assert.deepEqual(warnings, []);
  assert.equal(
    text,
    `{
  "amount": 12345678901234567890.10,
  "to": [
    "a\\u0041",
    {},
    []
  ],
  "e": -1E+400,
  "n": null,
  "s": "a,b:{\\"}\\\\"
}`,
  );
  for (const text of ['42', '"a"', 'null', '{a:1}', '[1,]', '{"a":1} x', '\u{FEFF}{}', '', '[', '{"a":01}'])
    assert.equal(of(text).kind, 'text', text);
  assert.equal(of(' \n[1]\n').text, '[\n  1\n]');
  assert.equal(of('{"to":"\u{202E}ecilA"}').text, '{\n  "to": "⟨U+202E⟩ecilA"\n}');
});

test('keys that occur twice in one object are told, however they are written', () => {
  assert.deepEqual(codes(of('{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}')), []);
  assert.deepEqual(codes(of('{"a":1,"b":"a","a":2}')), ['duplicate_keys']);
  assert.deepEqual(codes(of('{"x":[{"a":1,"\\u0061":2}]}')), ['duplicate_keys']);
  assert.deepEqual(codes(of('{"a":1,"A":2,"a":3}')), ['duplicate_keys', 'similar_keys']);
  assert.deepEqual(codes(of('{"__proto__":1,"constructor":2}')), []);
});

test('JSON that indenting would blow up is shown as text', () => {
  assert.equal(of('['.repeat(32) + ']'.repeat(32)).kind, 'json');
  assert.equal(of('['.repeat(33) + ']'.repeat(33)).kind, 'text');
  assert.equal(of('['.repeat(32_000) + ']'.repeat(32_000)).kind, 'text');
});

test('what is no text is shown in hexadecimal', () => {
  const { kind, segments, text, warnings } = describe(Uint8Array.of(0, 1, 0xfe, 0xff));
  assert.deepEqual([kind, segments, text, warnings], ['binary', [{ text: '00 01 fe ff' }], '00 01 fe ff', []]);
  assert.equal(describe(Buffer.from('c0af', 'hex')).kind, 'binary', 'an overlong encoding');
  assert.equal(describe(Buffer.from('eda080', 'hex')).kind, 'binary', 'a lone surrogate');
});

test('what may be a digest is blind', () => {
  for (const length of [20, 28, 32, 48, 64]) {
    const bytes = Buffer.concat([Buffer.of(0xff), randomBytes(length - 1)]);
    for (const message of [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(`0x${bytes.toString('hex').toUpperCase()}\n`)]) {
      const description = describe(message);
      assert.deepEqual([description.kind, codes(description)], ['blind', ['blind']], message.toString('latin1'));
    }
    assert.equal(describe(bytes.subarray(1)).kind === 'blind', false);
    assert.equal(describe(new Uint8Array(length)).kind, 'blind', 'zeros are valid UTF-8');
    assert.equal(of('Pay 25 EUR to Alice. '.repeat(4).slice(0, length)).kind, 'text', 'text may be as long');
  }
  assert.equal(describe(new Uint8Array(32)).text, Array(32).fill('00').join(' '));
});

test('letters of two scripts in one word are told', () => {
  assert.deepEqual(codes(of('Pay Аlice')), ['mixed_scripts']);
  assert.deepEqual(codes(of('Alice платит Бобу, λ = 5 µm')), []);
});

/**
 * What a human would read, and what is said of it: nothing, where it is plain.
 *
 * @type {[string, string, string[]][]}
 */
const TABLE = [
  // Sentences, each in a script of its own.
  ['German', 'Überweise 25,50 € an Jürgen Groß, fällig am 1. März.', []],
  ['French', 'Payez 25 € à Éloïse ; c’est « urgent ».', []],
  ['Vietnamese, decomposed', 'Trả tiền cho Nguyễn'.normalize('NFD'), []],
  ['Greek', 'Πληρώστε 25 ευρώ στην Ελένη', []],
  ['Russian', 'Заплатить Алисе 25 рублей', []],
  ['Japanese', 'アリスさんに２５ユーロを支払う。\u3000iPhoneを買う', []],
  ['Chinese', '向爱丽丝支付25欧元', []],
  ['Korean', '앨리스에게 25유로를 지불 漢字', []],
  ['Hindi', 'ऐलिस को २५ यूरो का भुगतान करें', []],
  ['Hindi with a joiner', 'क्\u200Dष', []],
  ['Thai', 'จ่ายเงินให้อลิซ ๒๕ ยูโร', []],
  ['Hebrew', 'שלם לאליס 25 אירו', []],
  ['Hebrew with points', 'שָׁלוֹם', []],
  ['Arabic', 'ادفع ٢٥ يورو إلى أليس', []],
  ['Persian with a non-joiner', 'می\u200Cخواهم', []],
  ['Tifinagh, of no list', 'ⵣⵉⵔⵉ', []],
  ['emoji', '👩‍👩‍👧 1️⃣ ❤️ 👍🏽', []],
  ['two languages beside each other', 'Alice платит Бобу', []],
  // What is not what it seems.
  ['a Cyrillic А', 'Pay Аlice', ['mixed_scripts']],
  ['a Greek omicron', 'gοοgle', ['mixed_scripts']],
  ['an Armenian օ', 'Bօb', ['mixed_scripts']],
  ['a Cherokee Ꭺ', 'Ꭺlice', ['mixed_scripts']],
  ['a Hebrew letter between numbers', 'pay 100 א 5', ['reordered']],
  ['numbers in Hebrew', '100 א 5', ['reordered']],
  ['Latin in Arabic', 'ادفع EUR إلى', ['reordered']],
  ['struck out', 'Pay 1\u03360\u03360\u0336 EUR', ['stray_marks']],
  ['stacked', `Pay A${'\u0307'.repeat(8)}`, ['stray_marks']],
  ['enclosed', 'Pay 5\u20DD', ['stray_marks']],
  ['pushed down', `Pay 1 EUR${'\n'.repeat(300)}and 1,000 EUR`, ['gap', 'long']],
  ['pushed down by lines of blanks', 'Pay 1 EUR\n \n\t\n \nand 1,000 EUR', ['gap']],
  ['pushed aside', `Pay 1 EUR${' '.repeat(200)}and 1,000 EUR`, ['gap']],
  ['too long to be seen at once', 'I agree. '.repeat(400), ['long']],
  ['keys that differ by case', '{"amount":1,"Amount":1000}', ['similar_keys']],
  ['keys that differ by width', '{"to":"a","ｔo":"b"}', ['similar_keys']],
  ['a right-to-left override', 'pay \u202E001', ['hidden_characters']],
];

for (const [what, text, expected] of TABLE) {
  test(`${what}: ${expected.length === 0 ? 'plain' : expected}`, () => {
    const description = of(text);
    assert.deepEqual(codes(description), expected, description.text);
    assert.deepEqual(describe(text), description, 'a purpose is described as a message is');
  });
}

test('a digest in any spelling is blind', () => {
  const digestOf = createHash('sha256').update('Pay all to Mallory').digest();
  const spelled = [
    digestOf.toString('base64'),
    digestOf.toString('base64url'),
    digestOf.toString('hex').match(/../g)?.join(':'),
    digestOf.toString('hex').match(/.{8}/g)?.join(' '),
    `sha256:${digestOf.toString('hex')}`,
    `sha256-${digestOf.toString('base64')}`,
    'GLzSyTsrnXd8TqWsKJ5xtwvcyHdTHDPrDnmPnQCLyDZ7',
  ];
  for (const text of spelled) assert.deepEqual(codes(of(text)), ['blind'], text);
  for (const text of ['order-2026-11-28-customer-1042', 'https://example.com/login?nonce=1', 'Donaudampfschifffahrtsgesellschaft'])
    assert.deepEqual(codes(of(text)), [], text);
});

test('the longest messages take no long time', () => {
  const longest = 65_536;
  const hostile = [
    'a'.repeat(longest),
    '\0'.repeat(longest),
    'a\0'.repeat(longest / 2),
    '"'.repeat(longest),
    `{"${'\\\\'.repeat(longest / 2 - 4)}":1}`,
    `[${'1,'.repeat(longest / 2 - 2)}1]`,
    `${'['.repeat(31)}${'[],'.repeat(20_000)}1${']'.repeat(31)}`,
    ' '.repeat(longest),
    '\u{1F98A}\u{FE0F}'.repeat(9_000),
    'f'.repeat(longest - 1),
  ];
  for (const text of hostile) {
    const before = performance.now();
    const { segments } = of(text);
    assert.ok(segments.length <= longest);
    // A hundred times what it takes: what is quadratic takes thousands of times.
    assert.ok(performance.now() - before < 2_000, text.slice(0, 20));
  }
});

test('only bytes are described', () => {
  for (const bad of [42, undefined, [1, 2], new ArrayBuffer(2)]) {
    assert.throws(
      // @ts-expect-error: not what it takes
      () => describe(bad),
      (error) => error instanceof CountersignError && error.code === 'invalid_message',
    );
  }
});

test('a digest is SHA-256 in hexadecimal', async () => {
  const message = Buffer.from('abc');
  assert.equal(await digest(message), createHash('sha256').update(message).digest('hex'));
});
