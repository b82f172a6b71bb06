// Whose tiles are shown, and who comes first.

const names = new Intl.Collator(undefined, { numeric: true });
const down = (value) => (value === null || value === undefined ? Infinity : -value);

/** By what tiles are sorted: a key of each person, the smallest first. */
export const ORDERS = {
  name: () => 0,
  heart_rate: (someone) => down(someone.latest.heart_rate?.value),
  steps: (someone) => down(someone.day?.steps),
  calories: (someone) => down(someone.day?.calories),
  last_seen: (someone) => -someone.lastSeen,
};

/** Everyone by name, numbers within names by their value. */
export const byName = (people) =>
  [...people].sort((a, b) => names.compare(a.userId, b.userId) || (a.userId < b.userId ? -1 : 1));

/** Of people by name those whose user or device has the filter in its name, pinned ones first, sorted as the view says. */
export function orderOf(named, { filter, sort, pins }) {
  const wanted = filter.trim().toLowerCase();
  const fits = ({ userId, deviceId }) => `${userId}\n${deviceId}`.toLowerCase().includes(wanted);
  const key = ORDERS[sort];
  const keyed = named.filter(fits).map((someone) => [pins.has(someone.userId) ? 0 : 1, key(someone), someone]);
  keyed.sort((a, b) => a[0] - b[0] || (a[1] === b[1] ? 0 : a[1] - b[1]));
  return keyed.map(([, , someone]) => someone);
}
