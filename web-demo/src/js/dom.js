/**
 * The element of this id. The page has each one that is asked for: a test looks.
 *
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof PageElements ? PageElements[Id] : HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  return /** @type {Id extends keyof PageElements ? PageElements[Id] : HTMLElement} */ (found);
}

/**
 * The elements below `root` that carry `data-part`, by that name.
 *
 * @param {HTMLElement} root
 * @returns {Parts}
 */
export function partsOf(root) {
  const parts = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-part]'));
  return /** @type {Parts} */ (Object.fromEntries([...parts].map((part) => [part.dataset.part ?? '', part])));
}

/**
 * A copy of the template of this id: its only element, and the element's parts.
 *
 * @param {string} id
 */
export function fromTemplate(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  const root = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  return { root, parts: partsOf(root) };
}

/**
 * A new element with a class and text.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {string} text
 */
export function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Pieces of a text set apart by style alone, so that it is copied as it is.
 *
 * @param {string[]} pieces
 */
export function grouped(pieces) {
  const made = element('span', 'groups');
  made.append(...pieces.map((piece) => element('span', '', piece)));
  return made;
}

/**
 * A new drawing of the icon `icon-<name>`.
 *
 * @param {IconName} name
 */
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
