// Making and changing elements. Text from data only ever reaches the page as a text node or as an attribute's value.

/** Find an element by its id. */
export const $ = (id) => document.getElementById(id);

/** Make an element: attributes (a function listens to an event, null and false leave it out) and children. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set an element's text, touching the page only where it changes; a text that is there is changed, not replaced. */
export function put(element, text) {
  const node = element.firstChild;
  if (node?.nodeType === Node.TEXT_NODE && node === element.lastChild) {
    if (node.data !== text) node.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

/** Set an attribute, touching the page only where it changes. */
export function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Show or hide. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** What a browser remembers for this page; nothing where storage is forbidden. */
export const memory = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Then it holds until the page is closed.
    }
  },
};

/** Let a button copy a text; where the browser forbids that, select it instead. */
export function makeCopyable(button, source) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      put(button, "Copied");
    } catch {
      getSelection().selectAllChildren(source);
      put(button, "Selected");
    }
    setTimeout(() => put(button, label), 2000);
  });
}
