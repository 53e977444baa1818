// Follows a trace that goes on: asks the server for what is new, lets bars grow with its clock, and says how that goes.

const TICK_MS = 1000;
// A browser gives up after some answers. It is asked to try again.
const AGAIN_MS = 15000;
// A page that nobody sees asks now and then: a browser has few connections to one server.
const HIDDEN_MS = 20000;
// What is said to those who do not see the page: not more often than this, if it can wait.
const SAID_MS = 30000;
const LOST_MS = 10000;
// A connection may be gone without a word. And a server that cannot read the trace says nothing of the time.
const QUIET_MS = 60000;
// A smaller difference is the way that a message takes.
const SKEW_US = 250000;

const live = DATA.live;
let mark = live.mark;
// The server's time, in microseconds since the epoch, at a time of this browser.
let clock = { us: live.now, at: performance.now() };
let source = null;
let again = 0;
let changedAt = null;
let heardAt = performance.now();
let lostAt = null;
// Whether the last answer was no stream, such as the page of a login.
let refused = false;
let ended = false;
let saidAt = -SAID_MS;

function serverNow() {
  return clock.us + (performance.now() - clock.at) * 1000;
}

function setClock(us) {
  if (Math.abs(us - serverNow()) > SKEW_US) clock = { us, at: performance.now() };
}

function connect() {
  clearTimeout(again);
  source?.close();
  source = new EventSource(`${live.events}?since=${encodeURIComponent(mark)}`);
  source.addEventListener("change", (event) => onChange(JSON.parse(event.data)));
  source.addEventListener("time", (event) => onTime(Number(event.data)));
  source.addEventListener("end", onEnd);
  source.addEventListener("error", onError);
}

function onChange(change) {
  mark = change.mark;
  setClock(change.now);
  changedAt = new Date();
  const before = { title: document.title, failures: failures(), stands: standing() };
  renew(change);
  tellChange(before);
}

function onTime(us) {
  setClock(us);
  heardAt = performance.now();
  if (lostAt) announce("Connected again");
  lostAt = null;
  refused = false;
  sayHow();
  if (!document.hidden) return;
  source.close();
  again = setTimeout(connect, HIDDEN_MS);
}

function onEnd() {
  source.close();
  ended = true;
  lostAt = null;
  sayHow();
  announce(`It has ended. ${document.title}`);
}

function lose() {
  if (!lostAt) {
    lostAt = new Date();
    setTimeout(() => lostAt && announce("No connection to the server"), LOST_MS);
  }
  sayHow();
}

function onError() {
  // After an answer that is no stream. Otherwise the browser asks again by itself.
  refused = source.readyState === EventSource.CLOSED;
  lose();
  if (refused) again = setTimeout(connect, AGAIN_MS);
}

// The line that says how the page follows.
function sayHow() {
  const line = byId("live-line");
  let said = "This page follows the trace by itself.";
  if (changedAt) said += ` Last change: ${localTime(changedAt)}.`;
  const next = refused ? "If this stays, load the page again: perhaps your login has ended." : "The page asks again by itself.";
  if (lostAt) said = `No connection since ${localTime(lostAt)}: you see what was known then. ${next}`;
  if (ended) said = "The trace has ended. This page does not change any more.";
  line.hidden = false;
  line.classList.toggle("lost", Boolean(lostAt));
  if (line.textContent !== said) line.textContent = said;
}

function announce(text) {
  byId("live-said").textContent = text;
  saidAt = performance.now();
}

function failures() {
  return ROWS.filter((row) => FAILED.has(row.state) && !row.failedBelow).length;
}

function tellChange(before) {
  const failed = failures();
  if (document.title !== before.title) announce(document.title);
  else if (failed > before.failures) announce(`${failed} failed`);
  else if (performance.now() - saidAt >= SAID_MS && standing() !== before.stands) announce(standing());
}

// Where the trace stands, in words.
function standing() {
  return byId("stands").querySelector("p")?.textContent || "";
}

// What still runs takes longer, also where nothing new comes.
function tick() {
  if (!ended && !document.hidden && performance.now() - heardAt > QUIET_MS) {
    heardAt = performance.now();
    lose();
    connect();
  }
  if (lostAt || ended || document.hidden || printing) return;
  const runs = (row) => row.open && row.silent === null;
  if (!ROWS.some(runs)) return;
  DATA.extent = Math.max(DATA.extent, serverNow() - DATA.origin);
  const axis = DATA.axis;
  stretchAxis();
  const stretched = DATA.axis !== axis;
  if (stretched) drawAxis();
  renewDrawn([...drawn.keys()].filter((row) => stretched || runs(row)));
  const soFar = byId("so-far");
  if (soFar) soFar.textContent = `${duration(DATA.extent)} so far`;
  if (selected && runs(selected)) renewDetails();
  tickMatrix();
}

function tickMatrix() {
  if (!matrix || !matrixPanel.open) return;
  for (const [place, line] of lines) {
    for (const cell of line.querySelectorAll(".k-running")) {
      // What has the focus is read aloud when it changes.
      if (cell === document.activeElement) continue;
      const made = makeCell(matrix, matrix.hosts[place], matrix.columns[cell.dataset.column], columnWidth >= TIMED);
      made.tabIndex = cell.tabIndex;
      made.classList.toggle("now", cell.classList.contains("now"));
      morph(cell, made);
    }
  }
}

function startLive() {
  // The page keeps the reader's place itself.
  document.documentElement.style.overflowAnchor = "none";
  stretchAxis();
  refresh(true);
  drawAxis();
  sayHow();
  connect();
  setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", () => !document.hidden && !ended && source.readyState === EventSource.CLOSED && connect());
  // A page that comes back from the browser's memory.
  window.addEventListener("pageshow", (event) => event.persisted && !ended && connect());
}

startLive();
