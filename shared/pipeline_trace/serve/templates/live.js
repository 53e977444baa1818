// Pages of what runs: their parts come again when they change. The focus stays where it is, and so does a board. If nothing
// is heard any more, the page says so.

function replacePart(id, html) {
  const part = document.getElementById(id);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const at = focused && [...part.querySelectorAll(focused.localName)].indexOf(focused);
  const name = focused && focused.getAttribute("href");
  const scrolled = [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  part.innerHTML = html;
  showLocalTimes();
  part.querySelectorAll(".scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
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
let heardAt = performance.now();

function follow() {
  const events = new EventSource(live.dataset.live);
  for (const id of PARTS) events.addEventListener(id, (event) => replacePart(id, JSON.parse(event.data)));
  events.addEventListener("time", heard);
  events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) setTimeout(loadParts, CONNECT_MS); });
}

// There may be too many readers, or something in between that passes no streams.
async function loadParts() {
  const page = await pageNow();
  if (page && PARTS.every((id) => page.getElementById(id))) {
    for (const id of PARTS) replacePart(id, page.getElementById(id).innerHTML);
    heard();
  }
  follow();
}

// The page as the server has it now; null if it cannot be had.
async function pageNow() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  } catch {
    return null;
  }
}

function heard() {
  heardAt = performance.now();
  sayHow();
}

// Whoever looks must know if that is old.
function sayHow() {
  const line = document.getElementById("lost");
  const quiet = performance.now() - heardAt;
  const lost = quiet > QUIET_MS;
  if (line.hidden === !lost) return;
  const since = localTime(new Date(Date.now() - quiet));
  line.textContent = lost ? `Nothing new since ${since}: you see what was known then. The page asks again by itself.` : "";
  line.hidden = !lost;
}

if (live) {
  follow();
  setInterval(sayHow, CHECK_MS);
}

// A list whose lines are still being made is asked for again: what is typed into the form stays.
const AGAIN_MS = 3000;

async function askAgain() {
  const made = (await pageNow())?.getElementById("listed");
  if (made) {
    replacePart("listed", made.innerHTML);
    if (!("again" in made.dataset)) return;
  }
  // Also if the server is away.
  setTimeout(askAgain, AGAIN_MS);
}

if (document.querySelector("#listed[data-again]")) setTimeout(askAgain, AGAIN_MS);
