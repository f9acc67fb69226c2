// A new sale, written down as a draft. What cannot be accepted is said at the form, field by field, as the API says it.
import { button, el, t } from "./page.js";
import { staff, trouble } from "./operator.js";

const ITEMS_MAX = 256;

/** A time as the browser's own field writes it, in the operator's time zone. */
function local(ms) {
  const date = new Date(ms - new Date().getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

export async function draftScreen() {
  let count = 0;
  const items = el("div");
  const error = el("div");
  const field = (name, label, attributes) => el("div", {}, el("label", { for: name }, label), el("input", { id: name, name, required: true, ...attributes }));

  function addItem() {
    if (count >= ITEMS_MAX) return;
    const n = (count += 1);
    items.append(el("fieldset", { "data-item": n },
      el("legend", {}, t("item_n", { n })),
      el("div", { class: "fields" },
        field(`sku-${n}`, t("sku"), { pattern: "[A-Za-z0-9_\\-]{1,64}", value: n === 1 ? "item-1" : `item-${n}` }),
        field(`name-${n}`, t("item_title"), { maxlength: 200 }),
        field(`price-${n}`, t("price"), { type: "number", min: 0, step: 1 }),
        field(`stock-${n}`, t("stocked"), { type: "number", min: 0, step: 1 }),
        field(`limit-${n}`, t("limit_per_user"), { type: "number", min: 0, step: 1, value: 1 }))));
  }

  async function send(event) {
    event.preventDefault();
    const data = Object.fromEntries(new FormData(event.target));
    const at = (name) => new Date(data[name]).toISOString();
    const draft = {
      id: data.id, title: data.title, opens_at: at("opens_at"), closes_at: at("closes_at"),
      hold_seconds: Number(data.hold_seconds), payment_seconds: Number(data.payment_seconds), waiting_room: "waiting_room" in data,
      items: [...items.children].map(({ dataset: { item: n } }) => ({
        sku: data[`sku-${n}`], title: data[`name-${n}`], price: { amount: Number(data[`price-${n}`]), currency: data.currency },
        stock: Number(data[`stock-${n}`]), limit_per_user: Number(data[`limit-${n}`]),
      })),
    };
    try {
      await staff("/admin/v1/sales", { method: "POST", body: draft });
      location.hash = `#/sales/${draft.id}`;
    } catch (problem) { error.replaceChildren(trouble(problem)); error.scrollIntoView({ block: "center" }); }
  }

  addItem();
  const form = el("form", { onsubmit: send },
    el("div", { class: "fields" },
      field("id", t("sale_id"), { pattern: "[A-Za-z0-9_\\-]{1,64}", autocomplete: "off" }),
      field("title", t("title"), { maxlength: 200 }),
      field("opens_at", t("opens"), { type: "datetime-local", value: local(Date.now()) }),
      field("closes_at", t("closes"), { type: "datetime-local", value: local(Date.now() + 86_400_000) }),
      field("hold_seconds", t("hold_seconds"), { type: "number", min: 1, max: 86400, value: 300 }),
      field("payment_seconds", t("payment_seconds"), { type: "number", min: 1, max: 86400, value: 300 }),
      field("currency", t("currency"), { pattern: "[A-Z]{3}", value: "KRW", maxlength: 3 })),
    el("label", {}, el("input", { type: "checkbox", name: "waiting_room" }), t("waiting_room")),
    items,
    el("p", { class: "row" }, button("add_item", addItem), el("button", { class: "go" }, t("write_down"))));
  return { parts: [
    el("p", { class: "said" }, el("a", { href: "#/" }, t("sales"))), el("h1", {}, t("new_sale")),
    el("p", { class: "said" }, t("new_sale_text")), error, form,
  ] };
}
