// Draws the part of the grid that is in sight: sizes, headers, and pieces of rows. A cell that is drawn does not change.

// The height of a row, and the least width of a column.
const CELL = 24;
const WIDEST = 108;
// From this width on, cells say how long they took.
const TIMED = 88;
// The names of hosts have at most this part of the width.
const HOSTS_PART = 0.4;
// Beside the name of a host: its mark, paddings and a border.
const AROUND_NAME = 42;
const SPARE_ROWS = 4;
// So many pieces are made in one frame; the next one goes on.
const MOST_PIECES = 100;

const matrixBox = byId("matrix-box");
// What is drawn, by its place.
const hostRows = new Map();
const lines = new Map();
const taskPieces = new Map();
let matrix = null;
// The places of the current cell; -1 is the row of tasks, or the column of hosts.
let current = [0, 0];
let columnWidth = 0;
let tabStop = null;
let matrixFrame = 0;

function resizeMatrix() {
  if (!matrix || matrixBox.hidden) return;
  if (measureMatrix()) redrawMatrix();
  else drawMatrix();
}

// The width of the longest name as it is drawn: letters of different scripts and cases are not alike wide.
function widestName(hosts) {
  const { fontStyle, fontWeight, fontSize, fontFamily } = getComputedStyle(byId("matrix-hosts"));
  const ink = document.createElement("canvas").getContext("2d");
  ink.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
  return hosts.reduce((widest, host) => Math.max(widest, ink.measureText(host.name).width), 0);
}

// Gives hosts and columns the widths that fit. Returns whether these changed.
function measureMatrix() {
  const { hosts, columns } = matrix;
  const room = byId("matrix-screen").clientWidth;
  const names = Math.min(Math.ceil(widestName(hosts)) + AROUND_NAME, Math.round(room * HOSTS_PART));
  // Beside the names: the borders and a bar to scroll with.
  const width = Math.max(CELL, Math.min(WIDEST, Math.floor((room - names - 20) / columns.length)));
  const sheet = byId("matrix-sheet");
  const before = sheet.style.cssText;
  const sizes = { "--hosts": `${names}px`, "--tasks": `${width * columns.length}px`, "--rows": `${CELL * hosts.length}px` };
  for (const [name, size] of Object.entries(sizes)) sheet.style.setProperty(name, size);
  if (sheet.style.cssText === before && width === columnWidth) return false;
  columnWidth = width;
  sheet.classList.toggle("timed", width >= TIMED);
  return true;
}

function redrawMatrix() {
  for (const parts of [hostRows, lines, taskPieces]) parts.clear();
  for (const id of ["matrix-hosts", "matrix-rows", "matrix-pieces"]) byId(id).replaceChildren();
  byId("matrix-bands").replaceChildren(...makeBands(matrix, columnWidth));
  drawMatrix();
}

function drawMatrix() {
  matrixFrame = 0;
  const { scrollTop, scrollLeft, clientHeight, clientWidth } = matrixBox;
  const head = byId("matrix-head").offsetHeight;
  const right = scrollLeft + clientWidth - byId("matrix-corner").offsetWidth;
  const wide = columnWidth * PIECE;
  const [row, column] = current;
  const pieces = between(scrollLeft / wide, right / wide, matrix.columns.length / PIECE);
  const rows = between(scrollTop / CELL - SPARE_ROWS, (scrollTop + clientHeight - head) / CELL + SPARE_ROWS, matrix.hosts.length);
  // The current cell stays in the page, wherever it is: it may have the focus.
  const own = column < 0 ? pieces : including(pieces, Math.floor(column / PIECE));
  const wanted = row < 0 ? rows : including(rows, row);
  keepOnly(byId("matrix-pieces"), taskPieces, row < 0 ? own : pieces, (piece) => makePiece(matrix, null, piece, columnWidth));
  keepOnly(byId("matrix-hosts"), hostRows, wanted, (place) => makeHost(matrix, matrix.hosts[place]));
  keepOnly(byId("matrix-rows"), lines, wanted, (place) => makeLine(matrix.hosts[place]));
  drawCells(wanted, pieces, row, own);
  keepBandsInSight(scrollLeft);
  moveTabStop();
}

// `own`: the pieces of the row with the current cell, which are drawn first of all.
function drawCells(wanted, pieces, row, own) {
  let left = MOST_PIECES;
  for (const place of wanted) {
    const line = lines.get(place);
    line.pieces ||= new Map();
    const parts = place === row ? own : left > 0 ? pieces : pieces.filter((piece) => line.pieces.has(piece));
    left -= parts.filter((piece) => !line.pieces.has(piece)).length;
    keepOnly(line, line.pieces, parts, (piece) => makePiece(matrix, matrix.hosts[place], piece, columnWidth));
  }
  if (left <= 0) drawMatrixSoon();
}

function drawMatrixSoon() {
  if (!matrixFrame) matrixFrame = requestAnimationFrame(drawMatrix);
}

function between(from, to, most) {
  const found = [];
  for (let at = Math.max(0, Math.floor(from)); at < Math.min(Math.ceil(to), Math.ceil(most)); at++) found.push(at);
  return found;
}

function including(places, place) {
  return places.includes(place) ? places : [...places, place].sort((one, other) => one - other);
}

// Leaves in a parent what is wanted, in its order, and makes what is missing.
function keepOnly(parent, made, wanted, make) {
  const keep = new Set(wanted);
  for (const [place, child] of made) {
    if (keep.has(place)) continue;
    child.remove();
    made.delete(place);
  }
  let next = parent.firstElementChild;
  for (const place of wanted) {
    const child = made.get(place);
    if (child) {
      next = child.nextElementSibling;
      continue;
    }
    made.set(place, make(place));
    parent.insertBefore(made.get(place), next);
  }
}

// The name of a play or role that begins left of what is in sight stands where it can be read.
function keepBandsInSight(scrollLeft) {
  for (const band of byId("matrix-bands").querySelectorAll("[data-from]")) {
    const { from, to } = band.dataset;
    const hidden = Math.max(0, Math.min(scrollLeft - from * columnWidth, (to - from - 1) * columnWidth));
    const padding = hidden ? `${hidden}px` : "";
    if (band.style.paddingInlineStart !== padding) band.style.paddingInlineStart = padding;
  }
}

function moveTabStop() {
  const stop = cellAt(...current);
  if (stop === tabStop) return;
  if (tabStop) tabStop.tabIndex = -1;
  tabStop = stop;
  tabStop.tabIndex = 0;
}

// The element of a cell or header, if it is drawn.
function cellAt(row, column) {
  if (column < 0) return hostRows.get(row)?.firstElementChild;
  const line = row < 0 ? byId("matrix-pieces") : lines.get(row);
  return line?.querySelector(`[data-column="${column}"]`);
}
