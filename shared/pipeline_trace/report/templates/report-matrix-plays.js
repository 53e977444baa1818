// The playbooks of a page, the tasks in them, and the batches in which plays ran them. Does not change the page.

const PARTS = new Set(["play", "role", "block", "task"]);
const AROUND = new Set(["playbook", "command"]);
// With other strategies, an include is read anew for each host.
const IN_STEP = new Set(["linear", "debug", "ansible.builtin.linear", "ansible.builtin.debug"]);
// Attributes that a grid asks for: their names, by the words of pagedata.py.
const NAMES = DATA.names;

// Returns the playbooks with their tasks, in their order. If the span of a playbook is missing, its outermost part stands for it.
function findPlaybooks(rows) {
  const found = new Map();
  for (const row of rows) {
    if (row.type === "playbook") found.set(row, []);
    if (row.type !== "task") continue;
    const top = outermost(row);
    if (found.has(top)) found.get(top).push(row);
    else found.set(top, [row]);
  }
  return found;
}

function outermost(task) {
  let top = task;
  for (let row = task.parent; row; row = row.parent) {
    if (AROUND.has(row.type)) return row;
    if (!PARTS.has(row.type)) break;
    top = row;
  }
  return top;
}

function attributeOf(row, name) {
  for (let at = 0; at < row.attributes.length; at += 2) {
    if (TEXTS[row.attributes[at]] === name) return TEXTS[row.attributes[at + 1]];
  }
  return "";
}

function hasAttributes(row, prefix) {
  return row.attributes.some((key, at) => at % 2 === 0 && TEXTS[key].startsWith(prefix));
}

// The names around a task within its play, outer before inner.
function namesAround(task) {
  const names = [];
  for (let row = task.parent; row && row.type !== "play" && PARTS.has(row.type); row = row.parent) names.unshift(row.name);
  return names;
}

function playOf(task) {
  let row = task;
  while (row && row.type !== "play" && PARTS.has(row.type)) row = row.parent;
  return row && row.type === "play" ? row : null;
}

// A batch is a play, or what `serial` made of it. Batches of one play share no host, and have the same tasks.
class Batch {
  constructor(play) {
    this.play = play;
    this.tasks = [];
    this.hosts = new Set();
    this.section = null;
  }

  get inStep() {
    return !this.play || IN_STEP.has(attributeOf(this.play, NAMES.strategy));
  }

  // Whether a task that a host did not run may be one that the batch did not come to.
  broke(column) {
    const { play } = this;
    if (!play) return false;
    if (play.open || play.state === "cancellation" || attributeOf(play, NAMES.error) === "interrupted") return true;
    return FAILED.has(play.state) && !column.tasks.some((task) => playOf(task) === play);
  }

  follows(other) {
    return Boolean(other && this.play && other.play) && this.play.name === other.play.name &&
      this.play.parent === other.play.parent && Boolean(attributeOf(this.play, NAMES.serial)) &&
      ![...this.hosts].some((host) => other.section.batchOf.has(host));
  }
}
