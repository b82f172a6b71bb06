// Everyone known: what was told of them over the socket, and their day, which is asked for where it is seen.

const METRICS = ["heart_rate", "steps", "calories"];

/** Someone: latest as the service tells it, day and spark once they were asked for. */
function person(userId) {
  return { userId, latest: null, lastSeen: 0, deviceId: "", day: null, spark: null, told: 0, asked: -1, arrivedAt: 0 };
}

/** Keep people by user id; change(person) is called for whoever changed. */
export function makePeople() {
  const all = new Map();
  let version = 0; // of the set of people, so that others know when to order it anew

  function tell(userId, latest) {
    if (!latest) {
      if (all.delete(userId)) version += 1;
      return null;
    }
    let someone = all.get(userId);
    if (!someone) {
      all.set(userId, (someone = person(userId)));
      version += 1;
    }
    someone.latest = latest;
    someone.lastSeen = Date.parse(latest.last_seen) || 0; // null where all lies ahead of now
    someone.told += 1;
    let newest = null;
    for (const name of METRICS) {
      const metric = latest[name];
      if (metric && (!newest || Date.parse(metric.timestamp) > Date.parse(newest.timestamp))) newest = metric;
    }
    newest ??= latest.ahead;
    if (newest) someone.deviceId = newest.device_id;
    return someone;
  }

  return {
    all,
    get version() {
      return version;
    },
    /** Know exactly these users; returns those of whom there is something later than before. */
    replace(users) {
      const known = new Set(users.map((user) => user.user_id));
      for (const userId of [...all.keys()]) if (!known.has(userId)) tell(userId, null);
      const seen = users.map((user) => all.get(user.user_id)?.lastSeen ?? 0);
      const told = users.map(({ user_id: userId, latest }) => tell(userId, latest));
      version += 1;
      return told.filter((someone, index) => someone?.lastSeen > seen[index]);
    },
    /** Take in someone's new latest values; returns them, or null where they are gone. */
    update(userId, latest) {
      return tell(userId, latest);
    },
    /** Take in the answer to a question for the day; `told` says how much was known when it was asked. */
    takeDay({ first_minute: first, users }, told) {
      for (const { user_id: userId, steps, calories, heart_rate: rates } of users) {
        const someone = all.get(userId);
        if (!someone) continue;
        someone.day = { steps, calories };
        someone.spark = { from: Date.parse(first), rates };
        someone.asked = told.get(userId) ?? someone.asked;
      }
    },
  };
}
