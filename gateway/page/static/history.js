// Pure: the minutes of one node become bars, gaps, marks and hours. A minute that is not there is never a zero.

import { offset_s } from "./format.js";

const MINUTE_S = 60;
const HOUR_S = 3600;
const PENDING_S = 180; // the newest minutes may still be under way

export const MARKS = [
  { bits: 2, sign: "▼", word: "mark-reset" },
  { bits: 16, sign: "■", word: "mark-blocked" },
  { bits: 8, sign: "◆", word: "mark-saturated" },
  { bits: 4 | 1024, sign: "●", word: "mark-late" },
  { bits: 128, sign: "", word: "mark-simulated" },
];

export const minutesOf = (history) =>
  history.rows
    .filter(([, , , covered_s]) => covered_s > 0)
    .map(([start_s, ab, ba, covered_s, q]) => ({ start_s, ab, ba, covered_s, q }));

/** Up to when something is to be expected: a minute that is only late is not a gap yet. */
export function expectedUntil(history, minutes) {
  const arrived_s = minutes.length ? minutes.at(-1).start_s + MINUTE_S : history.from_s;
  return history.until_s - arrived_s < PENDING_S ? arrived_s : history.until_s;
}

/** [from_s, until_s] of every span without a minute. */
export function gapsOf(history, minutes) {
  const gaps = [];
  let end_s = Math.ceil(history.from_s / MINUTE_S) * MINUTE_S;
  for (const { start_s } of minutes) {
    if (start_s > end_s) gaps.push([end_s, start_s]);
    end_s = start_s + MINUTE_S;
  }
  const until_s = expectedUntil(history, minutes);
  if (until_s > end_s) gaps.push([end_s, until_s]);
  return gaps;
}

export function sumOf(minutes) {
  const sum = { ab: 0, ba: 0, covered_s: 0, q: 0 };
  for (const { ab, ba, covered_s, q } of minutes) {
    sum.ab += ab;
    sum.ba += ba;
    sum.covered_s += covered_s;
    sum.q |= q;
  }
  return sum;
}

/** Sums per `step_s`, each with the share of its time that was counted. `startOf` says which step a minute belongs to. */
function stepsOf(history, minutes, step_s, startOf) {
  const until_s = expectedUntil(history, minutes);
  const groups = new Map();
  for (const minute of minutes) {
    const start_s = startOf(minute.start_s);
    if (!groups.has(start_s)) groups.set(start_s, []);
    groups.get(start_s).push(minute);
  }
  return (start_s) => {
    const from_s = Math.max(start_s, Math.ceil(history.from_s / MINUTE_S) * MINUTE_S);
    const end_s = Math.min(start_s + step_s, Math.max(until_s, from_s + MINUTE_S));
    const group = groups.get(start_s) ?? [];
    const sum = sumOf(group);
    return { start_s, from_s, end_s, group, ...sum, share: Math.min(1, sum.covered_s / (end_s - from_s)) };
  };
}

/** The bars of the chart, without those that have no data. */
export function barsOf(history, minutes, step_s) {
  const startOf = (time_s) => Math.floor(time_s / step_s) * step_s;
  const step = stepsOf(history, minutes, step_s, startOf);
  return [...new Set(minutes.map(({ start_s }) => startOf(start_s)))].map(step);
}

/** Every hour on the gateway's clock that the history touches, also those without data; the newest first. */
export function hoursOf(history, minutes) {
  const startOf = (time_s) => time_s - ((((time_s + offset_s(time_s)) % HOUR_S) + HOUR_S) % HOUR_S);
  const step = stepsOf(history, minutes, HOUR_S, startOf);
  const hours = [];
  const until_s = expectedUntil(history, minutes);
  const first_s = startOf(Math.ceil(history.from_s / MINUTE_S) * MINUTE_S);
  for (let start_s = first_s; start_s < until_s; start_s += HOUR_S) hours.unshift(step(start_s));
  return hours;
}

/** The mean temperature of a span, or null. */
export function meanTemperature(history, from_s, end_s) {
  const values = history.climate.filter(([start_s, value_c]) => start_s >= from_s && start_s < end_s && value_c !== null);
  return values.length ? values.reduce((sum, [, value_c]) => sum + value_c, 0) / values.length : null;
}

/** How many minutes bear each mark that occurs. */
export const marksOf = (minutes) =>
  MARKS.map((mark) => ({ ...mark, minutes: minutes.filter(({ q }) => q & mark.bits) })).filter((mark) => mark.minutes.length);
