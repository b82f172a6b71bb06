// Drawing as SVG, which takes its colors from the style sheet, in every theme and on paper.

const SPACE = "http://www.w3.org/2000/svg";

/** Make an element of a drawing, with attributes and children. */
export function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A drawing of a size in px that is read aloud as a sentence. */
export const drawing = (width, height, label, ...children) => draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "drawing" }, ...children);

/** A place as a text for a path, to a tenth of a px. */
export const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
