// One row of the waterfall: its cells, chips and bar.

function percent(micros) {
  return axisLength() ? Math.min(100, Math.max(0, (100 * micros) / axisLength())) : 0;
}

function markedName(row) {
  const query = search.value.trim().toLowerCase();
  const lower = row.name.toLowerCase();
  const at = query && lower.length === row.name.length ? lower.indexOf(query) : -1;
  if (at < 0) return [row.name];
  const end = at + query.length;
  return [row.name.slice(0, at), element("mark", "", row.name.slice(at, end)), row.name.slice(end)];
}

function nameCell(row) {
  const toggle = element("span", row.count ? "toggle" : "toggle none", row.count ? icon("chevron") : "");
  const name = element("span", "name", ...markedName(row));
  name.title = row.name;
  const depth = row.depth > MOST_INDENTS ? element("span", "deep", `${row.depth}`) : null;
  const chips = [stateChip(row), silentChip(row), insideChip(row), remarkChip(row), attemptChip(row), flakyChip(row), usualChip(row),
    skewChip(row)].filter(Boolean);
  for (const chip of chips) chip.title ||= chip.textContent;
  const cell = element("div", "cell c-name", depth, toggle, icon(row.state), name, ...chips);
  cell.style.setProperty("--depth", Math.min(row.depth, MOST_INDENTS));
  return cell;
}

function barCell(row) {
  if (row.untimed) return element("div", "cell c-bar", element("span", "sr", "when it ran is not known"));
  const family = FAMILIES[row.type];
  const failed = FAILED.has(row.state) && !row.failedBelow ? " failed" : "";
  const critical = row.critical === null ? "" : " critical";
  const bar = element("div", `bar f-${family} s-${row.state}${failed}${critical}${row.open ? " open" : ""}`);
  const from = percent(row.begin);
  bar.style.left = `min(${from}%, calc(100% - 3px))`;
  bar.style.width = `${Math.max(0, percent(endOf(row)) - from)}%`;
  bar.title = `${row.name}: ${offset(row.begin)}, ${row.silent !== null ? "not heard of since then" : row.open ? "still running" : duration(row.length)}`;
  const said = `begins at ${offset(row.begin)}${critical && ", on the critical path"}`;
  return element("div", "cell c-bar", element("span", "sr", said), bar);
}

function makeRow(row) {
  const soFar = row.open ? duration(endOf(row) - row.begin) : "";
  const length = row.silent !== null ? `\u2265 ${soFar}` : row.open ? `${soFar} \u2026` : lengthOf(row);
  const made = element("div", `row s-${row.state} t-${row.type}`, nameCell(row),
    element("div", "cell c-type", typeBadge(row)), element("div", "cell c-duration", length), barCell(row));
  made.id = `row-${row.index}`;
  made.setAttribute("role", "row");
  made.setAttribute("aria-level", row.depth + 1);
  made.setAttribute("aria-posinset", row.position);
  made.setAttribute("aria-setsize", row.siblings.count);
  for (const cell of made.children) cell.setAttribute("role", "gridcell");
  made.dataset.row = row.index;
  return made;
}

function attemptChip(row) {
  return row.attempts > 1 ? element("span", "chip", `attempt ${row.attempts}`) : null;
}

function flakyChip(row) {
  if (!row.flaky) return null;
  const chip = element("span", "chip flaky", "flaky");
  chip.title = "It failed and passed on the same commit";
  return chip;
}

function usualChip(row) {
  if (!row.usual) return null;
  const { median, p95, count } = row.usual;
  const slow = endOf(row) - row.begin > p95;
  const chip = element("span", slow ? "chip usual slow" : "chip usual", `${slow ? "slow: " : ""}usually ${duration(median)}`);
  chip.title = `Last ${count} successful runs: median ${duration(median)}, p95 ${duration(p95)}`;
  return chip;
}
