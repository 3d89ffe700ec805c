// The selected node: what it counted and how much of the time, its climate, its health.

import * as format from "./format.js";
import { field, put, show } from "./dom.js";
import { healthWord, nameOf } from "./overview.js";
import { say, sayCount } from "./words.js";

const OLD_S = 180; // a last full minute that ended longer ago than this is told with its age
const MINUTE_S = 60;

/** What the two directions are called on this site. */
export const directionsOf = (node) =>
  node.a_to_b ? { ab: node.a_to_b, ba: say("b-to-a-opposite") } : { ab: say("a-to-b"), ba: say("b-to-a") };

export function showNode(node, now_s) {
  document.getElementById("node").dataset.node = node.node;
  put("site", nameOf(node));
  put("node", node.node);
  put("node-name", node.name);
  const directions = directionsOf(node);
  put("ab-label", directions.ab);
  put("ba-label", directions.ba);
  showCounts(node, now_s);
  showClimate(node.climate, now_s);
  showHealth(node.health, now_s);
  showDevice(node.health);
  showFindings(node, now_s);
}

function showCounts({ minute, open, quarter, today }, now_s) {
  put("minute-when", minute ? minuteTime(minute.from_s, now_s) : "");
  const isLong = open && open.as_of_s - open.from_s > 2 * MINUTE_S;
  put("open-title", isLong ? say("open-since", { time: format.clock(open.from_s) }) : say("open"));
  put("open-when", open ? say("open-as-of", { time: format.clockWithSeconds(open.as_of_s) }) : "");
  put("open-ab", open ? format.count(open.ab) : say("no-value"));
  put("open-ba", open ? format.count(open.ba) : say("no-value"));
  put("open-coverage", open ? say("open-coverage") : say("no-data"));
  showInterval("minute", minute);
  showInterval("quarter", quarter);
  showInterval("today", today);
}

function minuteTime(from_s, now_s) {
  const end_s = from_s + MINUTE_S;
  const span = say("from-until", { from: format.moment(from_s, now_s), until: format.clock(end_s) });
  return now_s - end_s > OLD_S ? `${span} (${format.ago(end_s, now_s)})` : span;
}

/** A number only ever stands where something was counted: nobody passed is a 0, no data is a dash. */
function showInterval(name, interval) {
  const coverage = interval?.coverage ?? 0;
  put(`${name}-ab`, coverage ? format.count(interval.ab) : say("no-value"));
  put(`${name}-ba`, coverage ? format.count(interval.ba) : say("no-value"));
  put(`${name}-coverage`, format.covered(coverage));
  field(`${name}-stones`).style.setProperty("--share", Math.min(coverage, 1));
}

function showClimate(climate, now_s) {
  const reading = (value) => (climate.is_implausible ? say("implausible", { value }) : value);
  const told = (value, tell) => (typeof value === "number" ? reading(tell(value)) : say("no-value"));
  put("temperature", told(climate?.temperature_c, format.temperature));
  put("humidity", told(climate?.humidity_pct, format.humidity));
  put("climate-when", climate ? say("climate-when", { time: format.moment(climate.at_s, now_s) }) : say("no-data"));
}

function showHealth(health, now_s) {
  field("health").dataset.health = health.state;
  field("health-shape").setAttribute("href", `#shape-${health.state}`);
  put("health-word", healthWord(health.state));
  put("health-heard", heardWords(health, now_s));
  show("node-simulated", health.is_simulated);
}

function heardWords({ state, heard_s, silent_since_s }, now_s) {
  const when = (time_s) => ({ time: format.moment(time_s, now_s), ago: format.ago(time_s, now_s) });
  if (state === "silent" && silent_since_s) return say("silent-since", when(silent_since_s));
  return heard_s ? say("heard", when(heard_s)) : say("heard-never");
}

/** What a technician found out last, in one line. */
function showFindings({ test, aim }, now_s) {
  const parts = [];
  if (test) {
    const time = format.moment(test.at_s, now_s);
    const n = test.failed.length;
    parts.push(n ? sayCount("test-bad", n, format.count(n), { time }) : say("test-good", { time }));
  }
  if (aim) {
    const told = {
      time: format.moment(aim.at_s, now_s), counted: format.count(aim.counted), walked: format.count(aim.walked ?? 0),
    };
    parts.push(aim.walked === null ? say("aim", told) : say("aim-of", told));
  }
  put("findings", parts.join(" "));
  show("findings", parts.length > 0);
}

function showDevice(health) {
  const known = (name, value, told = String) => put(name, value === null || value === undefined ? say("unknown") : told(value));
  known("link", health.link);
  known("uptime", health.uptime_s, format.duration);
  known("boot", health.boot, format.count);
  known("resets", health.resets, format.count);
  known("frames-lost", health.frames_lost, format.count);
  known("sensor-faults", health.sensor_faults, format.count);
  known("heap-free", health.heap_free_b, format.kilobyte);
  known("battery", health.battery_mv, format.volt);
  known("firmware", health.firmware);
  known("kit", health.kit);
}
