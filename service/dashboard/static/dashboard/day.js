// The day so far and the last half hour of whoever is seen: asked for when it changed, a few at a time, never in a queue.

import { Refused, ask } from "./api.js";
import { escapeName } from "./text.js";
import { here } from "./zone.js";

const PAUSE = 1000; // ms between two questions
const LONGEST = 6000; // characters of names in one question: about 60 users with long ones
const MINUTE = 60_000; // ms after which a half hour has moved on by itself
const ALL_AGAIN = 30_000; // ms after which everyone is asked for again, where all are compared

const named = ({ userId }) => `&user_id=${escapeName(userId)}`;

/** As many as fit into one question, at least one. */
function asMany(some) {
  let length = 0;
  return some.filter((someone, i) => (length += named(someone).length) <= LONGEST || i === 0);
}

/** Keep the days of those seen up to date; seen() lists them, all() tells whether everyone's is wanted, done(some, whether everyone) follows, or refused(why). */
export function keepDays(people, seen, all, done, refused) {
  const askedAt = new Map();
  let allAt = -Infinity;
  let busy = false;

  const due = (someone, time) => someone.told !== someone.asked || time - (askedAt.get(someone.userId) ?? 0) > MINUTE;

  async function turn() {
    if (busy || document.hidden) return;
    const time = performance.now();
    const everyone = all() && time - allAt > ALL_AGAIN;
    const wanted = everyone ? [...people.all.values()] : asMany(seen().filter((someone) => due(someone, time)));
    if (wanted.length === 0) return;
    busy = true;
    const told = new Map(wanted.map((someone) => [someone.userId, someone.told]));
    const names = everyone ? "" : wanted.map(named).join("");
    try {
      const { body } = await ask(`/v1/overview?tz=${encodeURIComponent(here())}${names}`);
      people.takeDay(body, told);
      if (everyone) allAt = time;
      for (const { userId } of wanted) askedAt.set(userId, time);
      done(wanted, everyone);
    } catch (error) {
      // The connection's state says that the service is away; the next turn asks again.
      if (error instanceof Refused && error.status < 500) refused(error.message);
    } finally {
      setTimeout(() => (busy = false), PAUSE);
    }
  }

  return turn;
}
