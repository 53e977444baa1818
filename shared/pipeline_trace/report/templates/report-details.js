// Elements, and the pane with the details of a span. Data enters the page only as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const FAMILIES = {
  run: "run", stage: "stage", branch: "stage", step: "step", cleanup: "step", exec: "step", other: "step",
  queue: "wait", agent: "wait", input: "wait",
  command: "playbook", playbook: "playbook", play: "play", role: "play", block: "play", task: "task", host: "host",
};

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

function icon(name) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", `icon i-${name}`);
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

function stateChip(row) {
  if (row.state === "success" || row.state === "unset" || row.silent !== null) return null;
  // Strong where a failure began, weak where it only passed through.
  return element("span", `chip s-${row.state}${row.failedBelow ? " quiet" : ""}`, WORDS[row.state]);
}

// Rows have room for the time of day.
function silentChip(row) {
  if (row.silent === null) return null;
  const time = timeElement(DATA.origin + row.silent, false);
  const chip = element("span", "chip s-incomplete", `not heard of since ${time.textContent.slice(11, 19)}`);
  chip.title = `Not heard of since ${time.textContent}`;
  return chip;
}

function insideChip(row) {
  if (!row.failedBelow || FAILED.has(row.state)) return null;
  return element("span", "chip quiet inside", `${row.failedBelow} failed inside`);
}

function remarkChip(row) {
  return row.remark ? element("span", `chip remark r-${row.remark}`, row.remark) : null;
}

function skewChip(row) {
  if (!row.skewed) return null;
  const chip = element("span", "chip skewed", "clock skew");
  chip.title = "Begins or ends outside its parent: the clocks of two machines differ";
  return chip;
}

function typeBadge(row) {
  const family = FAMILIES[row.type];
  return element("span", `badge f-${family}`, icon(family), element("span", "word", row.type));
}

// A link only if the whole text is an http or https URL; all other texts stay text.
function textOrLink(text) {
  let url = null;
  try {
    url = /^https?:\/\/[^\s\u2039]+$/i.test(text) ? new URL(text) : null;
  } catch {
    return text;
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) return text;
  const anchor = element("a", "", text);
  anchor.href = url.href;
  anchor.rel = "noopener noreferrer";
  anchor.target = "_blank";
  return anchor;
}

function attributeValue(value) {
  if (!Array.isArray(value)) return element("dd", TEXTS[value].includes("\n") ? "lines" : "", textOrLink(TEXTS[value]));
  return element("dd", "", ...value.map((item) => element("div", "", textOrLink(TEXTS[item]))));
}

function attributeList(flat) {
  const list = element("dl", "attributes");
  for (let at = 0; at < flat.length; at += 2) list.append(element("dt", "", TEXTS[flat[at]]), attributeValue(flat[at + 1]));
  return list;
}

function section(title, ...content) {
  return element("section", "", element("h3", "", title), ...content);
}

function facts(pairs) {
  const list = element("dl", "facts-list");
  for (const [term, ...values] of pairs) list.append(element("dt", "", term), element("dd", "", ...values));
  return list;
}

function identifier(text) {
  return element("code", "id", text);
}

// Microseconds since the epoch.
function timeElement(micros, millis = true) {
  const date = new Date(micros / 1000);
  const made = element("time", "", localTime(date, millis));
  made.title = utcTime(date, millis);
  if (!Number.isNaN(date.getTime())) made.dateTime = date.toISOString();
  return made;
}

function openLength(row) {
  const time = duration(endOf(row) - row.begin);
  return row.silent === null ? `still running, ${time} so far` : `not heard of since; it ran for ${time} or longer`;
}

function timings(row) {
  if (row.untimed) return section("Times", facts([["Duration", "No plugin of Jenkins told when it ran."]]));
  const start = DATA.origin + row.begin;
  const pairs = [
    ["Duration", row.open ? openLength(row) : duration(row.length)],
    ["Begins", `${offset(row.begin)} after the first span`],
    ["Start", timeElement(start)],
  ];
  if (row.silent !== null) pairs.push(["Last heard of", timeElement(DATA.origin + row.silent)]);
  if (!row.open) pairs.push(["End", timeElement(start + row.length)]);
  if (row.critical !== null) {
    const own = row.critical ? `${duration(row.critical)} own time` : "only through its children";
    pairs.push(["Critical path", own]);
  }
  if (row.usual) {
    const { median, p95, count } = row.usual;
    pairs.push(["Usually", `median ${duration(median)}, p95 ${duration(p95)} of the last ${count} successful runs`]);
  }
  if (row.skewed) pairs.push(["Clock skew", "This span begins or ends outside its parent: the clocks of two machines differ."]);
  return section("Times", facts(pairs));
}

function identifiers(row) {
  const pairs = [["Trace", identifier(row.trace)], ["Span", identifier(row.span)]];
  const parent = row.parent ? row.parent.span : row.missingParent;
  if (parent) pairs.push(["Parent", identifier(parent), row.parent ? "" : " (not in this report)"]);
  if (row.parent && row.parent.trace !== row.trace) pairs.push(["Parent's trace", identifier(row.parent.trace)]);
  pairs.push(["Kind", row.kind.toLowerCase()], ["Status", row.code.toLowerCase()]);
  return section("Identifiers", facts(pairs));
}

function eventList(row) {
  const list = element("ol", "events");
  for (const [name, at, attributes] of row.events) {
    const time = timeElement(DATA.origin + at);
    // The offset tells more here: the time of day is in the title too.
    time.title = `${time.textContent} (${time.title})`;
    time.textContent = offset(at - row.begin);
    time.className = "when";
    const head = element("div", "event-head", time, element("strong", "", TEXTS[name]));
    list.append(element("li", "", head, attributes && attributes.length ? attributeList(attributes) : null));
  }
  return section(`Events (${row.events.length})`, list);
}

function linkList(row, jump) {
  const list = element("ul", "links");
  for (const [trace, span, attributes] of row.links) {
    const target = ROWS.find((other) => other.span === TEXTS[span] && other.trace === TEXTS[trace]);
    let head = element("div", "", identifier(TEXTS[trace]), " ", identifier(TEXTS[span]));
    if (target) {
      head = element("button", "plain", target.name);
      head.type = "button";
      head.addEventListener("click", () => jump(target));
    }
    list.append(element("li", "", head, attributes && attributes.length ? attributeList(attributes) : null));
  }
  return section(`Links (${row.links.length})`, list);
}

// The address of a span in this page.
function spanHash(row) {
  return `#span-${encodeURIComponent(row.span)}`;
}

function spanLink(row) {
  const link = element("a", "span-link", "Link to this span");
  // `serve` shows the newest trace at /trace/latest. A link stays with this trace.
  link.href = location.pathname.endsWith("/trace/latest") ? `${row.trace}${spanHash(row)}` : spanHash(row);
  return link;
}

function messageBox(row) {
  const box = element("pre", FAILED.has(row.state) ? "message failed" : "message", row.message);
  // It scrolls: the keyboard must reach it.
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Message");
  return box;
}

function fold(title, content) {
  return element("details", "", element("summary", "", title), content);
}

function fillDetails(pane, row, jump) {
  const chips = [typeBadge(row), stateChip(row), silentChip(row), insideChip(row), remarkChip(row), attemptChip(row), flakyChip(row),
    usualChip(row), skewChip(row)];
  const link = spanLink(row);
  const parts = [element("h2", "", row.name), element("p", "chips", ...chips)];
  parts.push(element("p", "links-of-span", link, copyButton("Copy the link", link.href), cellButton(row)));
  if (row.message) parts.push(messageBox(row));
  parts.push(timings(row));
  if (row.attributes.length) {
    parts.push(section(`Attributes (${row.attributes.length / 2})`, attributeList(row.attributes)));
  }
  if (row.events.length) parts.push(eventList(row));
  if (row.links.length) parts.push(linkList(row, jump));
  parts.push(identifiers(row));
  if (row.resource.length) parts.push(fold(`Resource (${row.resource.length / 2})`, attributeList(row.resource)));
  pane.replaceChildren(...parts);
}
