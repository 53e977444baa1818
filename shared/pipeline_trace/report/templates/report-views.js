// The Dev and Ops views, the axis, printing, and the start of the page.

const SIDES = { d: "dev", o: "ops" };
let side = "all";

// Spans of both sides are never dimmed.
function isDimmed(row) {
  return side !== "all" && row.side in SIDES && SIDES[row.side] !== side;
}

function showSide(chosen) {
  side = chosen;
  draw();
}

function drawAxis() {
  const axis = byId("axis");
  const lines = byId("guides");
  const marks = ticks(axisLength(), Math.max(2, Math.floor(axis.clientWidth / 90)));
  axis.replaceChildren();
  lines.replaceChildren();
  for (const at of marks) {
    const room = (axis.clientWidth * (100 - percent(at))) / 100;
    const label = element("span", room < 44 ? "tick last" : "tick", tickLabel(at));
    const line = element("i", "");
    label.style.left = line.style.left = `${percent(at)}%`;
    axis.append(label);
    lines.append(line);
  }
  // The last label stands left of its mark: it may need the place of the one before.
  const [before, last] = [...axis.children].slice(-2);
  if (last && before.getBoundingClientRect().right + 6 > last.getBoundingClientRect().left) before.remove();
}

function print(started) {
  printing = started;
  document.body.classList.toggle("printing", started);
  for (const panel of document.querySelectorAll("main details:not([open])")) {
    if (started) panel.dataset.closed = "";
    panel.open = true;
  }
  if (!started) {
    for (const panel of document.querySelectorAll("[data-closed]")) {
      delete panel.dataset.closed;
      panel.open = false;
    }
  }
  printMatrices(started);
  draw();
}

// The end of a log tells most.
function showLogEnds(root = document) {
  for (const log of root.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
}

function start() {
  showLocalTimes();
  for (const choice of document.querySelectorAll("[name=side]")) {
    choice.addEventListener("change", () => showSide(choice.value));
    if (choice.checked) side = choice.value;
  }
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  // Captured: this event does not bubble.
  document.addEventListener("toggle", (event) => event.target.closest(".trouble") && showLogEnds(event.target), true);
  showLogEnds();
  startCopying();
  startGrid();
  startMatrix();
}

start();
