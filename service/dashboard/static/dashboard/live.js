// The connection: a WebSocket that is opened again, with growing pauses, whenever it is lost.

const LONGEST_PAUSE = 30_000; // ms
const FAILURES_UNTIL_OFFLINE = 6;
const SILENCE = 20_000; // ms
const STEADY = 10_000; // ms that a connection must have lasted to be called a success

let skew = 0;

/** The service's clock, in ms; differs from the browser's only where that is visibly wrong. */
export const now = () => Date.now() + skew;

/**
 * Keep a WebSocket open between start() and stop(); retry() tries again at once. hear(message) gets each message,
 * change(state, reason) each change of state: "live", "reconnecting" or "offline".
 */
export function keepLive(path, hear, change) {
  let isWanted = false;
  let socket = null;
  let timer = 0;
  let failures = 0;
  let heardAt = 0;
  let openedAt = 0;
  let parting = "";

  function open() {
    clearTimeout(timer);
    openedAt = heardAt = Date.now();
    parting = "";
    const mine = (socket = new WebSocket(path));
    mine.onmessage = ({ data }) => {
      if (mine !== socket) return;
      heardAt = Date.now();
      if (heardAt - openedAt > STEADY) failures = 0;
      take(JSON.parse(data));
    };
    mine.onclose = ({ reason }) => mine === socket && lose(parting || reason);
    check();
  }

  function take(message) {
    if (message.type === "interrupted") change("reconnecting", message.reason);
    else if (message.type === "closing") parting = message.reason;
    else if (message.type === "state" || message.type === "readings") {
      change("live", "");
      hear(message);
    }
  }

  function lose(reason) {
    const lost = socket;
    socket = null;
    lost?.close();
    failures += 1;
    change(failures >= FAILURES_UNTIL_OFFLINE || !navigator.onLine ? "offline" : "reconnecting", reason);
    clearTimeout(timer);
    timer = setTimeout(open, Math.min(LONGEST_PAUSE, 500 * 2 ** failures) * (0.5 + Math.random() / 2));
  }

  // A socket whose network vanished stays open in silence, so silence makes us ask; the answer also tells the time.
  async function check() {
    const asked = socket;
    const before = Date.now();
    try {
      const answer = await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      await answer.text(); // an answer that is not read keeps its connection
      const difference = Date.parse(answer.headers.get("date")) + 500 - (before + Date.now()) / 2;
      skew = Math.abs(difference) > 2000 ? difference : 0;
    } catch {
      if (asked && asked === socket) lose("The service does not answer.");
    }
  }

  const retry = () => isWanted && socket === null && open();
  setInterval(() => socket && Date.now() - heardAt > SILENCE && check(), SILENCE);
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && retry());

  return {
    retry,
    start() {
      if (!isWanted) failures = 0;
      isWanted = true;
      retry();
    },
    stop() {
      isWanted = false;
      clearTimeout(timer);
      const last = socket;
      socket = null;
      last?.close();
    },
  };
}
