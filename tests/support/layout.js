// What a reader cannot read on the page as it is now: [what is wrong, where, …].
() => {
  const found = [];
  const whole = { left: -1e6, top: -1e6, right: 1e6, bottom: 1e6 };
  // Boxes of a font reach a little beyond their line.
  const spare = 0.18;

  const styleOf = (element) => getComputedStyle(element);
  const cuts = (style) => style.overflowX !== "visible" || style.overflowY !== "visible" || style.clipPath.startsWith("inset");
  const said = (element) => {
    const name = element.id ? `#${element.id}` : [...element.classList].map((one) => `.${one}`).join("");
    return `${element.localName}${name} “${element.textContent.trim().replace(/\s+/g, " ").slice(0, 50)}”`;
  };
  const meet = (one, other) => ({
    left: Math.max(one.left, other.left), top: Math.max(one.top, other.top),
    right: Math.min(one.right, other.right), bottom: Math.min(one.bottom, other.bottom),
  });

  // The part of the page in which an element can be seen, and the layer that it is in: a fixed element, or one that stays in sight
  // over what is scrolled in the box of the grid.
  function windowOf(element) {
    let seen = whole;
    let layer = null;
    for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
      const style = styleOf(at);
      if (cuts(style)) seen = meet(seen, at.getBoundingClientRect());
      if (style.position === "sticky" && at.closest("#matrix-box")) layer ||= at;
      if (style.position === "fixed") {
        layer = at;
        break;
      }
    }
    return { seen, layer };
  }

  function pieces() {
    const all = [];
    const add = (source, element, boxes) => {
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
      const { seen, layer } = windowOf(element);
      for (const box of boxes) {
        const less = spare * (box.bottom - box.top);
        const part = meet({ left: box.left, right: box.right, top: box.top + less, bottom: box.bottom - less }, seen);
        if (part.right - part.left > 1.5 && part.bottom - part.top > 1.5) {
          all.push({ source, element, layer, width: box.right - box.left, ...part });
        }
      }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (!node.data.trim() || node.parentElement.closest("script, style, noscript, option")) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      add(node, node.parentElement, range.getClientRects());
    }
    for (const element of document.querySelectorAll("input:not([type=hidden]), select, svg.icon")) {
      add(element, element, [element.getBoundingClientRect()]);
    }
    return all;
  }

  function findOverlaps(all) {
    all.sort((one, other) => one.top - other.top);
    all.forEach((one, at) => {
      for (let next = at + 1; next < all.length && all[next].top < one.bottom - 2; next++) {
        const other = all[next];
        if (one.source === other.source || one.layer !== other.layer) continue;
        const both = meet(one, other);
        if (both.right - both.left > 2 && both.bottom - both.top > 2) found.push(["overlap", said(one.element), said(other.element)]);
      }
    });
  }

  function findOutside(all) {
    if (document.documentElement.scrollWidth > innerWidth) found.push(["wider than the window", document.documentElement.scrollWidth]);
    for (const one of all) {
      if (one.left < -1 || one.right > innerWidth + 1) found.push(["beyond the edge", said(one.element)]);
    }
  }

  const canFocus = (element) => element.tabIndex >= 0 && !element.disabled;
  const opensMore = (element) => element.closest("[title]") || element.querySelector("[title]") || element.closest("[data-jump]");

  function findCut() {
    for (const element of document.body.querySelectorAll("*")) {
      if (element.closest("svg, input, select") || !element.checkVisibility()) continue;
      const style = styleOf(element);
      if (!cuts(style) || style.clipPath.startsWith("inset")) continue;
      const wide = element.scrollWidth > element.clientWidth + 1;
      const high = element.scrollHeight > element.clientHeight + 1;
      const axis = [wide && style.overflowX, high && style.overflowY].filter(Boolean);
      if (axis.includes("auto") || axis.includes("scroll")) {
        if (!canFocus(element) && ![...element.querySelectorAll("*")].some(canFocus)) found.push(["scrolls, but has no focus", said(element)]);
      } else if (axis.length && !opensMore(element)) {
        found.push(["cut", said(element)]);
      }
    }
    for (const field of document.querySelectorAll("input[type=datetime-local]")) {
      if (field.checkVisibility() && field.clientWidth < 170) found.push(["cut", said(field.parentElement)]);
    }
    // A name of which nothing is left is no name.
    for (const name of document.querySelectorAll("#rows .name")) {
      if (name.scrollWidth > name.clientWidth && name.clientWidth < 40) found.push(["nothing left of the name", said(name)]);
    }
  }

  // What is drawn before or after an element belongs to it, and not to the page.
  function findStrayLines() {
    for (const element of document.body.querySelectorAll("*")) {
      for (const which of ["::before", "::after"]) {
        const drawn = getComputedStyle(element, which);
        if (drawn.content !== "none" && drawn.position === "absolute" && styleOf(element).position === "static") {
          found.push(["a stray line", said(element)]);
        }
      }
    }
  }

  // A text of many lines with a word, or a part of one, on each. What the edge of a box that scrolls hides counts: it is as wide there.
  function findSqueezed(all) {
    const lines = new Map();
    for (const one of all) lines.set(one.source, [...(lines.get(one.source) || []), one]);
    for (const [source, parts] of lines) {
      const tops = new Set(parts.map((part) => Math.round(part.top)));
      if (tops.size > 2 && parts.every((part) => part.width < 64)) found.push(["squeezed", said(source.parentElement)]);
    }
  }

  function findTouchingTicks() {
    const ticks = [...document.querySelectorAll(".tick")].map((tick) => tick.getBoundingClientRect());
    ticks.forEach((tick, at) => {
      if (at && ticks[at - 1].right + 2 > tick.left) found.push(["the labels of the axis touch", at]);
    });
  }

  const all = pieces();
  findSqueezed(all);
  findTouchingTicks();
  findOverlaps(all);
  findOutside(all);
  findCut();
  findStrayLines();
  return [...new Set(found.map((one) => one.join(": ")))];
}
