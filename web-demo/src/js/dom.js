/** The element of this id. */
export const byId = (id) => document.getElementById(id);

/** The elements below `root` that carry `data-part`, by that name. */
export function partsOf(root) {
  return Object.fromEntries([...root.querySelectorAll('[data-part]')].map((part) => [part.dataset.part, part]));
}

/** A copy of the template of this id: its only element, and the element's parts. */
export function fromTemplate(id) {
  const root = byId(id).content.firstElementChild.cloneNode(true);
  return { root, parts: partsOf(root) };
}

/** A new element with a class and text. */
export function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** A new drawing of the icon `icon-<name>`. */
export function icon(name) {
  const SVG = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}
