// The gateway's live page. It shows the newest state, follows the stream of states, and says when it no longer can.
//
// Hooks for tests, which stay:
//   body[data-connection]            "waiting" until the first state, then "live" or "lost"
//   #node[data-node="tr-..."]        the selected node; the URL's #tr-... selects another one. Inside it, by data-field:
//     open-ab, open-ba, minute-ab, minute-ba, quarter-ab, quarter-ba, today-ab, today-ba      numbers, "–" without data
//     minute-coverage, quarter-coverage, today-coverage, open-coverage, minute-when, open-when, open-title
//     site, node, ab-label, ba-label, health-word, health-heard, temperature, humidity, climate-when
//     readout, chart, chart-note, table-toggle, table-body, and in the details uptime, boot, resets, frames-lost, ...
//   [data-field="health"][data-health="good|fault|quiet|silent|never"]
//   [data-overview="tr-..."][data-health="..."]   one node in the overview, which is there from two nodes on
//   [data-field="..."] gateway, clock, simulated, connection, empty; #delivery with uplink, outbox-waiting, outbox-oldest,
//     dead-letters, trouble, trouble-said, audit, disk

import * as format from "./format.js";
import { Connection } from "./connection.js";
import { Course } from "./course.js";
import { put, show } from "./dom.js";
import { language, say } from "./words.js";
import { showDelivery } from "./delivery.js";
import { showNode } from "./node.js";
import { showOverview } from "./overview.js";

const GREETING_MS = 6_000;

const course = new Course();
let state = null;

new Connection(takeState, tellLost).start();
window.addEventListener("hashchange", () => state && showState());
linkLanguages();

function takeState(newer) {
  if (document.body.dataset.connection === "lost") greet();
  document.body.dataset.connection = "live";
  const isFirst = state === null;
  state = newer;
  showState();
  if (isFirst) requestAnimationFrame(() => setTimeout(() => course.load())); // the numbers are painted first
}

function tellLost() {
  document.body.dataset.connection = "lost";
  put("connection", state ? say("connection-lost", { time: format.clock(state.gateway.now_s) }) : say("connection-never"));
}

function greet() {
  put("connection", say("connection-live"));
  setTimeout(() => document.body.dataset.connection === "live" && put("connection", ""), GREETING_MS);
}

function showState() {
  const { gateway, nodes } = state;
  format.setZone(gateway.zone);
  showGateway(gateway);
  const selected = nodes.find(({ node }) => node === nodeInAddress()) ?? nodes.find(({ node }) => node === shownNode()) ?? nodes[0];
  show("waiting", false);
  show("empty", nodes.length === 0);
  document.getElementById("node").hidden = !selected;
  showOverview(nodes, selected);
  if (selected) {
    showNode(selected, gateway.now_s);
    course.follow(selected);
  }
  showDelivery(state);
}

function showGateway({ id, version, now_s, is_simulated }) {
  document.title = say("title", { gateway: id });
  put("gateway", id);
  put("clock", format.clockWithSeconds(now_s)).dateTime = format.isoTime(now_s);
  put("version", say("version", { version }));
  show("simulated", is_simulated);
}

const shownNode = () => document.getElementById("node").dataset.node;

function nodeInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** The other language shows the same node. */
function linkLanguages() {
  for (const link of document.querySelectorAll("[data-language]")) {
    if (link.dataset.language === language) link.setAttribute("aria-current", "true");
    link.addEventListener("click", () => (link.hash = location.hash));
  }
}
