// One stream of states from the gateway, and the truth about whether it still flows.
//
// live --(stream breaks, or nothing is heard and nobody answers)--> lost --(a state arrives)--> live
//
// There is never more than one stream: it is closed before another one opens. While lost, it is opened again after growing
// pauses. A stream that is merely quiet is asked by hand, because a dead cable looks just like a street without news.

const QUIET_MS = 20_000;
const ANSWER_MS = 5_000;
const TICK_MS = 1_000;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export class Connection {
  constructor(onState, onLost) {
    this.onState = onState;
    this.onLost = onLost;
    this.stream = null;
    this.retry = null;
    this.pause_ms = SHORTEST_PAUSE_MS;
    this.heard_ms = Date.now();
    this.ticked_ms = Date.now();
    this.refreshed_ms = 0;
    this.isAsking = false;
  }

  start() {
    this.open();
    setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.refresh());
    window.addEventListener("online", () => this.refresh());
    window.addEventListener("pageshow", (event) => event.persisted && this.refresh());
    window.addEventListener("pagehide", () => this.close());
  }

  open() {
    this.close();
    this.stream = new EventSource("/events");
    this.stream.addEventListener("state", (event) => this.take(JSON.parse(event.data)));
    this.stream.addEventListener("error", () => this.lose());
  }

  close() {
    clearTimeout(this.retry);
    this.stream?.close();
    this.stream = null;
  }

  take(state) {
    this.heard_ms = Date.now();
    this.pause_ms = SHORTEST_PAUSE_MS;
    this.onState(state);
  }

  lose() {
    this.close();
    this.onLost();
    this.retry = setTimeout(() => this.open(), this.pause_ms);
    this.pause_ms = Math.min(this.pause_ms * 2, LONGEST_PAUSE_MS);
  }

  /** A tick that comes late means that the computer slept. */
  tick() {
    const now_ms = Date.now();
    const hasSlept = now_ms - this.ticked_ms > 5 * TICK_MS;
    this.ticked_ms = now_ms;
    if (hasSlept && document.visibilityState === "visible") this.refresh();
    else if (this.stream && now_ms - this.heard_ms > QUIET_MS) this.ask();
  }

  /** The viewer is back: the newest numbers at once, and a fresh stream. */
  refresh() {
    if (Date.now() - this.refreshed_ms < TICK_MS) return; // awake, visible and online often come together
    this.refreshed_ms = Date.now();
    this.pause_ms = SHORTEST_PAUSE_MS;
    this.open();
    this.ask();
  }

  async ask() {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const answer = await fetch("/state", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      if (!answer.ok) throw new Error(answer.statusText);
      const state = await answer.json();
      if (this.stream) this.take(state);
    } catch {
      if (this.stream) this.lose();
    } finally {
      this.isAsking = false;
    }
  }
}
