import encodeQR from 'qr';

const SVG = 'http://www.w3.org/2000/svg';
/** Readers want so much around it (ISO/IEC 18004), in modules. */
const QUIET = 4;

/**
 * Draws a text as a QR code.
 *
 * @param {HTMLElement} place
 * @param {string} text
 */
export function drawCode(place, text) {
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET });
  const dark = rows.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  svg.setAttribute('viewBox', `0 0 ${rows.length} ${rows.length}`);
  svg.setAttribute('shape-rendering', 'crispEdges');
  path.setAttribute('d', dark.join(''));
  svg.append(path);
  place.replaceChildren(svg);
}
