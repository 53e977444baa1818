// Copies texts: links to spans, what a reader tells in a chat, commands.

const DONE = "Copied";

// The server may stand behind a proxy that speaks another scheme: the reader's one is right.
function withOwnScheme(text) {
  const page = DATA.page;
  const here = page && new URL(page);
  return here && here.host === location.host ? text.replaceAll(page, page.replace(here.protocol, location.protocol)) : text;
}

function textOf(button) {
  if (button.dataset.copies === "command") return button.parentElement.querySelector("code").textContent;
  return withOwnScheme(DATA.copies[button.dataset.copies]);
}

// Without the clipboard's API: on a page that came without TLS.
function copyBySelection(text) {
  const field = element("textarea", "sr", text);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyByHand(text) {
  const dialog = byId("by-hand");
  const field = dialog.querySelector("textarea");
  field.value = text;
  dialog.showModal();
  field.focus();
  field.select();
}

// The button leaves with the press of the mouse beside it: what is pressed must not move away before it is let go.
function write(button, label) {
  const before = button.getBoundingClientRect().width;
  button.textContent = label;
  button.style.minWidth = `${Math.max(before, button.getBoundingClientRect().width)}px`;
}

// A button says that it is done until the reader leaves it.
async function copy(text, button) {
  const done = await copied(text);
  button.focus();
  if (!done) return copyByHand(text);
  const label = button.dataset.label || button.textContent;
  button.dataset.label = label;
  write(button, DONE);
  byId("copied").textContent = `${DONE}: ${button.getAttribute("aria-label") || label}`;
  button.addEventListener("blur", () => (button.textContent = label), { once: true });
}

function copyButton(label, text) {
  const button = element("button", "copy", label);
  button.type = "button";
  button.addEventListener("click", () => copy(text, button));
  return button;
}

// They need the script.
function showCopyButtons(root = document) {
  for (const button of root.querySelectorAll("[data-copies]")) button.hidden = false;
}

function startCopying() {
  showCopyButtons();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copies]");
    if (button) copy(textOf(button), button);
  });
  const dialog = byId("by-hand");
  if (!dialog) return;
  dialog.querySelector("button").addEventListener("click", () => dialog.close());
  // Its keys are not those of the page.
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
}
