// The legend of the zones of heart rate: their bounds by a maximum that is set there, and the time in each.

import { ask } from "./api.js";
import { $, make, put, show } from "./dom.js";
import { formatHours } from "./text.js";
import { secondsOf } from "./points.js";
import { pathsOf } from "./question.js";
import { BOUNDS, boundsOf, maximumOf, secondsInZones, zonesOf } from "./zones.js";

const DAY = 86_400_000; // ms
const FINE = ["1m", "5m"]; // buckets whose average tells the zone
const LONGEST = 31 * DAY; // for which a finer series is asked

/** Make the items of a legend, of which times may be missing. */
export function itemsOf(maximum, times) {
  return zonesOf(maximum).map((zone, i) => {
    const swatch = make("span", { class: `swatch zone-${zone.place}`, "aria-hidden": "true" });
    const time = times ? `: ${times.zones[i] > 0 ? formatHours(times.zones[i]) : "none"}` : "";
    return make("li", {}, swatch, `${zone.name}, ${boundsOf(zone)} bpm`, make("span", { class: "time" }, time));
  });
}

/** Make the legend; ask(maximum) is called when a maximum is set. */
export function makeZoneLegend(choose) {
  const input = $("maximum");
  input.min = BOUNDS.lowest;
  input.max = BOUNDS.highest;
  input.addEventListener("change", () => {
    if (input.validity.valid && input.value) choose(maximumOf(input.value));
    else input.reportValidity();
  });

  return {
    hide: () => show($("zones"), false),
    /** Show the zones of a question, with the time in each where a series tells it, of the best of all or asked for again. */
    async write(question, range, best, signal) {
      show($("zones"), true);
      if (input !== document.activeElement) input.value = question.maximum;
      const { series, fine } = await fineOf(question, range, best, signal);
      const times = series ? secondsInZones(series.points, secondsOf(fine), question.maximum) : null;
      $("zone-list").replaceChildren(...itemsOf(question.maximum, times));
      const whose = question.others.length > 0 ? `of ${question.user}, ` : "";
      put($("zones-of"), times ? `${whose}by the averages of ${fine === "1m" ? "minutes" : "5 minutes"}` : "times of ranges up to 31 days");
    },
  };
}

/** A series whose averages are fine enough: the one that is there, or another one; none of long ranges. */
async function fineOf(question, range, best, signal) {
  const { body } = best.series;
  if (FINE.includes(body.bucket)) return { series: body, fine: body.bucket };
  if (range.end - range.start > LONGEST) return { series: null, fine: null };
  const fine = range.end - range.start > 2 * DAY ? "5m" : "1m";
  const asked = await ask(pathsOf({ ...question, metrics: [], bucket: fine }, range).series, signal);
  return { series: asked.body, fine };
}
