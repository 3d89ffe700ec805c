// What a sensor sees and counts while somebody walks its line. Shows what it is told, and keeps nothing.

import { field, make, put, show } from "./dom.js";
import { language, say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const BAR = 10; // width of one step of the strip
const FAR_MM = { lidar: 8000, door: 3000 };
const number = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const arrow = { ab: "A → B", ba: "B → A" };

const svg = (tag, attributes) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function showState(state) {
  put("node", state.node);
  put("connection", state.is_over ? say("aim-ended") : "");
  showSight(state.kind, state.seen);
  showStrip(state.strip);
  show("walk", Boolean(state.aim));
  if (state.aim) showWalks(state.aim, state.is_over);
  if (state.is_over) stream.close();
}

function showSight(kind, seen) {
  show("radar", kind === "radar");
  show("bars", kind in FAR_MM || kind === "switches");
  show("nothing", !seen.length);
  if (kind === "radar") showTargets(seen);
  else ["a", "b"].forEach((name, i) => showBar(name, kind, seen[i] ?? -1));
}

function showTargets(seen) {
  const found = [];
  for (let i = 0; i + 2 < seen.length; i += 3) found.push(svg("circle", { cx: seen[i], cy: 6200 - seen[i + 1], r: 170 }));
  field("targets").replaceChildren(...found);
}

function showBar(name, kind, value) {
  const isLevel = kind === "switches";
  field(`bar-${name}`).value = isLevel ? value : Math.max(0, value) / FAR_MM[kind];
  const words = isLevel ? say(value > 0 ? "aim-high" : "aim-low") : `${number.format(value / 1000)} m`;
  put(`value-${name}`, value < 0 ? "–" : words);
}

function showStrip(strip) {
  const most = Math.max(1, ...strip.flat());
  const bars = strip.flatMap(([ab, ba], i) => {
    const x = 240 - (strip.length - i) * BAR + 1;
    return [
      svg("rect", { class: "ab", x, y: (-46 * ab) / most, width: BAR - 2, height: (46 * ab) / most }),
      svg("rect", { class: "ba", x, y: 0, width: BAR - 2, height: (46 * ba) / most }),
    ];
  });
  field("strip").replaceChildren(...bars);
  put("sum-ab", String(strip.reduce((sum, [ab]) => sum + ab, 0)));
  put("sum-ba", String(strip.reduce((sum, [, ba]) => sum + ba, 0)));
}

function showWalks(aim, is_over) {
  const [ab, ba] = aim.open;
  const last = aim.walks.at(-1);
  put("step", aim.is_over ? say("aim-done") : say("aim-step", { n: aim.walks.length + 1, of: aim.wanted }));
  put("order", aim.is_over ? say(aim.is_good ? "aim-good" : "aim-bad") : say("aim-walk", { direction: arrow[aim.direction] }));
  const now = ab + ba ? say("aim-counting", { ab, ba }) : last ? said(last) : "";
  put("counted", aim.is_over ? sum(aim) : now);
  field("walks").replaceChildren(...aim.walks.map(entry));
  show("walked", !aim.is_over);
  show("walked-hint", !aim.is_over);
  field("walked").disabled = is_over;
  field("advice").replaceChildren(...aim.advice.map((text) => make("li", {}, text[language])));
}

const said = (walk) =>
  walk.ab + walk.ba ? say(walk.is_good ? "aim-right" : "aim-wrong", { ab: walk.ab, ba: walk.ba }) : say("aim-missed");

const sum = (aim) =>
  say("aim-sum", { ab: aim.counted[0], of_ab: aim.walked[0], ba: aim.counted[1], of_ba: aim.walked[1] });

const entry = (walk) =>
  make("li", { class: walk.is_good ? "good" : "bad", title: said(walk) },
    `${walk.direction === "ab" ? "→" : "←"} ${walk.is_good ? "✓" : walk.ab + walk.ba ? walk.ab + walk.ba : "✗"}`);

field("walked").addEventListener("click", async () => {
  field("walked").disabled = true;
  try {
    await fetch("/walked", { method: "POST", headers: { "x-trottoir": "walked" } });
  } finally {
    field("walked").disabled = false;
  }
});
document.querySelector(`[data-language="${language}"]`)?.setAttribute("aria-current", "true");

const stream = new EventSource("/events");
stream.addEventListener("state", (event) => showState(JSON.parse(event.data)));
stream.addEventListener("error", () => put("connection", say("aim-lost")));
