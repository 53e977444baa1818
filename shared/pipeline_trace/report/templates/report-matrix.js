// The grid of hosts and tasks: which playbook it shows, what of it is in the page, its keys, and the ways to the waterfall and back.

const TASKS_BEFORE = 5;
const MOST_PRINTED = 100;

const matrixPanel = byId("matrix");
const matrixGrid = byId("matrix-grid");
const matrixSaid = byId("matrix-said");
let playbooks = findPlaybooks(ROWS);
const matrices = new Map();
// The places of the cell that the words are about.
let said = [0, 0];

function matrixOf(playbook) {
  if (!matrices.has(playbook)) matrices.set(playbook, new Matrix(ROWS, playbook, playbooks.get(playbook)));
  return matrices.get(playbook);
}

function showMatrix(playbook) {
  if (matrix && matrix.playbook === playbook) return;
  matrix = matrixOf(playbook);
  describeMatrix();
  if (matrixBox.hidden) return;
  // The first failure is in sight, with some of what ran before it.
  const [first] = matrix.hosts;
  current = [0, first.rank === RANKS.failed ? first.at : 0];
  columnWidth = 0;
  resizeMatrix();
  matrixBox.scrollTo(Math.max(0, current[1] - TASKS_BEFORE) * columnWidth, 0);
  sayCell(...current);
}

// What stands around the cells.
function describeMatrix() {
  const { playbook, hosts, columns } = matrix;
  byId("matrix-of").value = playbook.index;
  byId("matrix-counts").replaceChildren(...matrixCounts());
  matrixBox.hidden = matrixSaid.hidden = byId("matrix-legend").hidden = !hosts.length || !columns.length;
  byId("matrix-none").hidden = !matrixBox.hidden;
  byId("matrix-untold").hidden = !columns.some((column) => column.untold);
  if (matrixBox.hidden) return;
  byId("matrix-marks").replaceChildren(...markLegend(DATA.silent.length > 0));
  byId("matrix-shades").replaceChildren(...shadeLegend(matrix));
  matrixGrid.setAttribute("aria-rowcount", hosts.length + 1);
  matrixGrid.setAttribute("aria-colcount", columns.length + 1);
}

function matrixCounts() {
  const { hosts, columns } = matrix;
  if (!hosts.length) return [element("strong", "", "No hosts")];
  const parts = RANK_WORDS.map((word, rank) => [hosts.filter((host) => host.rank === rank).length, word || "without a result"]);
  const told = parts.filter(([number]) => number).map(([number, word]) => `${number} ${word}`).join(", ");
  return [element("strong", "", counted(hosts.length, "host")), told && `: ${told}; `, element("strong", "", counted(columns.length, "task"))];
}

// What is under the pointer or has the focus, in words.
function sayCell(row, column) {
  said = [row, column];
  const host = matrix.hosts[row];
  const task = matrix.columns[column];
  for (const marked of matrixBox.querySelectorAll(".now")) marked.classList.remove("now");
  for (const made of [cellAt(-1, column), cellAt(row, -1)]) made?.classList.add("now");
  const what = [host && element("strong", "", host.name), host && task && " \u00d7 ", task && element("strong", "", task.name)];
  const how = host && task ? cellWords(matrix, host, task) : host ? hostSummary(matrix, host) : taskSummary(task);
  const place = task ? element("span", "muted", ` ${taskPlace(task)}`) : null;
  matrixSaid.replaceChildren(element("div", "", ...what.filter(Boolean), place), element("div", "", how));
  for (const line of matrixSaid.children) line.title = line.textContent;
}

function moveTo(row, column) {
  current = [Math.max(-1, Math.min(row, matrix.hosts.length - 1)), Math.max(-1, Math.min(column, matrix.columns.length - 1))];
  // In the corner there is nothing to tell.
  if (current[0] < 0 && current[1] < 0) current[1] = 0;
  drawMatrix();
  const cell = cellAt(...current);
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  cell.focus({ preventScroll: true });
  sayCell(...current);
}

// Goes to the row of the waterfall that a cell or a header is about.
function openCell(row, column) {
  const host = matrix.hosts[row];
  const task = matrix.columns[column] || matrix.worstOf(host);
  jump(host ? matrix.targetOf(host, task) : task.tasks[0]);
}

const MATRIX_KEYS = {
  ArrowDown: (row, column) => moveTo(row + 1, column),
  ArrowUp: (row, column) => moveTo(row - 1, column),
  ArrowRight: (row, column) => moveTo(row, column + 1),
  ArrowLeft: (row, column) => moveTo(row, column - 1),
  PageDown: (row, column) => moveTo(row + PAGE_ROWS, column),
  PageUp: (row, column) => moveTo(Math.max(0, row - PAGE_ROWS), column),
  Home: (row) => moveTo(row, 0),
  End: (row) => moveTo(row, matrix.columns.length - 1),
  "Control+Home": () => moveTo(0, 0),
  "Control+End": () => moveTo(matrix.hosts.length - 1, matrix.columns.length - 1),
  Enter: openCell,
  " ": openCell,
};

function onMatrixKey(event) {
  const action = MATRIX_KEYS[event.ctrlKey ? `Control+${event.key}` : event.key];
  if (!action || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  action(...current);
}

// The places of the cell or header that an event is about, or null.
function placesOf(event) {
  const cell = event.target.closest("[data-column]");
  if (!cell) return null;
  const line = cell.closest("[data-host]");
  return [line ? Number(line.dataset.host) : -1, Number(cell.dataset.column)];
}

function onMatrixClick(event) {
  const places = placesOf(event);
  if (!places) return;
  current = places;
  drawMatrix();
  openCell(...places);
}

function onMatrixPointer(event) {
  const places = placesOf(event);
  if (places) sayCell(...places);
}

// A button that leads from the details of a host's or task's span to its cell.
function cellButton(row) {
  if (!["host", "task"].includes(row.type) || !matrixPanel) return null;
  const task = row.type === "host" ? row.parent : row;
  const playbook = task?.type === "task" ? outermost(task) : null;
  const made = playbooks.has(playbook) ? element("button", "plain", "Show in the grid of hosts and tasks") : null;
  if (!made) return null;
  made.type = "button";
  made.addEventListener("click", () => goToCell(row, playbook));
  return made;
}

function goToCell(row, playbook) {
  if (getComputedStyle(pane.parentElement).position === "fixed") closeDetails();
  matrixPanel.open = true;
  showMatrix(playbook);
  if (matrixBox.hidden) return matrixPanel.scrollIntoView();
  // The cell and what is said of it are in sight together.
  matrixSaid.scrollIntoView();
  const [host, column] = matrix.placeOf(row);
  moveTo(host ? host.place : -1, column.at);
}

function printMatrices(started) {
  if (!matrixPanel) return;
  const parts = started ? [...playbooks.keys()].map((playbook) => failedHosts(matrixOf(playbook), MOST_PRINTED)) : [];
  byId("matrix-print").replaceChildren(...parts.map((part) => element("section", "", ...part)));
}

function playbookName(playbook) {
  let around = playbook.parent;
  while (around && !["stage", "branch", "run"].includes(around.type)) around = around.parent;
  return [playbook.name, around && `in ${around.name}`, FAILED.has(playbook.state) && WORDS[playbook.state]].filter(Boolean).join(", ");
}

// Fills the choice of playbooks.
function offerPlaybooks() {
  const all = [...playbooks.keys()];
  const choice = byId("matrix-of");
  choice.replaceChildren(...all.map((playbook) => new Option(playbookName(playbook), playbook.index)));
  byId("matrix-choice").hidden = all.length < 2;
  byId("matrix-names").textContent = all.length < 2 ? all[0].name : `${all.length} playbooks`;
}

function firstPlaybook() {
  const all = [...playbooks.keys()];
  return all.find((playbook) => FAILED.has(playbook.state)) || all[0];
}

function startMatrix() {
  if (!matrixPanel || !playbooks.size || !matrixPanel.hidden) return;
  offerPlaybooks();
  byId("matrix-of").addEventListener("change", (event) => showMatrix(ROWS[event.target.value]));
  matrixPanel.addEventListener("toggle", () => matrixPanel.open && !printing && showMatrix(matrix ? matrix.playbook : firstPlaybook()));
  matrixBox.addEventListener("keydown", onMatrixKey);
  matrixBox.addEventListener("click", onMatrixClick);
  matrixBox.addEventListener("pointerover", onMatrixPointer);
  matrixBox.addEventListener("scroll", drawMatrixSoon, { passive: true });
  new ResizeObserver(() => matrixPanel.open && resizeMatrix()).observe(byId("matrix-screen"));
  matrixPanel.hidden = false;
}
