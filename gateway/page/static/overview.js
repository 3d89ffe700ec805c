// All nodes at a glance, when there are several. Each is a link, so that a node has an address.

import { count, wholePercent } from "./format.js";
import { field, make, put, shape } from "./dom.js";
import { say } from "./words.js";

const HEALTH = {
  good: { word: "health-good", sum: { word: "overview-good" } },
  fault: { word: "health-fault", sum: { word: "overview-fault" } },
  quiet: { word: "health-quiet", sum: { word: "overview-quiet" } },
  silent: { word: "health-silent", sum: { word: "overview-silent" } },
  never: { word: "health-never", sum: { word: "overview-never" } },
};

export const nameOf = (node) => node.site_name || node.site || node.node;
export const healthWord = (state) => say(HEALTH[state].word);

export function showOverview(nodes, selected) {
  const overview = document.querySelector(".overview");
  overview.hidden = nodes.length < 2;
  if (overview.hidden) return;
  put("overview-sum", say("overview-sum", { total: count(nodes.length), parts: partsOf(nodes) }));
  const list = field("overview-list");
  if (![...list.children].every((item, i) => item.dataset.overview === nodes[i]?.node) || list.children.length !== nodes.length) {
    list.replaceChildren(...nodes.map(entry));
  }
  nodes.forEach((node, i) => update(list.children[i], node, node === selected));
}

function partsOf(nodes) {
  return Object.entries(HEALTH)
    .map(([state, { sum }]) => [nodes.filter(({ health }) => health.state === state).length, sum.word])
    .filter(([n]) => n)
    .map(([n, word]) => say(word, { n: count(n) }))
    .join(", ");
}

const part = (name) => make("span", { "data-field": name });

const entry = (node) =>
  make("li", { "data-overview": node.node },
    make("a", { href: `#${encodeURIComponent(node.node)}` },
      shape("never"), make("b", { "data-field": "overview-name" }), part("overview-health"), part("overview-day")));

function update(item, node, is_selected) {
  const link = item.firstElementChild;
  if (is_selected) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  item.dataset.health = node.health.state;
  item.querySelector("use").setAttribute("href", `#shape-${node.health.state}`);
  put("overview-name", nameOf(node), item);
  put("overview-health", `${node.name || node.node} · ${healthWord(node.health.state)}`, item);
  put("overview-day", dayOf(node.today), item);
}

function dayOf(today) {
  return today?.coverage ? `→ ${count(today.ab)} ← ${count(today.ba)} (${wholePercent(today.coverage)})` : say("no-data");
}
