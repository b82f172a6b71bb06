// How fast readings arrive, over the last seconds.

const SECONDS = 10;

/** Count arrivals; perSecond() gives their rate, and is to be called about once a second. */
export function makeRate() {
  let arrived = 0;
  let spans = [];
  let last = performance.now();
  return {
    add: (count) => (arrived += count),
    reset() {
      arrived = 0;
      spans = [];
    },
    perSecond() {
      const time = performance.now();
      spans = [...spans, { took: (time - last) / 1000, count: arrived }].slice(-SECONDS);
      last = time;
      arrived = 0;
      const sum = (name) => spans.reduce((total, span) => total + span[name], 0);
      return sum("count") / sum("took");
    },
  };
}
