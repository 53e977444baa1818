// The grid of a playbook, hosts × tasks: its columns and rows, and how each cell ended. Does not change the page.

// The worst first. The last three have no span.
const KINDS = ["failed", "unreachable", "cancelled", "silent", "rescued", "ignored", "changed", "running", "ok", "skipped",
  "untold", "unreached", "unrun"];
const CODES = Object.fromEntries(KINDS.map((kind, code) => [kind, code]));
const NO_SPAN = 255;
const RANKS = { failed: 0, unreachable: 0, cancelled: 1, rescued: 2, ignored: 2, changed: 2, running: 3, ok: 3 };
const LAST_RANK = 4;
// By codes, NO_SPAN too: there may be 100,000 cells.
const CODE_RANKS = Uint8Array.from({ length: NO_SPAN + 1 }, (_, code) => RANKS[KINDS[code]] ?? LAST_RANK);
// Where the shades of times may begin, in milliseconds.
const SHADE_STEPS = [1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 6e4, 18e4, 6e5, 18e5, 36e5, 108e5, 36e6, 864e5, 2592e5];
const SHADES = 5;

function codeOf(row) {
  if (row.remark) return CODES[row.remark];
  if (FAILED.has(row.state)) return CODES.failed;
  if (row.state === "cancellation") return CODES.cancelled;
  if (row.silent !== null) return CODES.silent;
  if (row.state === "running") return CODES.running;
  return row.state === "skip" ? CODES.skipped : CODES.ok;
}

function took(row) {
  return endOf(row) - row.begin;
}

// `hosts` and `columns` (tasks) are in the order in which they are shown. A column has, by the ids of hosts, the places of their
// rows (`cells`) and the codes of their kinds (`codes`); its `section` is the play, with all of its batches.
class Matrix {
  constructor(rows, playbook, tasks) {
    this.rows = rows;
    this.playbook = playbook;
    this.hosts = [];
    this.columns = [];
    this._hostIds = new Map();
    const batches = this._batches(tasks);
    this._recap();
    batches.forEach((batch, at) => this._addBatch(batch, batches[at - 1]));
    this.columns.forEach((column, at) => (column.at = at));
    this._judgeHosts();
    this.shades = this._shades();
  }

  // The kind of each cell of a host, as codes.
  kindsOf(host) {
    host.kinds ||= this._kinds(host);
    return host.kinds;
  }

  rowAt(host, column) {
    const index = column.cells[host.id];
    return index < 0 ? null : this.rows[index];
  }

  // 1 to SHADES: how long a span took, compared with the longest one of the grid.
  shadeOf(row) {
    const time = took(row);
    let shade = 1;
    while (shade <= this.shades.length && time >= this.shades[shade - 1]) shade++;
    return shade;
  }

  // The column where a host was lost, if that is why it did not reach another one.
  lostAt(host, column) {
    const again = column.section.batchOf.has(host.id);
    for (let at = column.at - 1; at >= 0; at--) {
      const before = this.columns[at];
      if (again && before.section !== column.section) break;
      if (isLoss(before.codes[host.id])) return before;
    }
    return null;
  }

  // Where a cell leads: to its span; from an empty one to where the host was lost, else to the task.
  targetOf(host, column) {
    const own = this.rowAt(host, column);
    if (own) return own;
    const lost = KINDS[this.kindsOf(host)[column.at]] === "unreached" && this.lostAt(host, column);
    return lost ? this.rowAt(host, lost) : column.tasks[0];
  }

  // The place of a host's or task's row: [host, column], null for what it does not tell. Null if it is not in the grid.
  placeOf(row) {
    const task = row.type === "host" ? row.parent : row;
    const column = this.columns.find((one) => one.tasks.includes(task));
    if (!column) return null;
    return [row.type === "host" ? this.hosts.find((host) => host.name === row.name) : null, column];
  }

  // The worst cell of a host: the first of its kind.
  worstOf(host) {
    const kinds = this.kindsOf(host);
    const worst = Math.min(...kinds);
    return this.columns[kinds.indexOf(worst)];
  }

  _batches(tasks) {
    const batches = [];
    for (const task of tasks) {
      const play = playOf(task);
      if (!batches.length || batches.at(-1).play !== play) batches.push(new Batch(play));
      const batch = batches.at(-1);
      // The ids of hosts and the places of their rows, in turns.
      const results = [];
      for (let index = task.index + 1; index < task.end; index = this.rows[index].end) {
        if (this.rows[index].type === "host") results.push(this._idOf(this.rows[index].name), index);
      }
      for (let at = 0; at < results.length; at += 2) batch.hosts.add(results[at]);
      batch.tasks.push([task, results]);
    }
    return batches;
  }

  _idOf(name) {
    const known = this._hostIds.get(name);
    if (known !== undefined) return known;
    const id = this.hosts.length;
    this._hostIds.set(name, id);
    this.hosts.push({ id, name, place: 0, at: 0, rank: LAST_RANK, kinds: null, recap: null });
    return id;
  }

  // Hosts without spans are in the recap alone.
  _recap() {
    for (const [name, , flat] of this.playbook.events) {
      if (TEXTS[name] !== "recap" || !flat) continue;
      const told = {};
      for (let at = 0; at < flat.length; at += 2) told[TEXTS[flat[at]]] = TEXTS[flat[at + 1]];
      if (told[NAMES.host]) this.hosts[this._idOf(told[NAMES.host])].recap = told;
    }
  }

  _addBatch(batch, before) {
    batch.section = batch.follows(before) ? before.section : { batchOf: new Map(), columns: new Map(), order: [] };
    const { batchOf, columns, order } = batch.section;
    for (const host of batch.hosts) batchOf.set(host, batch);
    const first = this.columns.length - order.length;
    const { inStep } = batch;
    const used = new Set();
    let next = 0;
    for (const [task, results] of batch.tasks) {
      const names = namesAround(task);
      const key = JSON.stringify([...names, task.name]);
      if (!columns.has(key)) columns.set(key, []);
      const same = columns.get(key);
      const isFree = (column) => results.every((host, at) => at % 2 || column.cells[host] < 0);
      let column = same.find((one) => !(inStep && used.has(one)) && isFree(one));
      if (!column) {
        column = this._newColumn(batch, task, names);
        order.splice(next, 0, column);
        same.push(column);
      }
      next = order.indexOf(column) + 1;
      used.add(column);
      column.tasks.push(task);
      column.untold ||= hasAttributes(task, NAMES.counts);
      for (let at = 0; at < results.length; at += 2) fill(column, results[at], this.rows[results[at + 1]]);
    }
    this.columns.splice(first, this.columns.length, ...order);
  }

  _newColumn(batch, task, names) {
    const cells = new Int32Array(this.hosts.length).fill(-1);
    const codes = new Uint8Array(this.hosts.length).fill(NO_SPAN);
    const play = batch.play ? batch.play.name : "";
    return { at: 0, name: task.name, play, names, section: batch.section, tasks: [], cells, codes, untold: false };
  }

  // Gives each host its place: the failed ones first, in the order of their failures.
  _judgeHosts() {
    for (const { codes, at } of this.columns) {
      for (const host of this.hosts) {
        const rank = CODE_RANKS[codes[host.id]];
        if (rank >= host.rank) continue;
        host.rank = rank;
        host.at = at;
      }
    }
    for (const host of this.hosts) if (host.recap) host.rank = Math.min(host.rank, rankOfRecap(host.recap));
    const { compare } = new Intl.Collator("en", { numeric: true });
    const early = (host) => (host.rank ? 0 : host.at);
    this.hosts.sort((one, other) => one.rank - other.rank || early(one) - early(other) || compare(one.name, other.name));
    this.hosts.forEach((host, place) => (host.place = place));
  }

  // A host that was lost stays so, unless a later play has it again.
  _kinds(host) {
    const kinds = new Uint8Array(this.columns.length);
    let lost = false;
    let section = null;
    let batch = null;
    let last = -1;
    for (const column of this.columns) {
      if (column.section !== section) {
        section = column.section;
        batch = section.batchOf.get(host.id);
        lost &&= !batch;
        last = section.order.findLast((one) => one.codes[host.id] !== NO_SPAN)?.at ?? -1;
      }
      const code = column.codes[host.id];
      lost ||= isLoss(code);
      if (code !== NO_SPAN) kinds[column.at] = code;
      else if (lost || (batch && column.at > last && batch.broke(column))) kinds[column.at] = CODES.unreached;
      else kinds[column.at] = column.untold ? CODES.untold : CODES.unrun;
    }
    return kinds;
  }

  // Of what has a shade, the longest one decides.
  _shades() {
    let longest = 0;
    for (const { cells, codes } of this.columns) {
      cells.forEach((index, host) => {
        if (codes[host] === CODES.ok || codes[host] === CODES.changed) longest = Math.max(longest, took(this.rows[index]));
      });
    }
    return SHADE_STEPS.map((millis) => millis * 1000).filter((step) => step < longest).slice(1 - SHADES);
  }
}

// A host may have several results of a task: the worst one counts.
function fill(column, host, row) {
  const code = codeOf(row);
  if (code >= column.codes[host]) return;
  column.codes[host] = code;
  column.cells[host] = row.index;
}

function isLoss(code) {
  return code <= CODES.cancelled;
}

function rankOfRecap(told) {
  const has = (word) => told[word] && told[word] !== "0";
  if (has("failures") || has("unreachable")) return RANKS.failed;
  return has("changed") ? RANKS.changed : has("ok") ? RANKS.ok : LAST_RANK;
}
