// The course as a table: the same data as the chart, summed per hour.

import * as format from "./format.js";
import { field, make } from "./dom.js";
import { hoursOf, marksOf, meanTemperature } from "./history.js";
import { say } from "./words.js";

export function showTable(history, minutes) {
  field("table-body").replaceChildren(...hoursOf(history, minutes).map((hour) => row(history, hour)));
}

function row(history, hour) {
  const mean_c = meanTemperature(history, hour.from_s, hour.end_s);
  const cells = [
    hour.share ? format.count(hour.ab) : say("no-value"),
    hour.share ? format.count(hour.ba) : say("no-value"),
    format.covered(hour.share),
    mean_c === null ? say("no-value") : format.temperature(mean_c),
    marksOf(hour.group).map(({ word }) => say(word)).join(", "),
  ];
  const time = say("from-until", { from: format.moment(hour.from_s, history.until_s), until: format.clock(hour.end_s) });
  return make("tr", {}, make("th", { scope: "row" }, time), ...cells.map((text) => make("td", {}, text)));
}
