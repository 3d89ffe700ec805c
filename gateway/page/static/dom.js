// Few and small steps on the document. Data only ever becomes text.

export const field = (name, root = document) => root.querySelector(`[data-field="${name}"]`);

/** Writes only what changed, so that a selection of text and a screen reader stay undisturbed. */
export function put(name, text, root = document) {
  const element = field(name, root);
  if (element.textContent !== text) element.textContent = text;
  return element;
}

export function show(name, is_shown) {
  field(name).hidden = !is_shown;
}

/** An element with attributes and children; a child that is no element becomes text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** A shape of the sprite in index.html, for the eye only: words stand beside it. */
export function shape(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#shape-${name}`);
  svg.append(use);
  return svg;
}
