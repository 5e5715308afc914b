// Which public keys are admitted (§4), in plain arithmetic on edwards25519 (RFC 8032 §5.1). For tests: neither fast nor constant in time.
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a) => ((a % P) + P) % P;

function power(base, exponent) {
  let result = 1n;
  for (base = mod(base); exponent > 0n; exponent >>= 1n, base = mod(base * base)) {
    if (exponent & 1n) result = mod(result * base);
  }
  return result;
}

const inverse = (a) => power(a, P - 2n);
const D = mod(-121665n * inverse(121666n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);
/**
 * A point of the curve.
 *
 * @typedef {[x: bigint, y: bigint]} Point
 */

/** @type {Point} */
const NEUTRAL = [0n, 1n];

/**
 * @param {Point} one
 * @param {Point} other
 * @returns {Point}
 */
function add([x1, y1], [x2, y2]) {
  const product = mod(D * mod(x1 * x2) * mod(y1 * y2));
  return [mod((x1 * y2 + y1 * x2) * inverse(1n + product)), mod((y1 * y2 + x1 * x2) * inverse(1n - product))];
}

/**
 * @param {bigint} scalar
 * @param {Point} point
 */
function times(scalar, point) {
  let result = NEUTRAL;
  for (; scalar > 0n; scalar >>= 1n, point = add(point, point)) if (scalar & 1n) result = add(result, point);
  return result;
}

const isNeutral = ([x, y]) => x === 0n && y === 1n;

/** `admitted`, or why 32 bytes are not a key: `not_on_curve`, `not_canonical`, `small_order`, `mixed_order`. */
export function admission(bytes) {
  const encoded = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const sign = encoded >> 255n;
  const y = encoded & (2n ** 255n - 1n);
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * ROOT_OF_MINUS_ONE);
  if (mod(v * x * x) !== u) return 'not_on_curve';
  if (y >= P || (x === 0n && sign === 1n)) return 'not_canonical';
  if ((x & 1n) !== sign) x = P - x;
  if (isNeutral(times(8n, [x, y]))) return 'small_order';
  return isNeutral(times(L, [x, y])) ? 'admitted' : 'mixed_order';
}
