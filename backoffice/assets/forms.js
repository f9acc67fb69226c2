// What the forms of staff are made with: fields, groups of fields that come and go, times, and what the API says against them.
import { button, el, lang, put, t } from "./page.js";
import { trouble } from "./operator.js";

/** Of everything that staff names. */
export const ID = "[A-Za-z0-9_\\-]{1,64}";
/** The text in the reader's language, or in the other where there is none. */
export const inWords = (text) => text[lang()] || text.ko || text.en;

/** A field with its label. `options` make it a choice, [[value, word]]; `area` gives it several lines. */
export function field(name, label, { area = false, options = null, value = "", ...attributes } = {}) {
  const all = { id: name, name, required: true, ...attributes };
  const input = options ? el("select", all, options.map(([key, word]) => el("option", { value: key, selected: key === value }, word)))
    : area ? el("textarea", { rows: 4, ...all }, value) : el("input", { ...all, value });
  return el("div", {}, el("label", { for: name }, label), input);
}

/** Fieldsets that are added and removed, `least` to `most`; `make(n, given)` gives the fields of one, whose names end in its number. */
export function groups({ legend, add, most, least = 0, make, changed = () => {} }) {
  let count = 0;
  const list = el("div");
  const adding = button(add, () => { push().querySelector("input").focus(); changed(); });

  function number() {
    [...list.children].forEach((group, i) => put(group.querySelector("legend"), t(legend, { n: i + 1 })));
    for (const remove of list.querySelectorAll("[data-remove]")) remove.hidden = list.childElementCount <= least;
    adding.disabled = list.childElementCount >= most;
  }
  function push(given) {
    const n = (count += 1);
    const remove = button("remove", () => {
      const next = group.nextElementSibling ?? group.previousElementSibling;
      group.remove();
      number();
      changed();
      (next?.querySelector("input") ?? adding).focus();
    }, { class: "small", "data-remove": n });
    const group = el("fieldset", { "data-group": n }, el("legend"), make(n, given), el("p", {}, remove));
    list.append(group);
    number();
    return group;
  }
  return { part: el("div", {}, list, el("p", {}, adding)), push, all: () => [...list.children], numbers: () => [...list.children].map((group) => group.dataset.group) };
}

/** A time as the browser's own field writes it, in the operator's time zone. */
export function local(ms) {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}
/** What the field says as the API writes it; one that nobody touched as it was, to the second. */
export function instant(text, before) {
  return before && text === local(Date.parse(before)) ? before : new Date(text).toISOString();
}

/** Says at the form what cannot be done. Where another was faster there is a way to what it is now. */
export function refuse(place, problem) {
  const newest = button("load_newest", () => dispatchEvent(new Event("hashchange")));
  place.replaceChildren(trouble(problem), problem.code === "version_conflict" ? el("p", {}, newest) : "");
  place.scrollIntoView({ block: "center" });
}
