// Questions to the service.

/** What was found wrong, where it is a text that can be told. */
const valueOf = ({ value }) => (typeof value === "string" && value ? `, and is ${value}` : "");

/** The service answered, but not with what was asked for; the message is its own. */
export class Refused extends Error {
  constructor(status, body) {
    const first = body?.errors?.[0];
    super(first ? `${body.detail} ${first.at} ${first.problem}${valueOf(first)}.` : (body?.detail ?? `The service answered ${status}.`));
    this.status = status;
  }
}

/** The service did not answer. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer.");
  }
}

/** Ask a path; returns the answer and how many ms it took. Throws Refused, Unreachable, or AbortError. */
export async function ask(path, signal) {
  const began = performance.now();
  let response;
  let body;
  try {
    response = await fetch(path, { signal, headers: { Accept: "application/json" } });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response) throw new Refused(response.status, null);
    throw new Unreachable();
  }
  if (!response.ok) throw new Refused(response.status, body);
  return { body, took: performance.now() - began };
}
