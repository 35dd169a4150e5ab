// The Explore page: answers, planners and aggressiveness re-plan in place; the address says it all.
import { attachCharts, drawChances, drawFrontier } from "./charts.js";
import { ROOT, part, say } from "./talk.js";

const WAIT = 250;
// What the frontier depends on; the ring alone moves with the rest.
const FRONTIER_KEYS = ["who", "user", "history", "kind", "item", "items", "category", "planner", "compare", "horizon", "answered"];
const form = document.getElementById("ask");
const slider = document.getElementById("aggressiveness");
let working;
let known = "";

/** What the page shows, as a query string without defaults. */
function query() {
  const state = new URLSearchParams();
  const chosen = (name) => form.elements.namedItem(name).value;
  const used = { user: "who", history: "who", item: "kind", items: "kind", category: "kind" };
  const needs = { user: "user", history: "history", item: "item", items: "set", category: "category" };
  for (const [name, value] of new FormData(form)) {
    const field = form.elements.namedItem(name);
    if (name in used && chosen(used[name]) !== needs[name]) continue;
    if (!String(value).trim() || name === "frontier") continue;
    if (field.dataset && field.dataset.default === value) continue;
    if (name === "who" && value === "user") continue;
    if (name === "kind" && value === "item") continue;
    state.append(name, value);
  }
  return state;
}

const frontierOf = (state) => FRONTIER_KEYS.map((key) => state.getAll(key).join("\n")).join("\0");

/** Put parts of another document in place of those with the same ids. */
function swap(found) {
  for (const fresh of found.querySelectorAll("[data-part]")) {
    document.getElementById(fresh.id)?.replaceWith(document.adoptNode(fresh));
  }
}

const cards = () =>
  [...document.querySelectorAll("#columns .column")].map(
    (column) => new Map([...column.querySelectorAll(".card[data-item]")].map((card) => [card.dataset.step, card])),
  );

/** Mark the cards that are others than before; returns how many there are, and the first of them. */
function mark(before) {
  const changed = [];
  cards().forEach((column, place) => {
    for (const [step, card] of column) {
      if (!before[place] || before[place].get(step)?.dataset.item === card.dataset.item) continue;
      card.classList.add("changed");
      const badge = document.createElement("span");
      badge.className = "badge fresh";
      badge.textContent = "new";
      card.querySelector("h3").append(" ", badge);
      changed.push(card);
    }
  });
  return changed;
}

/** Show what a query string says. */
async function show(state, { push = false, message = "", focus = false } = {}) {
  working?.abort();
  const mine = (working = new AbortController());
  const columns = document.getElementById("columns");
  columns.setAttribute("aria-busy", "true");
  const before = cards();
  try {
    swap(await part(`/paths?${state}`, mine.signal));
  } catch (problem) {
    if (problem.name === "AbortError") return;
    columns.removeAttribute("aria-busy");
    say(problem.message);
    return;
  }
  const address = `${ROOT}/?${state}`;
  if (push) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  const changed = mark(before);
  const count = changed.length === 1 ? "1 card is new" : `${changed.length || "No"} cards are new`;
  // What the path comes to is read out, too; to be seen it stands on the page.
  say(`${message} ${count}.`.trim(), document.querySelector("#words .lead")?.textContent);
  if (focus) (changed[0] ?? document.querySelector(".card[data-item]"))?.querySelector("h3").focus();
  drawChances();
  drawFrontier(Number(slider.value));
  await frontier(state);
}

/** Fetch the frontier if what it depends on has changed. */
async function frontier(state) {
  const key = frontierOf(state);
  if (key === known) return;
  const pending = document.querySelector("#frontier-data [data-pending]");
  if (pending) pending.textContent = "Working out what other values of aggressiveness come to …";
  try {
    swap(await part(`/frontier?${state}`, working?.signal));
  } catch (problem) {
    if (problem.name !== "AbortError") {
      if (pending) pending.textContent = problem.message;
    }
    return;
  }
  known = key;
  drawFrontier(Number(slider.value));
}

/** Controls as the address says, after going back or forward. */
function restore() {
  const state = new URLSearchParams(location.search);
  const old = frontierOf(query()).split("\0").slice(0, 7).join();
  if (old !== frontierOf(state).split("\0").slice(0, 7).join()) return location.reload();
  for (const name of ["planner", "compare"]) form.elements.namedItem(name).value = state.get(name) ?? "";
  slider.value = state.get("aggressiveness") ?? "1";
  document.getElementById("aggressiveness-said").textContent = slider.value;
  return show(state);
}

function start() {
  attachCharts(() => {
    drawChances();
    drawFrontier(Number(slider.value));
  });
  if (document.querySelector("#frontier-data table")) known = frontierOf(query());
  else frontier(query());

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-path]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const state = new URLSearchParams(new URL(link.href).search);
    state.delete("frontier");
    show(state, { push: true, message: link.dataset.said, focus: true });
  });

  let waiting;
  slider.addEventListener("input", () => {
    document.getElementById("aggressiveness-said").textContent = slider.value;
    drawFrontier(Number(slider.value));
    clearTimeout(waiting);
    waiting = setTimeout(() => show(query(), { message: `Aggressiveness ${slider.value}.` }), WAIT);
  });
  for (const name of ["planner", "compare"]) {
    form.elements.namedItem(name).addEventListener("change", () => show(query(), { push: true }));
  }
  addEventListener("popstate", restore);
  document.addEventListener("click", async (event) => {
    if (!event.target.closest("[data-copy-link]")) return;
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied; it shows the same view.");
    } catch {
      say("The browser does not allow copying; the address of this page is the link.");
    }
  });
}

// A new question is a new page, with a short address and without the answers of the old one.
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const state = query();
  const question = (from) => frontierOf(from).split("\0").slice(0, 7).join();
  if (question(state) !== question(new URLSearchParams(location.search))) state.delete("answered");
  location.assign(`${ROOT}/?${state}`);
});
if (slider) start();
