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

let refuseKey = () => {};

/** Have a function called wherever a question is answered 401: no key came with it, or none in force. */
export function whenKeyIsRefused(act) {
  refuseKey = act;
}

/** Tell that a question was answered so. */
export const keyIsRefused = () => refuseKey();

/** Ask a path, or send it something as JSON; returns the answer and how many ms it took. Throws Refused, Unreachable, or AbortError. */
export async function ask(path, signal, { method = "GET", body: sent } = {}) {
  const began = performance.now();
  const headers = { Accept: "application/json", ...(sent && { "Content-Type": "application/json" }) };
  let response;
  let body;
  try {
    response = await fetch(path, { method, signal, headers, body: sent && JSON.stringify(sent) });
    body = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (response) throw new Refused(response.status, null);
    throw new Unreachable();
  }
  if (response.status === 401) refuseKey();
  if (!response.ok) throw new Refused(response.status, body);
  return { body, took: performance.now() - began };
}
