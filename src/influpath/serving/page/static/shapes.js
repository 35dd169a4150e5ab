// What forms send: the JSON of the API, by the form's data-shape.
import { meant } from "./finder.js";
import { send } from "./talk.js";

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const time = (text) => (text ? `${text}${text.length === 16 ? ":00" : ""}Z` : null);

/** The id that a title or an id stands for; the service says which items there are. */
async function idOf(text) {
  const found = await send("GET", `/v1/items?${new URLSearchParams({ q: text, limit: 50 })}`);
  const wanted = text.toLowerCase();
  const item =
    found.items.find((each) => String(each.id) === text) ??
    found.items.find((each) => each.title.toLowerCase() === wanted) ??
    (found.items.length === 1 ? found.items[0] : null);
  if (!item) throw new Error(`There is no item “${text}”; choose one of those that are offered while you type.`);
  return item.id;
}

const idsOf = (text) => Promise.all(lines(text).map(idOf));

async function objective(form) {
  const kind = form.elements.kind.value;
  if (kind === "category") {
    if (!form.elements.category.value) throw new Error("Choose a category.");
    return { kind, name: form.elements.category.value };
  }
  const text = kind === "item" ? meant(form.elements.namedItem("item")) : form.elements.items.value;
  if (!text.trim()) throw new Error("Name the objective.");
  if (kind === "item") return { kind, id: await idOf(text) };
  return { kind, ids: await idsOf(text) };
}

const checked = (form, name) =>
  [...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value);

const SHAPES = {
  key: async (form) => ({ key: form.elements.key.value.trim() }),
  model: async (form) => ({ version: form.elements.version.value.trim() }),
  goal: async (form) => ({ objective: await objective(form), horizon: form.elements.horizon.valueAsNumber }),
  exclusions: async (form) => ({
    items: await idsOf(form.elements.items.value), categories: checked(form, "categories"),
  }),
  campaign: async (form) => {
    const { elements } = form;
    const users = elements.audience.value === "users";
    return {
      name: elements.name.value.trim(),
      objective: await objective(form),
      audience: users ? { kind: "users", users: lines(elements.users.value) } : { kind: "everyone" },
      horizon: elements.horizon.valueAsNumber,
      aggressiveness: elements.aggressiveness.valueAsNumber,
      priority: elements.priority.valueAsNumber,
      holdout: elements.holdout.valueAsNumber / 100,
      window_days: elements.window_days.valueAsNumber,
      least_uplift: elements.least_uplift.valueAsNumber / 100,
      starts_at: time(elements.starts_at.value),
      ends_at: time(elements.ends_at.value),
      guardrails: {
        floor: elements.floor.valueAsNumber,
        min_feasibility: elements.min_feasibility.valueAsNumber / 100,
        adapts: elements.adapts.checked,
        excluded: {
          items: await idsOf(elements.excluded_items.value),
          categories: checked(form, "excluded_categories"),
        },
      },
    };
  },
};

/** Return what a form sends; throws one sentence where something is missing. */
export const bodyOf = (form) => SHAPES[form.dataset.shape](form);
