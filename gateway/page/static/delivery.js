// What leaves the gateway: the destination, what waits, what was refused, what was read back.

import * as format from "./format.js";
import { put, show } from "./dom.js";
import { language, say, sayCount } from "./words.js";

const LOW_DISK_MB = 500;
const DESTINATION = { v1: { word: "uplink-v1" }, v2: { word: "uplink-v2" }, file: { word: "uplink-file" } };

export function showDelivery({ gateway: { now_s }, outbox, audit, disk_free_mb }) {
  document.getElementById("delivery").hidden = false;
  const destination = DESTINATION[outbox.api];
  put("uplink", destination ? say(destination.word) : outbox.api ?? say("uplink-off"));
  put("outbox-waiting", outbox.waiting ? counted("waiting-points", outbox.waiting) : say("waiting-none"));
  put("outbox-oldest", outbox.oldest_s ? say("waiting-oldest", since(outbox.oldest_s, now_s)) : "");
  put("dead-letters", outbox.dead_letters ? counted("dead-letters-count", outbox.dead_letters) : say("dead-letters-none"));
  put("audit", auditWords(audit, outbox.api));
  put("audit-when", audit ? say("audit-when", { time: format.moment(audit.at_s, now_s) }) : "");
  const size = format.disk(disk_free_mb);
  put("disk", disk_free_mb < LOW_DISK_MB ? say("disk-low", { size }) : size);
  showTrouble(outbox, now_s);
}

function showTrouble({ trouble, trouble_since_s, next_try_s }, now_s) {
  show("trouble", trouble !== null);
  put("trouble-word", trouble_since_s ? say("trouble-since", { time: format.moment(trouble_since_s, now_s) }) : say("trouble"));
  put("trouble-said", trouble?.[language] ?? "");
  put("trouble-next", next_try_s ? say("trouble-next", { time: format.moment(next_try_s, now_s) }) : say("trouble-kept"));
}

function auditWords(audit, api) {
  if (!audit) return api ? say("audit-never") : say("audit-off");
  if (audit.missing) return say("audit-missing", { missing: format.count(audit.missing), checked: format.count(audit.checked) });
  return counted("audit-whole", audit.checked);
}

const counted = (key, n) => sayCount(key, n, format.count(n));
const since = (time_s, now_s) => ({ time: format.moment(time_s, now_s), ago: format.ago(time_s, now_s) });
