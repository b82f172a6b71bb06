// How numbers, moments and commands are written. Text from data only ever reaches the page as text.

const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const formatNumber = (value) => plain.format(value);
export const formatMoment = (iso) => moment.format(new Date(iso));

/** Set an element's text, touching the page only where it changes. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Write a measured value into a <data> element, the exact one in its attribute; a dash where there is none. */
export function putValue(element, value, digits = 2) {
  put(element, value === null ? "–" : formatNumber(Number(value.toFixed(digits))));
  element.value = value ?? "";
}

/** Say how long ago something was: "4 s ago", "3 min ago"; "in 2 min" where a clock is ahead. */
export function formatAge(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 1 || (ms < 0 && seconds < 3)) return "now";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = units.find(([size]) => seconds >= size);
  const amount = `${Math.floor(seconds / size)} ${unit}`;
  return ms < 0 ? `in ${amount}` : `${amount} ago`;
}

/** Escape a name for a path, the apostrophe included, so that it also survives a shell's quotes. */
export const inPath = (name) => encodeURIComponent(name).replaceAll("'", "%27");

/** Let a button copy the text beside it; where the browser forbids that, select it. */
export function makeCopyable(box) {
  const [text, button] = box.children;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      put(button, "Copied");
    } catch {
      getSelection().selectAllChildren(text);
      put(button, "Selected");
    }
    setTimeout(() => put(button, "Copy"), 2000);
  });
}
