// Pages of what runs: their parts come again when they change. The focus stays where it is, and so does a board.

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

const live = document.querySelector("[data-live]");
if (live) {
  const events = new EventSource(live.dataset.live);
  for (const id of ["now", "where"]) {
    events.addEventListener(id, (event) => replacePart(id, JSON.parse(event.data)));
  }
}

// A list whose lines are still being made is asked for again: what is typed into the form stays.
const AGAIN_MS = 3000;

async function askAgain() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("listed");
    if (answer.ok && made) {
      replacePart("listed", made.innerHTML);
      if (!("again" in made.dataset)) return;
    }
  } catch {
    // The server is away: it is asked again.
  }
  setTimeout(askAgain, AGAIN_MS);
}

if (document.querySelector("#listed[data-again]")) setTimeout(askAgain, AGAIN_MS);
