// A sale's draft: a new one, one made of a product's skus, or one that is edited. What cannot be accepted is said at the form, field by field,
// as the API says it.
import { el, t } from "./page.js";
import { staff } from "./operator.js";
import { ID, field, groups, instant, local, refuse } from "./forms.js";

const ITEMS_MAX = 256;

/** As the catalog calls a sku in a sale: the product's Korean title, and the values that were chosen. */
function itemsOf(product) {
  return product.skus.map(({ sku, choices, price }) => {
    const values = choices.map((choice, i) => product.options[i].values[choice]).map((value) => value.ko || value.en);
    return { sku, title: [product.title.ko, ...values].join(", ").slice(0, 200), price, limit_per_user: 1 };
  });
}

/** `id` names the draft to edit; `product` the one whose skus a new one begins with. */
export async function draftScreen({ id, product } = {}) {
  const old = id ? await staff(`/admin/v1/sales/${id}`) : null;
  const sold = product ? await staff(`/admin/v1/products/${product}`) : null;
  const given = old ?? { title: sold?.title.ko ?? "", items: sold ? itemsOf(sold) : [{ sku: "item-1", limit_per_user: 1 }] };
  const error = el("div");
  const items = groups({ legend: "item_n", add: "add_item", least: 1, most: ITEMS_MAX, make: (n, item = {}) => el("div", { class: "fields" },
    field(`sku-${n}`, t("sku"), { pattern: ID, value: item.sku ?? `item-${n}` }),
    field(`name-${n}`, t("item_title"), { maxlength: 200, value: item.title ?? "" }),
    field(`price-${n}`, t("price"), { type: "number", min: 0, step: 1, value: item.price?.amount ?? "" }),
    field(`stock-${n}`, t("stocked"), { type: "number", min: 0, step: 1, value: item.stock ?? "" }),
    field(`limit-${n}`, t("limit_per_user"), { type: "number", min: 0, step: 1, value: item.limit_per_user ?? 1 })) });

  async function send(event) {
    event.preventDefault();
    const data = Object.fromEntries(new FormData(event.target));
    const waits = "waiting_room" in data;
    const draft = {
      title: data.title, opens_at: instant(data.opens_at, old?.opens_at), closes_at: instant(data.closes_at, old?.closes_at),
      hold_seconds: Number(data.hold_seconds), payment_seconds: Number(data.payment_seconds), waiting_room: waits,
      items: items.numbers().map((n) => ({
        sku: data[`sku-${n}`], title: data[`name-${n}`], price: { amount: Number(data[`price-${n}`]), currency: data.currency },
        stock: Number(data[`stock-${n}`]), limit_per_user: Number(data[`limit-${n}`]),
      })),
    };
    if (waits && old?.line) {
      // How the line moves is not in this form, and stays as it is.
      const { pledge, ...line } = old.line;
      draft.line = line;
    }
    try {
      if (old) await staff(`/admin/v1/sales/${id}`, { method: "PUT", body: { version: old.version, ...draft } });
      else await staff("/admin/v1/sales", { method: "POST", body: { id: data.id, ...draft } });
      location.hash = `#/sales/${id ?? data.id}`;
    } catch (problem) { refuse(error, problem); }
  }

  for (const item of given.items) items.push(item);
  const at = (time, otherwise) => local(time ? Date.parse(time) : otherwise);
  const form = el("form", { onsubmit: send },
    el("div", { class: "fields" },
      old ? null : field("id", t("sale_id"), { pattern: ID, autocomplete: "off" }),
      field("title", t("title"), { maxlength: 200, value: given.title }),
      field("opens_at", t("opens"), { type: "datetime-local", value: at(old?.opens_at, Date.now()) }),
      field("closes_at", t("closes"), { type: "datetime-local", value: at(old?.closes_at, Date.now() + 86_400_000) }),
      field("hold_seconds", t("hold_seconds"), { type: "number", min: 1, max: 86400, value: old?.hold_seconds ?? 300 }),
      field("payment_seconds", t("payment_seconds"), { type: "number", min: 1, max: 86400, value: old?.payment_seconds ?? 300 }),
      field("currency", t("currency"), { pattern: "[A-Z]{3}", value: given.items[0]?.price?.currency ?? "KRW", maxlength: 3 })),
    el("label", {}, el("input", { type: "checkbox", name: "waiting_room", checked: old?.waiting_room ?? false }), t("waiting_room")),
    old?.line ? el("p", { class: "said" }, t("line_kept")) : null,
    items.part,
    el("p", { class: "row" }, el("button", { class: "go" }, t(old ? "save" : "write_down")), el("a", { class: "button", href: old ? `#/sales/${id}` : "#/" }, t("cancel"))));
  const title = old ? `${t("edit")}: ${old.title}` : t("new_sale");
  const head = [
    el("p", { class: "said" }, el("a", { href: "#/" }, t("sales")), old ? [" · ", el("a", { href: `#/sales/${id}` }, id)] : null), el("h1", {}, title),
  ];
  if (old && old.state !== "draft") return { parts: [...head, el("p", { class: "note bad" }, t("code_not_draft"))] };
  return { parts: [...head, el("p", { class: "said" }, t("new_sale_text")), error, form] };
}
