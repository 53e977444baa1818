// Decodes the data of the page, and decides which rows are shown. Does not change the page.

const DATA = JSON.parse(document.getElementById("trace-data").textContent);
const TEXTS = DATA.texts;
const FAILED = new Set(["error", "failure", "timeout"]);
const STAGES = new Set(["stage", "branch"]);
const WORDS = Object.fromEntries(DATA.states.map((state, index) => [state, DATA.words[index]]));
// If there are more rows than this, some are folded at first.
const MANY_ROWS = 300;

const ROWS = [];
readRows();

// Makes the rows of DATA, in place. `known`: rows that were made before, by their keys: they stay the same objects.
function readRows(known = null) {
  ROWS.length = 0;
  DATA.rows.forEach((values, index) => {
    const made = decodeRow(values, index);
    const old = known?.get(rowKey(made));
    ROWS.push(old ? Object.assign(old, made) : made);
  });
  placeRows(ROWS);
  for (let at = 0; at < DATA.critical.length; at += 2) ROWS[DATA.critical[at]].critical = DATA.critical[at + 1];
  for (let at = 0; at < DATA.usual.length; at += 4) {
    const [index, median, p95, count] = DATA.usual.slice(at, at + 4);
    ROWS[index].usual = { median, p95, count };
  }
  for (let at = 0; at < DATA.attempts.length; at += 2) ROWS[DATA.attempts[at]].attempts = DATA.attempts[at + 1];
  for (const index of DATA.flaky) ROWS[index].flaky = true;
  for (const index of DATA.untimed) ROWS[index].untimed = true;
  for (let at = 0; at < DATA.silent.length; at += 2) ROWS[DATA.silent[at]].silent = DATA.silent[at + 1];
}

function rowKey(row) {
  return row.trace + row.span;
}

// The values of a row have the order of rowdata.py. Values at the end may be missing.
function decodeRow(values, index) {
  const [depth, name, type, state, begin, length, span, trace, kind, code, resource, skewed, parent, remark, message] =
    values;
  return {
    index,
    depth,
    name: TEXTS[name],
    type: DATA.types[type],
    state: DATA.states[state],
    begin,
    length,
    open: length === null,
    span: TEXTS[span],
    trace: TEXTS[trace],
    kind: TEXTS[kind],
    code: TEXTS[code],
    resource: DATA.resources[resource || 0] || [],
    skewed: skewed === 1,
    missingParent: TEXTS[parent || 0],
    remark: TEXTS[remark || 0],
    message: TEXTS[message || 0],
    attributes: values[15] || [],
    events: values[16] || [],
    links: values[17] || [],
    side: DATA.sides[index],
    // Own time on the critical path in microseconds; 0 if only a descendant is on it; null if off the path.
    critical: null,
    usual: null,
    attempts: 0,
    flaky: false,
    // No plugin of Jenkins told when it ran.
    untimed: false,
    // When an open span was heard of last, if it should have been since. Nobody knows what became of it.
    silent: null,
  };
}

// Adds to each row its parent, the row after its last descendant, its position, and facts about its descendants.
function placeRows(rows) {
  const path = [];
  const roots = { count: 0 };
  for (const row of rows) {
    path.length = row.depth;
    row.parent = row.depth ? path[row.depth - 1] : null;
    row.count = 0;
    row.end = row.index + 1;
    row.failedBelow = 0;
    row.stageBelow = false;
    row.position = ++(row.parent || roots).count;
    row.siblings = row.parent || roots;
    path.push(row);
  }
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index];
    const parent = row.parent;
    if (!parent) continue;
    parent.end = Math.max(parent.end, row.end);
    // Count a failure where it began: a parent that failed because of it is not another one.
    parent.failedBelow += row.failedBelow || (FAILED.has(row.state) ? 1 : 0);
    parent.stageBelow ||= STAGES.has(row.type);
  }
}

function endOf(row) {
  return row.open ? Math.max(row.silent ?? DATA.extent, row.begin) : row.begin + row.length;
}

// The time that the width of the axis stands for.
function axisLength() {
  return DATA.axis || DATA.extent;
}

// How long a row took, in words.
function lengthOf(row) {
  return row.untimed ? "\u2013" : duration(row.length);
}

// The rows that are shown: depends on the folds and on the search.
class View {
  constructor(rows) {
    this.rows = rows;
    // What folds rows that nobody folded.
    this.rule = initialFolds;
    this.chosenFolds = this.rule(rows);
    this.folds = this.chosenFolds;
    this.kept = null;
    this.matched = null;
    this.matchCount = 0;
  }

  visibleRows() {
    const shown = [];
    for (let index = 0; index < this.rows.length; ) {
      const row = this.rows[index];
      if (this.kept && !this.kept[index]) {
        index = row.end;
        continue;
      }
      shown.push(row);
      index = this.folds[index] ? row.end : index + 1;
    }
    return shown;
  }

  isOpen(row) {
    return !this.folds[row.index];
  }

  setOpen(row, open) {
    this.folds[row.index] = open ? 0 : 1;
  }

  openAncestors(row) {
    for (let above = row.parent; above; above = above.parent) this.folds[above.index] = 0;
  }

  expandAll() {
    this.foldBy((rows) => new Uint8Array(rows.length));
  }

  // Opens the rows down to the stages; without stages, only the roots.
  collapseToStages() {
    this.foldBy(foldsBelowStages);
  }

  // The folds of all rows, before the rows change: for `renew`.
  remember() {
    return new Map(this.rows.map((row) => [row, [this.chosenFolds[row.index], this.folds[row.index], row.count]]));
  }

  // Takes rows that have changed. Known ones stay folded or open; new ones, and those that were empty, are as the last rule says.
  renew(kept, filter) {
    this.chosenFolds = this.rule(this.rows);
    const stays = (row) => kept.has(row) && (kept.get(row)[2] || !row.count);
    for (const row of this.rows) if (stays(row)) this.chosenFolds[row.index] = kept.get(row)[0];
    this.folds = this.chosenFolds;
    filter();
    if (this.folds === this.chosenFolds) return;
    for (const row of this.rows) if (kept.has(row)) this.folds[row.index] = kept.get(row)[1];
  }

  foldBy(rule) {
    this.rule = rule;
    this.folds.set(rule(this.rows));
  }

  // Shows the rows that match, and their ancestors. A search has separate folds; after it, the earlier folds return.
  filter(query, failedOnly, criticalOnly) {
    if (!query && !failedOnly && !criticalOnly) {
      this.kept = this.matched = null;
      this.folds = this.chosenFolds;
      return;
    }
    const matches = matcher(query.toLowerCase());
    this.kept = new Uint8Array(this.rows.length);
    this.matched = new Uint8Array(this.rows.length);
    this.folds = new Uint8Array(this.rows.length);
    this.matchCount = 0;
    for (let index = this.rows.length - 1; index >= 0; index--) {
      const row = this.rows[index];
      const wanted = (!failedOnly || FAILED.has(row.state)) && (!criticalOnly || row.critical !== null);
      if (wanted && matches(row)) {
        this.matched[index] = this.kept[index] = 1;
        this.matchCount++;
      }
      if (this.kept[index] && row.parent) this.kept[row.parent.index] = 1;
    }
  }
}

// The path to a failure is open. If there are many other rows, first hosts are folded, then steps and playbooks.
function initialFolds(rows) {
  const folds = new Uint8Array(rows.length);
  for (const types of [["task"], ["step", "playbook", "exec"]]) {
    if (countShown(rows, folds) <= MANY_ROWS) break;
    for (const row of rows) {
      if (types.includes(row.type) && row.count && !row.failedBelow) folds[row.index] = 1;
    }
  }
  return folds;
}

function foldsBelowStages(rows) {
  const folds = new Uint8Array(rows.length);
  for (const row of rows) {
    const reached = !row.parent || !folds[row.parent.index];
    folds[row.index] = reached && (row.stageBelow || !row.parent) ? 0 : 1;
  }
  return folds;
}

function countShown(rows, folds) {
  let count = 0;
  for (let index = 0; index < rows.length; count++) index = folds[index] ? rows[index].end : index + 1;
  return count;
}

function matcher(query) {
  const hits = new Uint8Array(TEXTS.length);
  TEXTS.forEach((text, index) => {
    if (text.toLowerCase().includes(query)) hits[index] = 1;
  });
  const inAttributes = (flat) =>
    flat.some((value, at) => at % 2 && (Array.isArray(value) ? value.some((item) => hits[item]) : hits[value]));
  return (row) => {
    const values = DATA.rows[row.index];
    return (
      hits[values[1]] || hits[values[6]] || hits[values[7]] || hits[values[14] || 0] ||
      row.type.includes(query) || WORDS[row.state].includes(query) || row.remark.includes(query) ||
      inAttributes(row.attributes)
    );
  };
}

// Microseconds -> 171 ms, 4.6 s, 2 min 03 s, 1 h 02 min, 3 d 04 h. lookup/wording.py does the same.
function duration(signed) {
  const micros = Math.abs(signed);
  const sign = signed < 0 ? "\u2212" : "";
  const two = (number) => String(number).padStart(2, "0");
  const rounded = (unit) => Math.floor((micros + unit / 2) / unit);
  const pair = (value, size, big, small) => `${sign}${Math.floor(value / size)} ${big} ${two(value % size)} ${small}`;
  if (micros > 0 && micros < 1000) return `${sign}<1 ms`;
  if (rounded(1e3) < 1000) return `${sign}${rounded(1e3)} ms`;
  const tenths = rounded(1e5);
  if (tenths < 600) return `${sign}${Math.floor(tenths / 10)}.${tenths % 10} s`;
  if (rounded(1e6) < 3600) return pair(rounded(1e6), 60, "min", "s");
  if (rounded(6e7) < 1440) return pair(rounded(6e7), 60, "h", "min");
  return pair(rounded(3.6e9), 24, "d", "h");
}

function offset(micros) {
  return micros < 0 ? duration(micros) : `+${duration(micros)}`;
}

// Returns the marks of the time axis in microseconds: round steps, as many as fit.
function ticks(extent, most) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5,
    72e5, 108e5, 216e5, 432e5, 864e5].map((millis) => millis * 1000);
  let step = steps.find((size) => extent / size <= most);
  if (!step) step = 864e8 * Math.ceil(extent / most / 864e8);
  const marks = [];
  for (let at = 0; at <= extent; at += step) marks.push(at);
  return marks;
}

// Returns a duration without a zero part: 30 s, 2 min, 1 h.
function tickLabel(micros) {
  return micros ? duration(micros).replace(/\.0 | 00 (s|min|h)$/, (part) => (part === ".0 " ? " " : "")) : "0";
}
