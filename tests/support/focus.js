// What a reader sees of the focus: null without one, else [which element has it, what is wrong with how it is seen].
() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const shown = element.closest("label.choice, .sides label") || element;
  const said = `${element.localName} “${(element.id || element.textContent).trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  const wrong = [];

  const channels = (colour) => /^rgba?\(/.test(colour) ? colour.match(/[\d.]+/g).map(Number) : [0, 0, 0, 0];
  const light = ([r, g, b]) =>
    [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  function behind(at) {
    for (; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found[3] === undefined || found[3] === 1) return found;
    }
    return [255, 255, 255];
  }

  const style = getComputedStyle(shown);
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("no outline");
  const [low, high] = [light(channels(style.outlineColor)), light(behind(shown.parentElement))].sort((a, b) => a - b);
  if ((high + 0.05) / (low + 0.05) < 3) wrong.push(`too little contrast: ${style.outlineColor}`);

  const box = shown.getClientRects()[0];
  const part = {
    left: Math.max(0, box.left), right: Math.min(innerWidth, box.right), top: Math.max(0, box.top), bottom: Math.min(innerHeight, box.bottom),
  };
  if (part.right <= part.left || part.bottom <= part.top) wrong.push("out of the window");
  else {
    const above = document.elementFromPoint((part.left + part.right) / 2, (part.top + part.bottom) / 2);
    if (!above || !(shown.contains(above) || above.contains(shown))) wrong.push(`covered by ${above && (above.id || above.className)}`);
    const whole = box.bottom - box.top < 100;
    if (whole && part.bottom - part.top < box.bottom - box.top - 1) wrong.push("a part is out of the window");
  }
  return [said, wrong.join(", ")];
}
