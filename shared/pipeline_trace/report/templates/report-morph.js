// Makes elements like new ones, and leaves what is alike: the focus, a selection, open details and scrolled boxes stay.

// What readers change themselves.
function isReaders(element, name) {
  return name === "open" && ["DETAILS", "DIALOG"].includes(element.nodeName);
}

function keyOf(node) {
  return node.dataset?.key || node.id || "";
}

function isSame(old, made) {
  if (!old || old.nodeType !== made.nodeType || old.nodeName !== made.nodeName || keyOf(old) !== keyOf(made)) return false;
  // A button knows what it does.
  return old.nodeName !== "BUTTON" || old.className !== "plain" || old.textContent === made.textContent || "go" in old.dataset;
}

function morph(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = made.data;
    return;
  }
  // It says that it has copied, until the reader leaves it.
  if (old === document.activeElement && old.dataset.label) return;
  morphAttributes(old, made);
  morphChildren(old, made);
}

function morphAttributes(old, made) {
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) === value || isReaders(old, name)) continue;
    // The policy of the page allows no style attributes, but what scripts set.
    if (name === "style") old.style.cssText = value;
    else old.setAttribute(name, value);
  }
}

function morphChildren(old, made) {
  const children = [...made.childNodes];
  const keys = new Set(children.map(keyOf));
  for (const child of [...old.childNodes]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove();
  let at = old.firstChild;
  for (const child of children) {
    const same = isSame(at, child) ? at : keyOf(child) && nextSame(at, child);
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    morph(same, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function nextSame(from, made) {
  for (let node = from; node; node = node.nextSibling) if (isSame(node, made)) return node;
  return null;
}
