// Numbers and times in the viewer's language and in the gateway's time zone, on a 24-hour clock.

import { language, say } from "./words.js";

const LOCALE = language === "de" ? "de-DE" : "en-GB";
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "always" });
const unit = (name, digits = 0, unitDisplay = "short") =>
  new Intl.NumberFormat(LOCALE, {
    style: "unit", unit: name, unitDisplay, maximumFractionDigits: digits, minimumFractionDigits: digits,
  });
const degrees = unit("celsius", 1);
const gigabytes = unit("gigabyte", 1);
const megabytes = unit("megabyte");
const kilobytes = unit("kilobyte");
const millivolts = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const long = { day: unit("day", 0, "long"), hour: unit("hour", 0, "long"), minute: unit("minute", 0, "long") };

let zone = null;
let clocks = {};
setZone("UTC");

/** From here on, times are read in that time zone; one that this browser does not know is read as UTC. */
export function setZone(name) {
  if (name === zone) return;
  try {
    clocks = clocksIn(name);
  } catch {
    clocks = clocksIn("UTC");
  }
  zone = name;
}

function clocksIn(timeZone) {
  const hand = (options) => new Intl.DateTimeFormat(LOCALE, { timeZone, hourCycle: "h23", ...options });
  return {
    minute: hand({ hour: "2-digit", minute: "2-digit" }),
    second: hand({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    day: hand({ day: "numeric", month: "short" }),
    parts: hand({ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }),
  };
}

export const clock = (time_s) => clocks.minute.format(time_s * 1000);
export const clockWithSeconds = (time_s) => clocks.second.format(time_s * 1000);
export const isoTime = (time_s) => new Date(time_s * 1000).toISOString();

/** The time of day, with its date when that is not today's. */
export function moment(time_s, now_s) {
  const day = clocks.day.format(time_s * 1000);
  return day === clocks.day.format(now_s * 1000) ? clock(time_s) : `${day}, ${clock(time_s)}`;
}

/** How far local time is ahead of UTC at that time. */
export function offset_s(time_s) {
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    clocks.parts.formatToParts(time_s * 1000).map(({ type, value }) => [type, Number(value)]),
  );
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - Math.floor(time_s);
}

export const count = (n) => whole.format(n);
export const temperature = (value_c) => degrees.format(value_c);
export const humidity = (value_pct) => percent.format(value_pct / 100);
export const kilobyte = (size_b) => kilobytes.format(size_b / 1024);
export const disk = (size_mb) => (size_mb < 1000 ? megabytes.format(size_mb) : gigabytes.format(size_mb / 1000));
export const volt = (value_mv) => `${millivolts.format(value_mv / 1000)} V`;

/** Rounded down: only what is whole is called 100 %. */
export const wholePercent = (share) => percent.format(Math.floor(Math.min(share, 1) * 100) / 100);

/** The share in words. No share is no data. */
export function covered(share) {
  if (!share) return say("no-data");
  if (share < 0.01) return say("covered-below", { share: percent.format(0.01) });
  return say("covered", { share: wholePercent(share) });
}

/** "2 hours ago", in the largest unit that fits. */
export function ago(past_s, now_s) {
  const age_s = Math.max(0, now_s - past_s);
  if (age_s < MINUTE_S) return relative.format(-Math.round(age_s), "second");
  if (age_s < HOUR_S) return relative.format(-Math.floor(age_s / MINUTE_S), "minute");
  if (age_s < DAY_S) return relative.format(-Math.floor(age_s / HOUR_S), "hour");
  return relative.format(-Math.floor(age_s / DAY_S), "day");
}

/** "1 day 4 hours": the two largest units. */
export function duration(span_s) {
  const days = Math.floor(span_s / DAY_S);
  const hours = Math.floor((span_s % DAY_S) / HOUR_S);
  const minutes = Math.floor((span_s % HOUR_S) / MINUTE_S);
  if (days) return `${long.day.format(days)} ${long.hour.format(hours)}`;
  if (hours) return `${long.hour.format(hours)} ${long.minute.format(minutes)}`;
  return long.minute.format(minutes);
}
