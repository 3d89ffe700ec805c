// The course of the selected node: fetched when a minute has closed, drawn as a chart, told as a table.

import * as format from "./format.js";
import { Chart, loadLibrary } from "./chart.js";
import { directionsOf } from "./node.js";
import { expectedUntil, marksOf, minutesOf, sumOf } from "./history.js";
import { field, make, put, show } from "./dom.js";
import { say, sayCount } from "./words.js";
import { showTable } from "./table.js";

const REST_MS = 2_000; // between two questions for the history
const SETTLE_MS = 150;

export class Course {
  constructor() {
    this.chart = new Chart(field("counts-plot"), field("strip"), field("temperature-plot"));
    this.isDrawable = false; // once the chart library is here
    this.node = null;
    this.history = null;
    this.wanted = ""; // which history the page should show
    this.asked_ms = 0;
    this.timer = null;
    this.radios = [...document.querySelectorAll('input[name="hours"]')];
    for (const radio of this.radios) radio.addEventListener("change", () => this.want());
    field("table-toggle").addEventListener("click", () => this.toggleTable());
    this.redrawWhenItLooksDifferent();
  }

  get hours() {
    return Number(this.radios.find(({ checked }) => checked).value);
  }

  redrawWhenItLooksDifferent() {
    let settled;
    window.addEventListener("resize", () => {
      clearTimeout(settled);
      settled = setTimeout(() => this.draw(), SETTLE_MS);
    });
    for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", () => this.draw());
  }

  async load() {
    this.isDrawable = await loadLibrary();
    if (this.isDrawable) this.draw();
    else this.note(say("chart-missing"));
  }

  note(text) {
    put("chart-note", text);
    show("chart-note", text !== "");
  }

  follow(node) {
    if (node.node !== this.node?.node) this.clear();
    this.node = node;
    this.want();
  }

  clear() {
    this.history = null;
    show("chart", false);
    put("readout", "");
    field("table-body").replaceChildren();
  }

  /** Asks only for what is not shown yet, and never twice within REST_MS. */
  want() {
    const wanted = `${this.node.node} ${this.hours} ${this.node.minute?.from_s}`;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(wanted), Math.max(0, this.asked_ms + REST_MS - Date.now()));
  }

  async ask(wanted) {
    this.asked_ms = Date.now();
    const hours = this.hours;
    try {
      const answer = await fetch(`/history?${new URLSearchParams({ node: this.node.node, hours })}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const history = await answer.json();
      if (wanted === this.wanted) this.take(history, hours);
    } catch {
      this.note(say("history-missing"));
    }
  }

  take(history, hours) {
    this.history = { ...history, hours };
    this.minutes = minutesOf(history);
    if (this.isDrawable) this.note("");
    const { ab, ba } = directionsOf(this.node);
    put("table-ab", `→ ${ab}`);
    put("table-ba", `← ${ba}`);
    put("legend-ab", say("legend-above", { direction: ab }));
    put("legend-ba", say("legend-below", { direction: ba }));
    field("marks").replaceChildren(...marksOf(this.minutes).map(markLine));
    showTable(history, this.minutes);
    this.readWhole();
    this.draw();
  }

  draw() {
    if (!this.isDrawable || !this.history) return;
    show("chart", true); // first, for the chart measures its place
    this.chart.draw(this.history, this.minutes, (bar) => (bar ? this.read(bar) : this.readWhole()));
    const minutes = this.chart.step_s / 60;
    put("step", sayCount("step", minutes, format.count(minutes)));
  }

  readWhole() {
    const sum = sumOf(this.minutes);
    const { from_s } = this.history;
    const end_s = expectedUntil(this.history, this.minutes);
    const text = this.read({ ...sum, from_s, end_s, share: Math.min(1, sum.covered_s / Math.max(60, end_s - from_s)) });
    field("counts-plot").setAttribute("aria-label", say("chart-words", { text }));
  }

  read({ from_s, end_s, ab, ba, share }) {
    const span = { from: format.moment(from_s, this.history.until_s), until: format.clock(end_s) };
    const text = share
      ? say("readout", { ...span, ab: format.count(ab), ba: format.count(ba), coverage: format.covered(share) })
      : say("readout-gap", span);
    put("readout", text);
    return text;
  }

  toggleTable() {
    const table = document.getElementById("hours");
    table.hidden = !table.hidden;
    field("table-toggle").setAttribute("aria-expanded", String(!table.hidden));
  }
}

const markLine = ({ sign, word, minutes }) =>
  make("li", {},
    make("span", { class: "sign", "aria-hidden": "true" }, sign),
    sayCount("mark-minutes", minutes.length, format.count(minutes.length), { mark: say(word) }));
