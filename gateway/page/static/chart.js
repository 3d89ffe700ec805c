// Draws the course: stones above the line for one direction and below it for the other, the coverage under them, and the
// temperature. The chart library scales and labels; what is drawn inside is drawn here. Not one pixel where nothing was counted.

import { clock, count, offset_s } from "./format.js";
import { MARKS, barsOf, gapsOf } from "./history.js";

const STEPS_S = [60, 300, 900];
const NARROWEST_BAR_PX = 2.4;
const GUTTER_PX = 44; // the same left of all three, so that a minute stands above itself
const TICKS_S = [900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600];
const WIDEST_LABEL_PX = 60;
const QUARTER_S = 900;
const SMALLEST_STONE_PX = 6;
const HATCH_PX = 6;

/** The chart library once it has arrived: true, or false when it does not come. */
export function loadLibrary() {
  return new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "/static/dygraph.js";
    script.addEventListener("load", () => resolve(typeof Dygraph === "function" && withoutLegend()));
    script.addEventListener("error", () => resolve(false));
    document.head.append(script);
  });
}

/** Its legend writes inline styles, which the page's policy forbids; the page has a better one. */
function withoutLegend() {
  Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);
  return true;
}

export class Chart {
  constructor(countsPlot, strip, temperaturePlot) {
    this.countsPlot = countsPlot;
    this.strip = strip;
    this.temperaturePlot = temperaturePlot;
  }

  /** The finest of these steps that the screen can show apart. */
  choose(steps_s, needed_px, hours) {
    const second_px = (this.countsPlot.clientWidth - GUTTER_PX) / (hours * 3600);
    return steps_s.find((step_s) => second_px * step_s >= needed_px) ?? steps_s.at(-1);
  }

  /** `onBar` is told the bar under the pointer, or null. */
  draw(history, minutes, onBar) {
    this.counts?.destroy();
    this.climate?.destroy();
    this.colours = coloursOf(this.countsPlot);
    this.step_s = this.choose(STEPS_S, NARROWEST_BAR_PX, history.hours);
    const bars = barsOf(history, minutes, this.step_s);
    const gaps = gapsOf(history, minutes);
    const common = this.optionsFor(history, gaps);
    this.drawCounts(history, bars, common, onBar);
    this.drawTemperature(history, gaps, common);
    this.drawStrip(bars, gaps, minutes);
  }

  optionsFor(history, gaps) {
    const { line, quiet } = this.colours;
    const tick_s = this.choose(TICKS_S, WIDEST_LABEL_PX, history.hours);
    return {
      dateWindow: [history.from_s * 1000, history.until_s * 1000],
      interactionModel: {}, // a finger scrolls the page
      axisLabelFontSize: 14, axisLineColor: line, gridLineColor: line, gridLineWidth: 0.6, axisLabelColor: quiet,
      highlightCircleSize: 0, rightGap: 2,
      xTicker: (from_ms, until_ms) => timeTicks(from_ms / 1000, until_ms / 1000, tick_s),
      underlayCallback: (canvas, area, chart) => {
        for (const [from_s, until_s] of gaps) hatch(canvas, columnOf(chart, from_s, until_s), area.y, area.h, this.colours.hatch);
      },
    };
  }

  drawCounts(history, bars, { xTicker, ...common }, onBar) {
    const highest = Math.max(4, ...bars.map(({ ab }) => ab)) * 1.06;
    const lowest = Math.max(4, ...bars.map(({ ba }) => ba)) * 1.06;
    const rows = bars.map(({ start_s, ab, ba }) => [new Date(start_s * 1000), ab, -ba]);
    const starts = new Map(bars.map((bar) => [bar.start_s * 1000, bar]));
    this.counts = new Dygraph(this.countsPlot, withEdges(rows, history, 2), {
      ...common,
      labels: ["time", "ab", "ba"],
      valueRange: [-lowest, highest],
      plotter: (drawing) => this.layStones(drawing),
      axes: {
        x: { ticker: xTicker, drawGrid: false },
        y: { ticker: wholeTicks, axisLabelWidth: GUTTER_PX - 6 },
      },
      highlightCallback: (event, time_ms) => onBar(starts.get(time_ms) ?? null),
      unhighlightCallback: () => onBar(null),
    });
  }

  /** One stone for each passer-by while they are large enough to be told apart, else one bar. */
  layStones({ points, dygraph, drawingContext: canvas, setName }) {
    const zero_px = dygraph.toDomYCoord(0);
    const stone_px = zero_px - dygraph.toDomYCoord(1);
    canvas.fillStyle = this.colours[setName];
    for (const { xval, yval, canvasy } of points) {
      if (yval === null || Number.isNaN(yval)) continue;
      const column = columnOf(dygraph, xval / 1000, xval / 1000 + this.step_s);
      const joint_px = column.width > 5 ? 1.2 : column.width > 3 ? 0.6 : 0;
      canvas.fillRect(column.left + joint_px / 2, Math.min(zero_px, canvasy), column.width - joint_px, Math.abs(canvasy - zero_px));
      if (joint_px && stone_px >= SMALLEST_STONE_PX) cutJoints(canvas, column, zero_px, canvasy, stone_px);
    }
    canvas.fillStyle = this.colours.ink;
    canvas.fillRect(dygraph.getArea().x, zero_px - 0.5, dygraph.getArea().w, 1);
  }

  drawTemperature(history, gaps, { xTicker, ...common }) {
    const rows = history.climate
      .filter(([start_s]) => !gaps.some(([from_s, until_s]) => start_s >= from_s && start_s < until_s))
      .map(([start_s, temperature_c]) => [new Date(start_s * 1000), temperature_c]);
    gaps.forEach(([from_s]) => rows.push([new Date(from_s * 1000), null]));
    rows.sort(([a], [b]) => a - b);
    const values = rows.map(([, value]) => value).filter((value) => value !== null);
    const middle = values.length ? (Math.min(...values) + Math.max(...values)) / 2 : 15;
    const reach = values.length ? Math.max(2, (Math.max(...values) - Math.min(...values)) * 0.6) : 5;
    this.climate = new Dygraph(this.temperaturePlot, withEdges(rows, history, 1), {
      ...common,
      labels: ["time", "temperature"],
      colors: [this.colours.ink], strokeWidth: 1.6,
      valueRange: [middle - reach, middle + reach],
      axes: { x: { ticker: xTicker, drawGrid: false }, y: { ticker: fewTicks, axisLabelWidth: GUTTER_PX - 6 } },
      showLabelsOnHighlight: false,
    });
  }

  /** Laid stones as high as the share that was counted, hatching where there is nothing, signs for what was unusual. */
  drawStrip(bars, gaps, minutes) {
    const { width, height, canvas } = sharpCanvas(this.strip);
    const laid_px = height - 14;
    const column = (from_s, until_s) => {
      const { left, width: wide } = columnOf(this.counts, from_s, until_s);
      return { left, width: Math.max(0, Math.min(wide, width - left)) };
    };
    for (const { from_s, end_s, share } of bars) {
      const { left, width: wide } = column(from_s, end_s);
      canvas.fillStyle = this.colours.laid;
      canvas.fillRect(left, laid_px * (1 - share), wide + 0.5, laid_px * share);
      if (share < 1) {
        canvas.fillStyle = this.colours.ink;
        canvas.fillRect(left, laid_px * (1 - share) - 1, Math.max(wide, 2), 2);
      }
    }
    for (const [from_s, until_s] of gaps) {
      const gap = column(from_s, until_s);
      canvas.clearRect(gap.left, 0, gap.width, laid_px);
      hatch(canvas, gap, 0, laid_px, this.colours.hatch);
    }
    canvas.fillStyle = this.colours.ink;
    canvas.font = "11px sans-serif";
    canvas.textAlign = "center";
    for (const { bits, sign } of MARKS) {
      let free_px = 0;
      for (const { start_s } of minutes.filter(({ q }) => q & bits)) {
        const { left, width: wide } = column(start_s, start_s + 60);
        if (left < free_px) continue; // signs never lie upon each other
        canvas.fillText(sign, left + wide / 2, height - 2);
        free_px = left + 9;
      }
    }
  }
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ab: colour("there"), ba: colour("back"), ink: colour("ink"), quiet: colour("quiet"),
    line: colour("joint"), hatch: colour("hatch"), laid: colour("laid"),
  };
}

function columnOf(chart, from_s, until_s) {
  const { x, w } = chart.getArea();
  const left = Math.max(x, chart.toDomXCoord(from_s * 1000));
  return { left, width: Math.max(0, Math.min(x + w, chart.toDomXCoord(until_s * 1000)) - left) };
}

function cutJoints(canvas, { left, width }, zero_px, end_px, stone_px) {
  const direction = Math.sign(end_px - zero_px);
  for (let y = zero_px + direction * stone_px; direction * (end_px - y) > 1; y += direction * stone_px) {
    canvas.clearRect(left, y - 0.5, width, 1);
  }
}

function hatch(canvas, { left, width }, top, height, colour) {
  canvas.save();
  canvas.beginPath();
  canvas.rect(left, top, Math.max(width, 1.5), height);
  canvas.clip();
  canvas.strokeStyle = colour;
  canvas.lineWidth = 1.3;
  canvas.beginPath();
  for (let x = Math.floor((left - height) / HATCH_PX) * HATCH_PX; x < left + width; x += HATCH_PX) {
    canvas.moveTo(x, top + height);
    canvas.lineTo(x + height, top);
  }
  canvas.stroke();
  canvas.restore();
}

function sharpCanvas(element) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = element;
  element.width = width * ratio;
  element.height = height * ratio;
  const canvas = element.getContext("2d");
  canvas.scale(ratio, ratio);
  return { width, height, canvas };
}

/** The window's two ends without a value: the library wants rows, and a line must not run past its data. */
function withEdges(rows, { from_s, until_s }, columns) {
  const edge = (time_s) => [new Date(time_s * 1000), ...Array(columns).fill(null)];
  const before = rows.length && rows[0][0] <= from_s * 1000 ? [] : [edge(from_s)];
  return [...before, ...rows, edge(Math.max(until_s, rows.length ? rows.at(-1)[0] / 1000 + 1 : 0))];
}

/** Full steps on the gateway's clock, so that 12:00 stands at noon there. */
function timeTicks(from_s, until_s, step_s) {
  const ticks = [];
  for (let time_s = Math.ceil(from_s / QUARTER_S) * QUARTER_S; time_s <= until_s; time_s += QUARTER_S) {
    if ((time_s + offset_s(time_s)) % step_s === 0) ticks.push({ v: time_s * 1000, label: clock(time_s) });
  }
  return ticks;
}

/** Whole people only, counted away from the line in both directions. */
function wholeTicks(lowest, highest) {
  return roundTicks(lowest, highest, 6, (value) => count(Math.abs(value)));
}

function fewTicks(lowest, highest) {
  return roundTicks(lowest, highest, 4, count);
}

function roundTicks(lowest, highest, most, label) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((size) => (highest - lowest) / size <= most) ?? 1000;
  const ticks = [];
  for (let value = Math.ceil(lowest / step) * step; value <= highest; value += step) ticks.push({ v: value, label: label(value) });
  return ticks;
}
