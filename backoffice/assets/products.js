// Products on the operator's page: a list to search in, and one to write down, edit, publish, take off and sell.
import { ask, button, el, lang, say, t, time } from "./page.js";
import { staff, trouble } from "./operator.js";
import { ID, field, groups, inWords, refuse } from "./forms.js";

const STATES = ["draft", "published", "archived"];
const PAGES_MAX = 20;
const OPTIONS_MAX = 3;
const SKUS_MAX = 256;
const IMAGES_MAX = 20;
const badge = (state) => el("span", { class: `badge ${state === "published" ? "open" : ""}` }, t(`product_${state}`));

export async function productsScreen() {
  const rows = el("tbody");
  const more = el("p");
  const said = el("div");
  let turn = 0;
  async function load(query, cursor) {
    const mine = (turn += 1);
    const page = await staff(`/admin/v1/products?${new URLSearchParams({ limit: "50", ...query, ...(cursor ? { cursor } : {}) })}`);
    // Something else has been asked for meanwhile.
    if (mine !== turn) return;
    if (!cursor) rows.replaceChildren();
    rows.append(...page.products.map((product) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#/products/${product.id}` }, inWords(product.title)), el("div", { class: "said mono" }, product.id)),
      el("td", {}, badge(product.state)),
      el("td", { "data-name": t("seller") }, product.seller), el("td", { "data-name": t("category") }, product.category),
      el("td", { "data-name": t("changed") }, time(product.updated_at)))));
    if (!rows.childElementCount) rows.append(el("tr", {}, el("td", { colspan: "5", class: "said" }, t("none_found"))));
    more.replaceChildren(page.next_cursor ? button("more", () => load(query, page.next_cursor)) : "");
  }
  function search(event) {
    event?.preventDefault();
    const { q, state } = Object.fromEntries(new FormData(form));
    said.replaceChildren();
    load({ ...(q.trim() ? { q: q.trim() } : {}), ...(state ? { state } : {}) }).catch((error) => said.replaceChildren(trouble(error)));
  }
  const form = el("form", { role: "search", onsubmit: search, onchange: search }, el("div", { class: "fields" },
    field("q", t("search_in"), { type: "search", maxlength: 100, required: false, autocomplete: "off" }),
    field("state", t("state"), { required: false, options: [["", t("all_states")], ...STATES.map((state) => [state, t(`product_${state}`)])] }),
    el("div", {}, el("button", {}, t("search")))));
  await load({});
  const head = ["product", "state", "seller", "category", "changed"].map((word) => el("th", { scope: "col" }, t(word)));
  return { parts: [el("h1", {}, t("products")), el("p", {}, el("a", { class: "button go", href: "#/new-product" }, t("new_product"))), form, said,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("products") }, el("table", { class: "stacked" }, el("thead", {}, el("tr", {}, head)), rows)), more] };
}

/** Every seller, or as many as a choice has room for. */
async function sellersThere() {
  const all = [];
  for (let cursor = "", pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await staff(`/admin/v1/sellers?limit=100${cursor ? `&cursor=${cursor}` : ""}`);
    all.push(...page.sellers.map((seller) => [seller.id, `${inWords(seller.name)} (${seller.id})`]));
    if (!page.next_cursor) break;
    cursor = page.next_cursor;
  }
  return all;
}

/** Categories with those above them. */
async function categoriesThere() {
  const { categories } = await staff("/admin/v1/categories");
  const by = new Map(categories.map((category) => [category.id, category]));
  const way = (category) => (category ? [...way(by.get(category.parent)), inWords(category.title)] : []);
  return categories.map((category) => [category.id, `${way(category).join(" › ")} (${category.id})`]).sort((a, b) => a[1].localeCompare(b[1], lang()));
}

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** One a line, `Korean | English`; a line without a bar is the same in both. A bar or a backslash of the words themselves follows a backslash. */
const escaped = (words) => words.replace(/[\\|]/g, "\\$&");
const asLines = (values) => values.map(({ ko, en }) => (ko === en ? escaped(ko) : `${escaped(ko)} | ${escaped(en)}`)).join("\n");
function fromLines(text) {
  const plain = (words) => words.trim().replace(/\\([\\|])/g, "$1");
  return lines(text).map((line) => {
    const [, ko, en = ko] = line.match(/^((?:\\[\\|]|[^|])*)(?:\|([^]*))?$/);
    return { ko: plain(ko), en: plain(en) };
  });
}

export async function productScreen(id) {
  let [old, sellers, categories] = await Promise.all([id ? staff(`/admin/v1/products/${id}`) : null, sellersThere(), categoriesThere()]);
  let changed = false;
  const touch = () => { changed = true; };
  const error = el("div");
  const notice = el("div");
  const head = el("p", { class: "row" });
  const value = (name) => form.elements[name]?.value ?? "";

  const options = groups({ legend: "option_n", add: "add_option", most: OPTIONS_MAX, changed: () => { touch(); drawChoices(); }, make: (n, option) => el("div", { class: "fields high" },
    field(`option-ko-${n}`, t("name_ko"), { maxlength: 200, required: false, value: option?.name.ko ?? "", onchange: drawChoices }),
    field(`option-en-${n}`, t("name_en"), { maxlength: 200, required: false, value: option?.name.en ?? "", onchange: drawChoices }),
    field(`option-values-${n}`, t("option_values"), { area: true, value: asLines(option?.values ?? []), onchange: drawChoices })) });
  const skus = groups({ legend: "sku_n", add: "add_sku", most: SKUS_MAX, changed: touch, make: (n, sku) => {
    const fields = el("div", { class: "fields" },
      field(`sku-${n}`, t("sku"), { pattern: ID, value: sku?.sku ?? "" }),
      field(`price-${n}`, t("price"), { type: "number", min: 0, step: 1, value: sku?.price.amount ?? "" }));
    const choices = el("div", { class: "fields", "data-choices": n });
    draw(choices, n, sku?.choices ?? null);
    return [fields, choices];
  } });
  const images = groups({ legend: "image_n", add: "add_image", most: IMAGES_MAX, changed: touch, make: (n, image) => el("div", { class: "fields" },
    field(`url-${n}`, t("image_url"), { type: "url", maxlength: 500, value: image?.url ?? "" }),
    field(`alt-ko-${n}`, t("alt_ko"), { maxlength: 200, required: false, value: image?.alt.ko ?? "" }),
    field(`alt-en-${n}`, t("alt_en"), { maxlength: 200, required: false, value: image?.alt.en ?? "" })) });

  function optionsNow() {
    return options.all().map((group) => {
      const of = (name) => group.querySelector(`[name^=option-${name}-]`).value.trim();
      return { name: { ko: of("ko"), en: of("en") }, values: fromLines(of("values")) };
    });
  }
  /** Which value of each option a sku is: kept by its word, so that a value may be put between others. */
  function draw(place, n, given) {
    const before = [...place.querySelectorAll("select")].map((select) => [select.selectedIndex, select.selectedOptions[0]?.text]);
    place.replaceChildren(...optionsNow().map((option, i) => {
      const words = option.values.map(inWords);
      const [at, word] = before[i] ?? [0, null];
      const chosen = given?.[i] ?? (words.includes(word) ? words.indexOf(word) : at);
      return field(`choice-${n}-${i}`, inWords(option.name) || t("option_n", { n: i + 1 }), { options: words.map((text, j) => [String(j), text]), value: String(chosen) });
    }));
  }
  function drawChoices() {
    for (const place of form.querySelectorAll("[data-choices]")) draw(place, place.dataset.choices, null);
  }
  const choicesOf = (n) => [...form.querySelectorAll(`[name^="choice-${n}-"]`)].map((select) => Number(select.value || 0));

  function combine() {
    drawChoices();
    const there = new Set(skus.numbers().map((n) => choicesOf(n).join()));
    const amount = value(`price-${skus.numbers()[0]}`);
    const all = optionsNow().reduce((made, { values }) => made.flatMap((some) => values.map((_, i) => [...some, i])), [[]]);
    for (const choices of all.slice(0, SKUS_MAX).filter((some) => !there.has(some.join()))) {
      skus.push({ sku: [value("id") || id, ...choices.map((i) => i + 1)].filter(Boolean).join("-"), choices, price: { amount } });
    }
    touch();
  }

  function body() {
    const both = (name) => ({ ko: value(`${name}-ko`).trim(), en: value(`${name}-en`).trim() });
    return {
      seller: value("seller"), category: value("category"), title: both("title"), description: both("description"),
      keywords: lines(value("keywords")), options: optionsNow(),
      skus: skus.numbers().map((n) => ({ sku: value(`sku-${n}`), choices: choicesOf(n), price: { amount: Number(value(`price-${n}`)), currency: value("currency") } })),
      images: images.numbers().map((n) => ({ url: value(`url-${n}`), alt: { ko: value(`alt-ko-${n}`), en: value(`alt-en-${n}`) } })),
    };
  }
  /** Whether it is in the books now. */
  async function save() {
    error.replaceChildren();
    try {
      if (!old) {
        await staff("/admin/v1/products", { method: "POST", body: { id: value("id"), ...body() } });
        location.hash = `#/products/${value("id")}`;
        return true;
      }
      old = await staff(`/admin/v1/products/${id}`, { method: "PUT", body: { version: old.version, ...body() } });
      told("saved");
      return true;
    } catch (problem) { refuse(error, problem); return false; }
  }
  function told(word) {
    changed = false;
    drawHead();
    notice.replaceChildren(el("p", { class: "note good" }, t(word)));
    say(t(word));
  }
  async function set(verb, what) {
    // What is on the screen is what shoppers are to see.
    if (changed && (!form.reportValidity() || !(await save()))) return;
    const yes = await ask({ title: `${t(what)}: ${inWords(old.title)}`, text: t(`${what}_text`), yes: t(what), danger: verb === "archive" });
    if (!yes) return;
    try {
      old = await staff(`/admin/v1/products/${id}/${verb}`, { method: "POST" });
      error.replaceChildren();
      told(`${what}_done`);
    } catch (problem) { refuse(error, problem); }
  }
  function drawHead() {
    const published = old.state === "published";
    const had = head.contains(document.activeElement);
    head.replaceChildren(badge(old.state),
      published ? el("a", { class: "button go", href: `#/new/${id}` }, t("sell_it")) : button("publish", () => set("publish", "publish"), { class: "go", "data-verb": "publish" }),
      published ? button("take_off", () => set("archive", "take_off"), { class: "stop", "data-verb": "archive" }) : "",
      el("a", { href: `#/audit/${encodeURIComponent(`product:${id}`)}` }, t("audit_of_product")));
    if (had) head.querySelector("a, button").focus();
  }

  /** Something that a product needs is written down on the way. */
  async function add(what, path, select, more = []) {
    const text = (name, label) => ({ name, label: t(label), attributes: { maxlength: 200, autocomplete: "off" } });
    const answer = await ask({ title: t(`new_${what}`), yes: t("write_down"),
      fields: [{ name: "id", label: t("id"), attributes: { pattern: ID, autocomplete: "off" } }, text("ko", "name_ko"), text("en", "name_en"), ...more] });
    if (!answer) return;
    const names = { ko: answer.ko, en: answer.en };
    try {
      await staff(path, { method: "POST", body: { id: answer.id, ...(what === "seller" ? { name: names } : { title: names, ...(answer.parent ? { parent: answer.parent } : {}) }) } });
      const there = await (what === "seller" ? sellersThere() : categoriesThere());
      if (what === "category") categories = there;
      form.elements[select].replaceChildren(...there.map(([key, word]) => el("option", { value: key, selected: key === answer.id }, word)));
      form.elements[select].focus();
      touch();
    } catch (problem) { refuse(error, problem); }
  }
  const above = () => [{ name: "parent", label: t("parent"), attributes: { required: false }, options: [{ value: "", label: t("top_level") }, ...categories.map(([key, word]) => ({ value: key, label: word }))] }];

  const form = el("form", { oninput: touch, onsubmit: (event) => { event.preventDefault(); save(); } });
  const both = (name, area, max) => ["ko", "en"].map((language) => field(`${name}-${language}`, t(`${name}_${language}`), { area, maxlength: max, required: false, lang: language, value: old?.[name][language] ?? "" }));
  form.append(
    el("div", { class: "fields high" },
      old ? "" : field("id", t("product_id"), { pattern: ID, autocomplete: "off" }),
      el("div", {}, field("seller", t("seller"), { options: sellers, value: old?.seller }), el("p", {}, button("new_seller", () => add("seller", "/admin/v1/sellers", "seller"), { class: "small" }))),
      el("div", {}, field("category", t("category"), { options: categories, value: old?.category }), el("p", {}, button("new_category", () => add("category", "/admin/v1/categories", "category", above()), { class: "small" })))),
    el("h2", {}, t("texts")),
    el("div", { class: "fields" }, both("title", false, 200)), el("div", { class: "fields" }, both("description", true, 10_000)),
    el("div", { class: "fields" }, field("keywords", t("keywords"), { area: true, required: false, value: old?.keywords.join("\n") ?? "" })),
    el("h2", {}, t("options")), el("p", { class: "said" }, t("options_text")), options.part,
    el("h2", {}, t("skus")), el("p", { class: "said" }, t("skus_text")),
    el("div", { class: "fields" }, field("currency", t("currency"), { pattern: "[A-Z]{3}", maxlength: 3, value: old?.skus[0]?.price.currency ?? "KRW" })),
    skus.part, el("p", {}, button("all_combinations", combine)),
    el("h2", {}, t("images")), images.part,
    el("p", { class: "row" }, el("button", { class: "go" }, t(old ? "save" : "write_down")), el("a", { class: "button", href: "#/products" }, t("cancel"))));
  for (const option of old?.options ?? []) options.push(option);
  for (const sku of old?.skus ?? []) skus.push(sku);
  for (const image of old?.images ?? []) images.push(image);
  if (old) drawHead();
  return { parts: [
    el("p", { class: "said" }, el("a", { href: "#/products" }, t("products")), id ? ` · ${id}` : ""),
    el("h1", {}, old ? inWords(old.title) : t("new_product")), old ? head : el("p", { class: "said" }, t("new_product_text")), notice, error, form,
  ] };
}
