// Asking for what is shown: the best of all devices of a person, and of what is compared a part each.

import { Refused, ask } from "./api.js";
import { COLORS } from "./colors.js";
import { align, columnsOf } from "./points.js";
import { othersOfBasic, pathsOf } from "./question.js";

const EMPTY = { body: { heart_rate: null, steps: null, calories: null, first: null, last: null, sources: [], metrics: {} }, took: 0 };

/** The service says so where a range holds no reading. */
function orEmpty(instead) {
  return (error) => {
    if (error instanceof Refused && error.status === 404) return instead;
    throw error;
  };
}

async function askPart(name, question, range, signal) {
  const paths = pathsOf(question, range);
  const [summary, series] = await Promise.all([ask(paths.summary, signal).catch(orEmpty(EMPTY)), ask(paths.series, signal)]);
  return { name, question, summary, series, points: series.body.points, columns: columnsOf(series.body, othersOfBasic(question)) };
}

async function askDevices(question, range, signal) {
  const { body } = await ask(pathsOf(question, range).devices, signal).catch(orEmpty({ body: { devices: [] } }));
  return body.devices;
}

const onOneAxis = (parts) => {
  const aligned = align(parts.map(({ columns }) => columns));
  return parts.map((part, i) => ({ ...part, columns: aligned[i] }));
};

/** Whether a part holds a reading. */
export const isMeasured = ({ summary }) => summary !== EMPTY;

/**
 * Ask all of a question: {best, worn, compared}. best is the part of its user, worn their devices, the best first, and
 * compared null or the parts that are compared, on the same t. A part is {name, question, summary, series, points, columns},
 * summary and series as they were answered; the name of best is null.
 */
export async function askAll(question, range, signal) {
  const asked = [askPart(null, question, range, signal), askDevices(question, range, signal)];
  const others = question.others.map((user) => askPart(user, { ...question, user }, range, signal));
  const [best, worn, ...theirs] = await Promise.all([...asked, ...others]);
  if (question.others.length > 0) return { best, worn, compared: onOneAxis([{ ...best, name: question.user }, ...theirs]) };
  if (!question.each) return { best, worn, compared: null };
  const devices = worn.slice(0, COLORS).map(({ device_id: device }) => askPart(device, { ...question, device }, range, signal));
  return { best, worn, compared: devices.length > 0 ? onOneAxis(await Promise.all(devices)) : null };
}
