// Puts what is new in a trace into the page. What the reader looks at, typed, opened, folded and chose stays.

// A new axis has so much room for what still runs: bars do not move each second.
const SPARE = 1.15;
const LEAST_SPARE = 5e6;

// `change`: see Changes.since of report/changes.py.
function renew(change) {
  const place = readersPlace();
  const kept = view.remember();
  const known = new Map(ROWS.map((row) => [rowKey(row), row]));
  takeData(change);
  readRows(known);
  view.renew(kept, filterRows);
  renewParts(change.parts);
  stretchAxis();
  renewWaterfall();
  renewMatrix();
  renewDetails();
  returnTo(place);
}

function takeData(change) {
  if (change.whole) {
    for (const list of [TEXTS, DATA.resources, DATA.rows]) list.length = 0;
    DATA.sides = [];
  }
  for (const text of change.texts) TEXTS.push(text);
  DATA.resources.push(...change.resources);
  const old = change.whole ? [] : keptRows(change);
  DATA.rows.length = 0;
  DATA.sides = [];
  let next = 0;
  const add = (values, side) => {
    DATA.rows.push(values);
    DATA.sides.push(side);
  };
  for (const [at, values, side] of change.rows) {
    while (DATA.rows.length < at) add(...old[next++]);
    add(values, side);
  }
  while (next < old.length) add(...old[next++]);
  for (const [name, value] of Object.entries(change.parts)) if (name in DATA) DATA[name] = value;
}

// The rows with their sides that are neither new nor gone.
function keptRows(change) {
  const dropped = new Set(change.rows.map(([, values]) => TEXTS[values[7]] + TEXTS[values[6]]));
  for (let at = 0; at < change.gone.length; at += 2) dropped.add(change.gone[at] + change.gone[at + 1]);
  return ROWS.filter((row) => !dropped.has(rowKey(row))).map((row) => [DATA.rows[row.index], row.side]);
}

function renewParts(parts) {
  if ("title" in parts) document.title = parts.title;
  for (const [name, html] of Object.entries(parts)) {
    if (name.startsWith("#")) renewPart(byId(name.slice(1)), html);
  }
}

// The server's templates made it, and put all texts of the trace into it as text.
function renewPart(old, html) {
  const made = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  if (!old || !made) return;
  showLocalTimes(made);
  showCopyButtons(made);
  const logs = new Set(old.querySelectorAll(".log"));
  morph(old, made);
  for (const log of old.querySelectorAll(".log")) if (!logs.has(log)) log.scrollTop = log.scrollHeight;
}

function stretchAxis() {
  const opened = ROWS.some((row) => row.open && row.silent === null);
  if (!opened) DATA.axis = DATA.extent;
  else if (!(DATA.axis >= DATA.extent)) DATA.axis = Math.max(DATA.extent * SPARE, DATA.extent + LEAST_SPARE);
}

function renewWaterfall() {
  // What is pressed can be taken back.
  onlyFailed.hidden = !isPressed(onlyFailed) && !ROWS.some((row) => FAILED.has(row.state));
  onlyCritical.hidden = !isPressed(onlyCritical) && !DATA.critical.length;
  sayMatches();
  const there = new Set(ROWS);
  if (!there.has(active)) active = null;
  drawAxis();
  placeRowsShown();
  renewDrawn([...drawn.keys()]);
  refresh();
  if (selected && !there.has(selected)) closeDetails();
  if (!byId("no-span").hidden && ROWS.some((row) => spanHash(row) === location.hash)) byId("no-span").hidden = true;
}

// Makes rows that are drawn as they are now.
function renewDrawn(rows) {
  const height = rowHeight();
  for (const row of rows) {
    if (!places.has(row)) continue;
    const made = makeRow(row);
    updateRow(made, row, height);
    morph(drawn.get(row), made);
  }
}

function renewDetails() {
  if (!selected) return;
  const made = element("div", "");
  fillDetails(made, selected, jump);
  morphChildren(pane, made);
}

function renewMatrix() {
  if (!matrixPanel) return;
  const before = matrix;
  matrices.clear();
  playbooks = findPlaybooks(ROWS);
  if (!playbooks.size) return;
  startMatrix();
  const options = [...byId("matrix-of").options].map((option) => `${option.value} ${option.text}`).join("\n");
  if ([...playbooks.keys()].map((playbook) => `${playbook.index} ${playbookName(playbook)}`).join("\n") !== options) offerPlaybooks();
  if (!before) return;
  const playbook = playbooks.has(before.playbook) ? before.playbook : firstPlaybook();
  if (playbook !== before.playbook || matrixBox.hidden || !matrixPanel.open) {
    // It is made when it is looked at.
    matrix = null;
    if (matrixPanel.open) showMatrix(playbook);
    return;
  }
  matrix = matrixOf(playbook);
  describeMatrix();
  if (matrixBox.hidden) return;
  moveToSame(before);
  renewCells();
}

// The current cell is of the same host and task, and stands where it stood.
function moveToSame(before) {
  const sameHost = (place) => (place < 0 ? place : (matrix.hosts.find((host) => host.name === before.hosts[place].name)?.place ?? 0));
  const sameColumn = (at) => (at < 0 ? at : (matrix.columns.find((one) => one.tasks.includes(before.columns[at].tasks[0]))?.at ?? 0));
  const [row, column] = current;
  current = [sameHost(row), sameColumn(column)];
  said = [sameHost(said[0]), sameColumn(said[1])];
  const { scrollLeft, scrollTop } = matrixBox;
  matrixBox.scrollTo(scrollLeft + (current[1] - column) * columnWidth, scrollTop + (current[0] - row) * CELL);
}

function renewCells() {
  const focused = matrixBox.contains(document.activeElement);
  tabStop = null;
  measureMatrix();
  const fits = (piece) => piece * PIECE < matrix.columns.length;
  const keep = (parts, piece, made) => {
    if (fits(piece)) return morph(made, makePiece(matrix, parts.host, piece, columnWidth));
    made.remove();
    parts.pieces.delete(piece);
  };
  for (const [place, line] of lines) {
    const host = matrix.hosts[place];
    for (const [piece, made] of host ? line.pieces || [] : []) keep({ host, pieces: line.pieces }, piece, made);
  }
  for (const [piece, made] of taskPieces) keep({ host: null, pieces: taskPieces }, piece, made);
  for (const [place, made] of hostRows) if (matrix.hosts[place]) morph(made, makeHost(matrix, matrix.hosts[place]));
  const bands = element("div", "", ...makeBands(matrix, columnWidth));
  morphChildren(byId("matrix-bands"), bands);
  drawMatrix();
  sayCell(...said);
  if (focused) cellAt(...current)?.focus({ preventScroll: true });
}

// What the reader looks at: what has the focus, where that is in sight, else what stands first in the window.
function readersPlace() {
  const inSight = (box) => box.bottom > 0 && box.top < window.innerHeight;
  const focused = document.activeElement;
  // What sticks to the window tells nothing of the page below it.
  const isPlace = focused && focused !== document.body && focused.id !== "content" && !focused.closest("#toolbar, aside");
  if (isPlace && inSight(focused.getBoundingClientRect())) {
    return { element: focused, row: ROWS[focused.dataset.row] || null, top: focused.getBoundingClientRect().top };
  }
  if (!window.scrollY) return null;
  const top = byId("grid-head").getBoundingClientRect().bottom;
  const box = body.getBoundingClientRect();
  const height = rowHeight();
  const row = box.top < top ? shown[Math.ceil((top - box.top) / height)] : null;
  if (row) return { element: drawn.get(row), row, top: box.top + places.get(row) * height };
  const element = document.elementFromPoint(window.innerWidth / 2, 1);
  return element && { element, row: null, top: element.getBoundingClientRect().top };
}

function returnTo(place) {
  if (!place) return;
  const { row } = place;
  let top = null;
  if (row && places.has(row)) top = body.getBoundingClientRect().top + places.get(row) * rowHeight();
  else if (!row && place.element.isConnected) top = place.element.getBoundingClientRect().top;
  if (top !== null && Math.abs(top - place.top) >= 1) window.scrollBy({ top: top - place.top, behavior: "instant" });
  drawSoon();
}
