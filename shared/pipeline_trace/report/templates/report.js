// The waterfall: a treegrid that contains only the visible rows, its keys, the search and the details pane.

const OVERSCAN = 12;
const MOST_INDENTS = 16;
const PAGE_ROWS = 15;

const grid = byId("grid");
const body = byId("rows");
const search = byId("search");
const onlyFailed = byId("only-failed");
const onlyCritical = byId("only-critical");
const pane = byId("details");
const view = new View(ROWS);
const drawn = new Map();
let shown = [];
let places = new Map();
let active = ROWS[0] || null;
let selected = null;
let printing = false;
let frame = 0;

// Updates what can change after a row is drawn.
function updateRow(made, row, rowHeight) {
  const place = places.get(row);
  made.style.top = `${place * rowHeight}px`;
  made.setAttribute("aria-rowindex", place + 2);
  made.setAttribute("aria-selected", row === selected);
  made.tabIndex = row === active ? 0 : -1;
  made.classList.toggle("dimmed", isDimmed(row));
  made.classList.toggle("context", Boolean(view.matched) && !view.matched[row.index]);
  if (row.count) made.setAttribute("aria-expanded", view.isOpen(row));
}

function rowHeight() {
  return parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
}

function wantedRows(height) {
  if (printing) return shown;
  const top = body.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor(-top / height) - OVERSCAN);
  const last = Math.ceil((window.innerHeight - top) / height) + OVERSCAN;
  const wanted = shown.slice(first, Math.max(first, last));
  // The row with the focus stays in the page wherever the user scrolls. Otherwise the focus would be lost.
  if (active && places.has(active)) {
    const place = places.get(active);
    if (place < first) wanted.unshift(active);
    else if (place >= first + wanted.length) wanted.push(active);
  }
  return wanted;
}

// Draws the visible rows. While the page only scrolls, rows that are already drawn stay unchanged.
function draw(scrolled = false) {
  frame = 0;
  const height = rowHeight();
  const wanted = wantedRows(height);
  const keep = new Set(wanted);
  for (const [row, made] of drawn) {
    if (!keep.has(row)) {
      made.remove();
      drawn.delete(row);
    }
  }
  let next = body.firstElementChild;
  for (const row of wanted) {
    let made = drawn.get(row);
    const isNew = !made;
    if (isNew) drawn.set(row, (made = makeRow(row)));
    if (isNew || !scrolled) updateRow(made, row, height);
    if (made === next) next = next.nextElementSibling;
    else body.insertBefore(made, next);
  }
}

function drawSoon() {
  if (!frame) frame = requestAnimationFrame(() => draw(true));
}

function placeRowsShown() {
  shown = view.visibleRows();
  places = new Map(shown.map((row, place) => [row, place]));
}

// Updates the rows after folding or searching.
function refresh(redrawAll) {
  const hadFocus = body.contains(document.activeElement);
  placeRowsShown();
  while (active && !places.has(active)) active = active.parent;
  active ||= shown[0] || null;
  if (redrawAll) {
    drawn.clear();
    body.replaceChildren();
  }
  body.style.height = `${shown.length * rowHeight()}px`;
  grid.setAttribute("aria-rowcount", shown.length + 1);
  byId("no-rows").hidden = shown.length > 0;
  draw();
  if (hadFocus && active) drawn.get(active).focus({ preventScroll: true });
}

// Scrolls as little as possible. `centre`: to the middle of the free space between the axis and the bottom pane.
function reveal(row, centre) {
  const height = rowHeight();
  const top = body.getBoundingClientRect().top + places.get(row) * height;
  const upper = byId("grid-head").getBoundingClientRect().height + byId("toolbar").getBoundingClientRect().height;
  const sheet = getComputedStyle(pane.parentElement).position === "fixed" && !pane.parentElement.hidden;
  const lower = sheet ? pane.parentElement.getBoundingClientRect().top : window.innerHeight;
  if (centre) window.scrollBy({ top: top - (upper + lower - height) / 2, behavior: "instant" });
  else if (top < upper) window.scrollBy({ top: top - upper, behavior: "instant" });
  else if (top + height > lower) window.scrollBy({ top: top + height - lower, behavior: "instant" });
}

function activate(row, centre = false) {
  if (!row) return;
  active = row;
  if (!pane.parentElement.hidden) select(row);
  reveal(row, centre);
  draw();
  drawn.get(row).focus({ preventScroll: true });
}

function select(row) {
  selected = row;
  fillDetails(pane, row, jump);
  pane.parentElement.scrollTop = 0;
}

function openDetails(row) {
  pane.parentElement.hidden = false;
  document.body.classList.add("with-details");
  select(row);
  activate(row);
}

function closeDetails() {
  const hadFocus = pane.parentElement.contains(document.activeElement);
  pane.parentElement.hidden = true;
  document.body.classList.remove("with-details");
  selected = null;
  draw();
  if (hadFocus) activate(active);
}

function setOpen(row, open) {
  view.setOpen(row, open);
  refresh();
}

// Goes to a row; opens folds and clears the search if they hide it.
function jump(row) {
  if (view.kept && !view.kept[row.index]) clearSearch();
  view.openAncestors(row);
  refresh();
  openDetails(row);
  activate(row, true);
}

// Goes to the span that the address names, such as #span-00f067aa0ba902b7.
function jumpToAddress() {
  const named = location.hash.startsWith("#span-");
  const row = named && ROWS.find((one) => spanHash(one) === location.hash);
  byId("no-span").hidden = !named || Boolean(row);
  if (row && (row !== selected || !places.has(row))) jump(row);
}

// The rows are a part of the page only while they are in sight: the focus goes to the current one.
function skipToolbar(event) {
  event.preventDefault();
  if (active) activate(active);
  else grid.focus();
}

function filterRows() {
  view.filter(search.value.trim(), isPressed(onlyFailed), isPressed(onlyCritical));
}

function applySearch() {
  filterRows();
  sayMatches();
  refresh(true);
}

function sayMatches() {
  const many = view.matchCount === 1 ? "1 row matches" : `${view.matchCount} rows match`;
  const said = view.matched ? many : "";
  if (byId("matches").textContent !== said) byId("matches").textContent = said;
}

function clearSearch() {
  search.value = "";
  for (const button of [onlyFailed, onlyCritical]) button.setAttribute("aria-pressed", "false");
  applySearch();
}

function isPressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}

function firstMatch() {
  return view.matched ? shown.find((row) => view.matched[row.index]) : shown[0];
}

const KEYS = {
  ArrowDown: (row) => activate(shown[places.get(row) + 1]),
  ArrowUp: (row) => activate(shown[places.get(row) - 1]),
  PageDown: (row) => activate(shown[Math.min(shown.length - 1, places.get(row) + PAGE_ROWS)]),
  PageUp: (row) => activate(shown[Math.max(0, places.get(row) - PAGE_ROWS)]),
  Home: () => activate(shown[0]),
  End: () => activate(shown[shown.length - 1]),
  ArrowRight: (row) => (row.count && !view.isOpen(row) ? setOpen(row, true) : row.count && activate(shown[places.get(row) + 1])),
  ArrowLeft: (row) => (row.count && view.isOpen(row) ? setOpen(row, false) : activate(row.parent)),
  Enter: openDetails,
  " ": openDetails,
};

function onGridKey(event) {
  const action = KEYS[event.key];
  if (!action || !active || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action(active);
}

function onGridClick(event) {
  const made = event.target.closest("[data-row]");
  if (!made) return;
  const row = ROWS[made.dataset.row];
  active = row;
  if (event.target.closest(".toggle") && row.count) {
    setOpen(row, !view.isOpen(row));
    drawn.get(row).focus({ preventScroll: true });
  } else {
    openDetails(row);
  }
}

function onPageKey(event) {
  if (event.key === "/" && event.target !== search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && event.target !== search && !pane.parentElement.hidden) {
    closeDetails();
  }
}

function onSearchKey(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    clearSearch();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    activate(firstMatch());
  }
}

function onResize() {
  drawAxis();
  body.style.height = `${shown.length * rowHeight()}px`;
  byId("waterfall").style.setProperty("--toolbar", `${byId("toolbar").getBoundingClientRect().height}px`);
  draw();
}

function startGrid() {
  body.addEventListener("click", onGridClick);
  body.addEventListener("keydown", onGridKey);
  document.addEventListener("keydown", onPageKey);
  search.addEventListener("input", applySearch);
  search.addEventListener("keydown", onSearchKey);
  for (const button of [onlyFailed, onlyCritical]) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", !isPressed(button));
      applySearch();
    });
  }
  byId("expand").addEventListener("click", () => (view.expandAll(), refresh()));
  byId("collapse").addEventListener("click", () => (view.collapseToStages(), refresh()));
  byId("close").addEventListener("click", closeDetails);
  document.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-jump], [data-go]");
    if (entry) jump(ROWS[entry.dataset.jump ?? entry.dataset.go]);
  });
  byId("skip-toolbar").addEventListener("click", skipToolbar);
  window.addEventListener("hashchange", jumpToAddress);
  window.addEventListener("scroll", drawSoon, { passive: true });
  new ResizeObserver(onResize).observe(byId("waterfall"));
  window.addEventListener("resize", onResize);
  refresh();
  onResize();
  jumpToAddress();
}
