// News, as they happen: numbers and bars at once, lists by asking for the page anew, at most every
// two seconds. Nothing is asked for while nobody looks.
const PAUSE = 2000;
const page = document.getElementById("live");
const status = { on: "Live", trying: "Reconnecting", off: "Paused", out: "Signed out" };
const show = (state) => {
  if (page.dataset.live === state) return;
  page.dataset.live = state;
  page.textContent = status[state];
};

const grouped = (n) => Number(n).toLocaleString("en-US");
const lasting = (seconds) => {
  const s = Math.ceil(seconds), m = Math.floor(s / 60), h = Math.floor(s / 3600), d = Math.floor(s / 86400);
  return s < 60 ? `${s} s` : s < 3600 ? `${m} min ${s % 60} s` : s < 86400 ? `${h} h ${m % 60} min` : `${grouped(d)} d ${h % 24} h`;
};
const put = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
const field = (within, name) => within.querySelector(`[data-field="${name}"]`);
const each = (selector, then) => document.querySelectorAll(selector).forEach(then);

// Bars are thousandths of the whole; the least share is seen, and never more than the whole.
const fill = (bar, whole, reached, text, parts) => {
  if (!bar) return;
  whole = Math.max(whole, 1);
  bar.setAttribute("aria-valuemax", whole);
  bar.setAttribute("aria-valuenow", Math.min(reached, whole));
  bar.setAttribute("aria-valuetext", text);
  let left = 0;
  bar.querySelectorAll("rect").forEach((rect, at) => {
    const width = Math.min(Math.ceil(parts[at] * 1000 / whole), 1000 - left);
    rect.setAttribute("x", left);
    rect.setAttribute("width", width);
    left += width;
  });
};

// Parts of the page that are asked for anew. What is in focus stays in focus, what is open open.
const wanted = new Set();
let timer = 0, last = 0;
const refresh = (name) => {
  each("[data-refresh]", (node) => { if (node.dataset.refresh.split(" ").includes(name)) wanted.add(node.id); });
  if (wanted.size && !timer) timer = setTimeout(load, Math.max(150, last + PAUSE - Date.now()));
};
const swap = (old, fresh) => {
  if (!old || !fresh || old.isEqualNode(fresh)) return;
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const open of old.querySelectorAll("details[open][id]")) fresh.querySelector(`#${open.id}`)?.setAttribute("open", "");
  old.replaceWith(fresh);
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
};
async function load() {
  timer = 0;
  last = Date.now();
  // Somebody is marking or answering something: not under their hands.
  if (document.querySelector("dialog[open]") || !getSelection().isCollapsed) {
    timer = setTimeout(load, PAUSE);
    return;
  }
  const ids = [...wanted];
  wanted.clear();
  try {
    const answer = await fetch(location.href);
    if (answer.redirected && new URL(answer.url).pathname === "/login") return leave();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) swap(document.getElementById(id), fresh.getElementById(id));
    document.dispatchEvent(new Event("swapped"));
  } catch { /* the stream tells that the server is away */ }
}

// Every account that was told of: how it stands, and what it sent in the last minute.
const accounts = new Map();
const counted = (n, noun) => `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
const throughput = () => {
  const busy = [...accounts.values()].filter(({ used }) => used > 0);
  const used = busy.reduce((sum, own) => sum + own.used, 0);
  put(document.getElementById("throughput"), busy.length === 0 ? "No requests to Exotel in the last minute"
    : `${counted(used, "request")} to Exotel in the last minute, of ${counted(busy.length, "account")}`);
};

const tell = (text) => put(document.getElementById("news"), text);

const on = {
  tally(own) {
    each("[data-tally]", (node) => {
      put(node, grouped(own[node.dataset.tally] ?? 0));
      node.parentElement.classList.toggle("alert", own[node.dataset.tally] > 0 && ["failed", "blocked"].includes(node.dataset.tally));
    });
    if (own.failed !== on.failed && on.failed !== undefined) refresh("failed");
    on.failed = own.failed;
  },
  batch(own) {
    const open = own.open ?? own.accepted - own.succeeded - own.failed - own.cancelled;
    const done = own.accepted - open;
    const shown = [...document.querySelectorAll("[data-batch]")].map((node) => Number(node.dataset.batch));
    if (own.number > Math.max(-1, ...shown)) refresh("new-batch");
    each(`[data-batch="${own.number}"]`, (node) => {
      const before = field(node, "done").textContent;
      if (field(node, "failed").textContent !== grouped(own.failed)) refresh("failed");
      for (const name of ["accepted", "failed", "cancelled", "duplicates"]) put(field(node, name), grouped(own[name]));
      field(node, "failed").parentElement.classList.toggle("none", own.failed === 0);
      put(field(node, "done"), grouped(done));
      put(field(node, "rate"), open === 0 ? "finished" : own.left_seconds == null ? `${grouped(open)} to go`
        : `${own.per_minute.toFixed(own.per_minute < 10 ? 1 : 0)}/min, ${lasting(own.left_seconds)} left`);
      fill(node.querySelector(".bar"), own.accepted, done, `${done} of ${own.accepted} done`, [own.succeeded, own.failed, own.cancelled]);
      if (open === 0 && before !== grouped(done)) tell(`${own.source} is finished: ${own.succeeded} succeeded, ${own.failed} failed, ${own.cancelled} cancelled`);
    });
  },
  account(own) {
    const closed = own.outage || (own.closed_until && Date.parse(own.closed_until) > Date.now());
    const standing = own.parked ? "parked" : closed ? "closed" : "open";
    const known = document.querySelector(`[data-account="${own.name}"]`);
    const shown = known ?? document.querySelector(`[data-attention="${own.name}"]`);
    if ((shown?.dataset.standing ?? "open") !== standing && accounts.get(own.name)?.standing !== standing) refresh("account");
    accounts.set(own.name, { standing, used: own.permits_out });
    throughput();
    if (!known) return;
    const limit = own.limits?.requests_per_minute ?? 200;
    const until = (at) => (at ? Date.parse(at) - Date.now() : 0);
    put(field(known, "used"), grouped(own.permits_out));
    put(field(known, "waiting"), grouped(own.waiting));
    put(field(known, "running"), grouped(own.running));
    const wait = until(own.next_permit_at) / 1000;
    if (standing !== "parked") put(field(known, "next"), wait < 1 ? "now" : `in ${lasting(wait)}`);
    const oldest = -until(own.oldest_waiting_at) / 1000;
    put(field(known, "oldest"), !own.oldest_waiting_at ? "none" : oldest < 5 ? "just now" : `${lasting(oldest)} ago`);
    const bar = known.querySelector(".bar");
    bar?.querySelector("rect")?.setAttribute("class", own.permits_out * 10 >= limit * 9 ? "full" : "used");
    fill(bar, limit, own.permits_out, `${own.permits_out} of ${limit}`, [own.permits_out]);
  },
  onboarding(own) {
    refresh(`onboarding:${own.id}`);
    each(`[data-onboarding="${own.id}"]`, (row) => {
      const badge = field(row, "state");
      badge.className = `badge ${own.state}`;
      put(badge, own.state[0].toUpperCase() + own.state.slice(1));
      put(field(row, "steps"), `${own.steps.filter((step) => step.state === "done").length}/${own.steps.length}`);
      const time = row.querySelector("time");
      time.dateTime = own.updated_at;
      time.title = `${own.updated_at.slice(0, 19).replace("T", " ")} UTC`;
      put(time, "just now");
      if (own.state === "failed" || own.state === "blocked") refresh("rows");
    });
  },
};

let stream = null, broken = false;
const leave = () => { stream?.close(); stream = null; show("out"); tell("You are signed out. Load the page again to sign in."); };
const begin = () => {
  if (stream || document.hidden || page.dataset.live === "out") return;
  const one = document.body.querySelector("[data-events]")?.dataset.events;
  stream = new EventSource(one ?? "/v1/events");
  stream.onopen = () => {
    show("on");
    // What happened meanwhile.
    if (broken) each("[data-refresh]", (node) => refresh(node.dataset.refresh.split(" ")[0]));
    broken = false;
  };
  stream.onerror = () => {
    broken = true;
    if (stream?.readyState === EventSource.CLOSED) {
      // Not let in, or too many watch: asking for the page tells which.
      stream = null;
      show("trying");
      each("[data-refresh]", (node) => refresh(node.dataset.refresh.split(" ")[0]));
      setTimeout(begin, 10000);
    } else show("trying");
  };
  for (const name of ["tally", "batch", "account", "onboarding"]) {
    stream.addEventListener(name, (event) => on[name](JSON.parse(event.data)));
  }
};
const end = () => { stream?.close(); stream = null; broken = true; if (page.dataset.live !== "out") show("off"); };
if (page) {
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()));
  addEventListener("pagehide", end);
  addEventListener("pageshow", begin);
  begin();
}
