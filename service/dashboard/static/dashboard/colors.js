// Colors of what is compared, by the places that the style sheet has.

export const COLORS = 5;

/** Give names places among the colors, which they keep while they are known; the lowest that is free. */
export function makeColors() {
  const places = new Map();
  return {
    places,
    add(names) {
      for (const name of names) {
        if (places.has(name)) continue;
        const taken = new Set(places.values());
        const free = [...Array(COLORS).keys()].find((place) => !taken.has(place));
        places.set(name, free ?? places.size % COLORS);
      }
    },
    /** Forget all but these. */
    keep(names) {
      for (const name of [...places.keys()]) if (!names.includes(name)) places.delete(name);
    },
  };
}
