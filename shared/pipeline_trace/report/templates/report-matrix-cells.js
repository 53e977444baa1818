// The elements of the grid. A row has its cells in pieces of PIECE columns: what is out of sight is not in the page.

const PIECE = 8;
const KIND_WORDS = {
  failed: "failed", unreachable: "unreachable", cancelled: "cancelled", rescued: "rescued", ignored: "failed, ignored",
  changed: "changed", running: "still running", silent: "not heard of", ok: "ok", skipped: "skipped", untold: "has no span of its own",
  unreached: "not reached", unrun: "not run here",
};
// Shapes that every font has. What is ok has none: most cells are, and each text makes scrolling slower.
const MARKS = { failed: "\u00d7", unreachable: "!", cancelled: "\u00f8", rescued: "r", ignored: "i", changed: "\u00b1", running: "\u00bb", silent: "~",
  skipped: "\u2013", untold: "?" };
const SHADED = new Set(["ok", "changed"]);
const RANK_WORDS = ["failed", "cancelled", "changed", "ok", ""];

const LEGEND_MORE = { unreached: ": the host was lost, or the run ended before", unrun: " (empty)" };

// Most pages have nothing that is not heard of.
function markLegend(silent) {
  return KINDS.filter((kind) => silent || kind !== "silent").map((kind) => {
    const mark = element("span", `m-cell k-${kind}${SHADED.has(kind) ? " h-3" : ""}`, MARKS[kind] || "");
    return element("li", "", mark, KIND_WORDS[kind] + (LEGEND_MORE[kind] || ""));
  });
}

function shadeLegend(matrix) {
  const steps = [0, ...matrix.shades];
  return steps.map((from, at) => {
    const words = at ? `from ${tickLabel(from)}` : steps.length > 1 ? `under ${tickLabel(steps[1])}` : "any time";
    const marks = ["ok", "changed"].map((kind) => element("span", `m-cell k-${kind} h-${at + 1}`, MARKS[kind] || ""));
    return element("li", "", ...marks, words);
  });
}

function gridElement(role, className, column, ...children) {
  const made = element("div", className, ...children);
  made.setAttribute("role", role);
  made.setAttribute("aria-colindex", column + 2);
  made.dataset.column = column;
  made.tabIndex = -1;
  return made;
}

// What a cell says: how it ended, how long it took, and why if it failed.
function cellWords(matrix, host, column) {
  const kind = KINDS[matrix.kindsOf(host)[column.at]];
  const row = matrix.rowAt(host, column);
  if (!row) return KIND_WORDS[kind] + whyEmpty(matrix, host, column, kind);
  const words = kind === "skipped" ? KIND_WORDS.skipped : `${KIND_WORDS[kind]}, ${duration(took(row))}`;
  return row.message ? `${words}: ${row.message.split("\n", 1)[0]}` : words;
}

function whyEmpty(matrix, host, column, kind) {
  if (kind !== "unreached") return "";
  const lost = matrix.lostAt(host, column);
  if (lost) return `: ${KIND_WORDS[KINDS[lost.codes[host.id]]]} at ${lost.name}`;
  return matrix.playbook.open ? " yet" : "";
}

// `timed`: whether the cell has room for the time that it took.
function makeCell(matrix, host, column, timed) {
  const kind = KINDS[matrix.kindsOf(host)[column.at]];
  const row = matrix.rowAt(host, column);
  const shade = SHADED.has(kind) ? ` h-${matrix.shadeOf(row)}` : "";
  const made = gridElement("gridcell", `m-cell k-${kind}${shade}`, column.at);
  const time = timed && row && kind !== "skipped" ? duration(took(row)) : "";
  const text = [MARKS[kind], time].filter(Boolean).join(" ");
  if (text) made.textContent = text;
  made.setAttribute("aria-label", cellWords(matrix, host, column));
  return made;
}

// Where a task is: its blocks and roles, and its play.
function taskPlace(column) {
  return [...column.names, column.play && `play ${column.play}`].filter(Boolean).join(", ");
}

function makeTask(column) {
  const failed = column.codes.some(isLoss) ? " failed" : "";
  const made = gridElement("columnheader", `m-task${failed}`, column.at, element("span", "", column.name));
  const place = taskPlace(column);
  made.title = place ? `${column.name} (${place})` : column.name;
  made.setAttribute("aria-label", made.title);
  return made;
}

// A piece of a row; without a host, of the row of tasks. `width`: of a column, in pixels.
function makePiece(matrix, host, piece, width) {
  const columns = matrix.columns.slice(piece * PIECE, (piece + 1) * PIECE);
  const cells = columns.map((column) => (host ? makeCell(matrix, host, column, width >= TIMED) : makeTask(column)));
  const made = element("div", "m-piece", ...cells);
  made.setAttribute("role", "none");
  made.style.left = `${piece * PIECE * width}px`;
  made.style.width = `${columns.length * width}px`;
  return made;
}

// How a host ended as a whole.
function hostKind(matrix, host) {
  const worst = matrix.columns.length ? KINDS[matrix.kindsOf(host)[matrix.worstOf(host).at]] : "";
  return RANKS[worst] === host.rank ? worst : RANK_WORDS[host.rank];
}

function hostSummary(matrix, host) {
  return kindCounts(matrix.kindsOf(host));
}

function taskSummary(column) {
  return kindCounts(column.codes.filter((code) => code !== NO_SPAN)) || "ran on no host";
}

// Codes -> "1 failed, 12 ok".
function kindCounts(codes) {
  const counts = KINDS.map((kind) => [0, KIND_WORDS[kind]]);
  for (const code of codes) counts[code][0]++;
  return counts.filter(([number]) => number).map(([number, words]) => `${number} ${words}`).join(", ");
}

// A host's row with its header. Its cells stand elsewhere, in a line of their own.
function makeHost(matrix, host) {
  const kind = hostKind(matrix, host);
  const mark = element("span", `m-cell k-${kind || "unrun"}`, MARKS[kind] || "");
  const name = gridElement("rowheader", "m-host", -1, mark, element("span", "m-name", host.name));
  name.title = kind ? `${host.name}: ${KIND_WORDS[kind]}` : host.name;
  name.setAttribute("aria-label", name.title);
  const made = placed(element("div", "m-row", name), host);
  made.setAttribute("role", "row");
  made.setAttribute("aria-rowindex", host.place + 2);
  made.setAttribute("aria-owns", `m-line-${host.place}`);
  return made;
}

function makeLine(host) {
  const made = placed(element("div", "m-line"), host);
  made.id = `m-line-${host.place}`;
  return made;
}

function placed(made, host) {
  made.dataset.host = host.place;
  made.style.top = `${host.place * CELL}px`;
  return made;
}

// The plays and roles over the tasks: the headers say them too.
function makeBands(matrix, width) {
  const bands = (nameOf) => {
    const line = element("div", "m-band");
    for (let from = 0; from < matrix.columns.length; ) {
      const name = nameOf(matrix.columns[from]);
      let to = from + 1;
      while (to < matrix.columns.length && sameBand(matrix.columns[from], matrix.columns[to], nameOf)) to++;
      const made = element("div", name ? "" : "none", element("span", "", name));
      made.title = name;
      made.dataset.from = from;
      made.dataset.to = to;
      made.style.left = `${from * width}px`;
      made.style.width = `${(to - from) * width}px`;
      line.append(made);
      from = to;
    }
    return line;
  };
  return [bands((column) => column.play), bands((column) => column.names[0] || "")];
}

function sameBand(one, other, nameOf) {
  return one.section === other.section && nameOf(one) === nameOf(other);
}

// What paper has instead: the hosts that failed.
function failedHosts(matrix, most) {
  const failed = matrix.hosts.filter((host) => host.rank === RANKS.failed);
  const head = `${failed.length} of ${counted(matrix.hosts.length, "host")} failed`;
  const title = element("p", "", element("strong", "", matrix.playbook.name), `: ${head}. The grid of hosts and tasks is on the screen only.`);
  if (!failed.length) return [title];
  const table = element("table", "");
  const cells = (tag, texts) => element("tr", "", ...texts.map((text) => element(tag, "", text)));
  table.append(element("thead", "", cells("th", ["Host", "At", "Result"])));
  const line = (host) => {
    const column = matrix.columns.length ? matrix.worstOf(host) : null;
    return cells("td", column ? [host.name, `${column.name} (${taskPlace(column)})`, cellWords(matrix, host, column)] : [host.name, "", "failed"]);
  };
  table.append(element("tbody", "", ...failed.slice(0, most).map(line)));
  const more = failed.length > most ? element("p", "", `and ${failed.length - most} more`) : null;
  return [title, table, more].filter(Boolean);
}

function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
