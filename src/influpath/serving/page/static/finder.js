// Text fields that offer what they find: the ARIA combobox pattern with a listbox.
import { send } from "./talk.js";

const WAIT = 120;
const AT_MOST = 12;
let counter = 0;

/** What /v1/items or /v1/users found, as options {own, text, note}. */
async function find(sort, words, signal) {
  const query = new URLSearchParams({ q: words, limit: AT_MOST });
  const page = await send("GET", `/v1/${sort}?${query}`, undefined, signal);
  if (sort === "users") return page.users.map((id) => ({ own: String(id), text: String(id), note: "" }));
  return page.items.map((item) => ({
    own: String(item.id), text: item.title, note: item.categories.join(" · "),
  }));
}

class Finder {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input");
    this.options = [];
    this.at = -1;
    this.list = document.createElement("ul");
    this.list.id = `found-${++counter}`;
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", document.querySelector(`label[for="${this.input.id}"]`).textContent);
    box.append(this.list);
    const { input } = this;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", this.list.id);
    input.addEventListener("input", () => this.typed());
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) this.choose([...this.list.children].indexOf(option));
    });
  }

  typed() {
    delete this.input.dataset.own;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.look(), WAIT);
  }

  async look() {
    this.asking?.abort();
    const words = this.input.value.trim();
    if (!words) return this.close();
    this.asking = new AbortController();
    try {
      this.options = await find(this.box.dataset.find, words, this.asking.signal);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      return this.show(problem.message);
    }
    // What comes after the field was left is not shown.
    if (document.activeElement === this.input) this.show("Nothing is like that.");
  }

  show(otherwise) {
    this.list.replaceChildren(
      ...this.options.map(({ text, note }, place) => {
        const option = document.createElement("li");
        option.id = `${this.list.id}-${place}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.textContent = text;
        if (note) {
          const aside = document.createElement("span");
          aside.className = "note";
          aside.textContent = note;
          option.append(aside);
        }
        return option;
      }),
    );
    if (!this.options.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      none.textContent = otherwise;
      this.list.append(none);
    }
    this.at = -1;
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.asking?.abort();
    clearTimeout(this.waiting);
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const open = !this.list.hidden;
    const count = this.options.length;
    if (event.key === "ArrowDown" && !open) this.look();
    else if (event.key === "ArrowDown" && count) this.move((this.at + 1) % count);
    else if (event.key === "ArrowUp" && open && count) this.move((this.at + count * 2 - 1 + (this.at < 0)) % count);
    else if (event.key === "Enter" && open && this.at >= 0) this.choose(this.at);
    else if (event.key === "Escape" && open) this.close();
    else return;
    event.preventDefault();
  }

  move(to) {
    this.at = to;
    [...this.list.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === to)));
    const option = this.list.children[to];
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  choose(place) {
    const option = this.options[place];
    if (!option) return;
    const target = this.box.dataset.adds && document.getElementById(this.box.dataset.adds);
    if (target) {
      target.value = [...target.value.split("\n").filter((line) => line.trim()), option.text].join("\n");
      this.input.value = "";
    } else {
      this.input.value = option.text;
      this.input.dataset.own = option.own;
      this.input.dataset.shown = option.text;
    }
    this.close();
  }
}

/** What a field stands for: the id of the option that was chosen, or else what was typed. */
export function meant(input) {
  const { own, shown } = input.dataset;
  return own && input.value === shown ? own : input.value.trim();
}

/** Make all search fields of the page offer what they find, and forms send ids for titles. */
export function attachFinders() {
  for (const box of document.querySelectorAll("[data-find]")) {
    const finder = new Finder(box);
    // Somebody may have typed before this was loaded.
    if (document.activeElement === finder.input && finder.input.value) finder.typed();
  }
  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll("[data-find] input[name]")) {
      event.formData.set(input.name, meant(input));
    }
  });
}

