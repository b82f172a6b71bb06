// Which metrics there are to choose from: those that there are values of, of the users in question.

import { BASIC, learnMetrics, metricsOfUser } from "./metrics.js";
import { escapeName } from "./text.js";

const FEW = 3; // metrics that are shown of users without any of the basic ones

/** Keep the metrics of users; they are asked for once, until forget(). */
export function makeOffered() {
  let of = null;
  let names = [];

  return {
    get names() {
      return names;
    },
    forget: () => (of = null),
    /** Learn the metrics of users; returns those to show, which are others only where none of the basic ones would be there. */
    async learn(users, metrics, signal) {
      const whose = JSON.stringify(users);
      const paths = of === whose ? [] : users.map((user) => `/v1/users/${escapeName(user)}`);
      const [, ...found] = await Promise.all([learnMetrics(metrics), ...paths.map((path) => metricsOfUser(path, signal))]);
      if (of !== whose) names = [...new Set(found.flat())];
      of = whose;
      const isDefault = metrics.join() === BASIC.join();
      return isDefault && names.length > 0 && !names.some((name) => BASIC.includes(name)) ? names.slice(0, FEW) : metrics;
    },
  };
}
