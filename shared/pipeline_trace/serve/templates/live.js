// Pages of what runs: their parts come again when they change. The focus and the reader's place stay where they are, and so
// does a board. A part in which text is selected waits. If nothing is heard any more, the page says so.

// What comes for parts in which text is selected, by their ids.
const held = new Map();

function isSelected(part) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.rangeCount > 0 && selection.getRangeAt(0).intersectsNode(part);
}

document.addEventListener("selectionchange", () => {
  for (const [id, html] of [...held]) replacePart(id, html);
});

// Rows and cards, by what tells each from the others: where its first link leads, and which of those that lead there it is.
function places() {
  const found = new Map();
  for (const one of document.querySelectorAll("main tbody tr, .running > li")) {
    const address = one.querySelector("a")?.getAttribute("href");
    let number = 0;
    while (found.has(`${number} ${address}`)) number += 1;
    found.set(`${number} ${address}`, one);
  }
  return found;
}

// Where rows and cards are, the nearest to the top of the window first. At the top of the page, what is new is seen.
function placesNow() {
  if (window.scrollY === 0) return [];
  const tops = [...places()].map(([key, one]) => [key, one.getBoundingClientRect().top]);
  return tops.sort(([, one], [, other]) => Math.abs(one) - Math.abs(other));
}

function returnTo(tops) {
  const now = places();
  const known = tops.find(([key]) => now.has(key));
  if (known) window.scrollBy({ top: now.get(known[0]).getBoundingClientRect().top - known[1], behavior: "instant" });
}

function replacePart(id, html) {
  const part = document.getElementById(id);
  if (isSelected(part)) {
    held.set(id, html);
    return;
  }
  held.delete(id);
  const tops = placesNow();
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const at = focused && [...part.querySelectorAll(focused.localName)].indexOf(focused);
  const name = focused && focused.getAttribute("href");
  const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  part.innerHTML = html;
  showLocalTimes();
  part.querySelectorAll(".scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
  returnTo(tops);
  if (!focused) return;
  const alike = [...part.querySelectorAll(focused.localName)];
  (alike.find((one) => name && one.getAttribute("href") === name) || alike[at] || part).focus({ preventScroll: true });
}

const PARTS = ["now", "where"];
// After an answer that is no stream, a browser asks no more. It is asked to try again.
const CONNECT_MS = 15000;
// A connection may be gone without a word. And a server that cannot read says nothing of the time.
const QUIET_MS = 30000;
const CHECK_MS = 1000;
const live = document.querySelector("[data-live]");
let events = null;
let asking = false;
let triedAt = performance.now();
let heardAt = performance.now();
// Whether something else answers than these pages, such as a login.
let strange = false;

function follow() {
  triedAt = performance.now();
  events?.close();
  events = new EventSource(live.dataset.live);
  for (const id of PARTS) events.addEventListener(id, (event) => replacePart(id, JSON.parse(event.data)));
  events.addEventListener("time", heard);
}

// There may be too many readers, or something in between that passes no streams. What says nothing for long is given up.
function check() {
  sayHow();
  const gone = events.readyState === EventSource.CLOSED || performance.now() - heardAt > QUIET_MS;
  if (gone && !asking && performance.now() - triedAt > CONNECT_MS) loadParts();
}

async function loadParts() {
  asking = true;
  const { page, answered } = await pageNow(PARTS);
  asking = false;
  strange = answered && !page;
  if (page) {
    for (const id of PARTS) replacePart(id, page.getElementById(id).innerHTML);
    heard();
  }
  follow();
}

// The page as the server has it now, null where it does not come with these parts; and whether anybody answered.
async function pageNow(parts) {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(QUIET_MS) });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const whole = answer.ok && parts.every((id) => found.getElementById(id));
    return { page: whole ? found : null, answered: answer.status < 500 };
  } catch {
    return { page: null, answered: false };
  }
}

function heard() {
  heardAt = performance.now();
  strange = false;
  sayHow();
}

// Whoever looks must know if that is old.
function sayHow() {
  const line = document.getElementById("lost");
  const quiet = performance.now() - heardAt;
  const how = quiet <= QUIET_MS ? "" : strange ? "login" : "away";
  if (line.dataset.how === how) return;
  const next = strange ? "Load the page again: perhaps your login has ended." : "The page asks again by itself.";
  const since = localTime(new Date(Date.now() - quiet));
  line.textContent = how && `Nothing new since ${since}: you see what was known then. ${next}`;
  line.hidden = !how;
  line.dataset.how = how;
}

if (live) {
  follow();
  setInterval(check, CHECK_MS);
}

// A list whose lines are still being made is asked for again: what is typed into the form stays.
const AGAIN_MS = 3000;

async function askAgain() {
  const made = (await pageNow(["listed"])).page?.getElementById("listed");
  if (made) {
    replacePart("listed", made.innerHTML);
    if (!("again" in made.dataset)) return;
  }
  // Also if the server is away.
  setTimeout(askAgain, AGAIN_MS);
}

if (document.querySelector("#listed[data-again]")) setTimeout(askAgain, AGAIN_MS);
