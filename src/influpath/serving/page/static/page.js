// What every page has: theme switch, messages, search fields, and buttons and forms that send JSON.
import { attachFinders } from "./finder.js";
import { bodyOf } from "./shapes.js";
import { ROOT, flash, said, say, send } from "./talk.js";

function attachTheme() {
  const select = document.getElementById("theme");
  select.value = document.documentElement.dataset.theme ?? "";
  select.closest("label").hidden = false;
  select.addEventListener("change", () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    try {
      if (select.value) localStorage.setItem("influpath-theme", select.value);
      else localStorage.removeItem("influpath-theme");
    } catch {
      // Not remembered then.
    }
    document.dispatchEvent(new Event("themechange"));
  });
}

function confirmed(text, yes = "Yes") {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function goOn({ done, to, toId }, answer) {
  if (done) flash(done);
  if (toId) location.assign(ROOT + toId + encodeURIComponent(answer.id));
  else if (to) location.assign(ROOT + to);
  else location.reload();
}

/** Send what a button says, after asking where it says so; a second press of the same is none. */
export async function pressed(button) {
  if (button.disabled || document.getElementById("confirm").open) return;
  const { method, path, body, confirm, yes } = button.dataset;
  if (confirm && !(await confirmed(confirm, yes))) return;
  button.disabled = true;
  try {
    goOn(button.dataset, await send(method, path, body && JSON.parse(body)));
  } catch (problem) {
    say(problem.message);
    button.disabled = false;
  }
}

/** Send what a form holds; a second press while the first is on its way is none. */
export async function submitted(form) {
  const alert = form.querySelector(".problem");
  const button = form.querySelector("button.main");
  if (button.disabled) return;
  alert.hidden = true;
  button.disabled = true;
  try {
    goOn(form.dataset, await send(form.dataset.method, form.dataset.path, await bodyOf(form)));
  } catch (problem) {
    alert.textContent = problem.message;
    alert.hidden = false;
    alert.scrollIntoView({ block: "nearest" });
    button.disabled = false;
  }
}

function filter(input) {
  const rows = [...document.getElementById(input.dataset.filters).tBodies[0].rows];
  const wanted = input.value.trim().toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  const left = rows.filter((row) => !row.hidden).length;
  document.getElementById("audit-count").textContent = wanted ? `${left} of ${rows.length} lines` : "";
}

document.addEventListener("input", (event) => {
  if (event.target.dataset.filters) filter(event.target);
});
attachTheme();
attachFinders();
const kept = said();
if (kept) say(kept);
// A link to a part that is folded unfolds it.
const part = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (part instanceof HTMLDetailsElement) part.open = true;
