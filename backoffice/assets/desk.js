// Orders on the operator's page: a list with filters, and one order with its timeline, its delivery, its refunds and what a person has to decide.
import { ask, button, el, number, say, t, time } from "./page.js";
import * as session from "./session.js";
import { staff, trouble } from "./operator.js";
import { address, delivery, headline, price, sums, timeline } from "./order.js";

const STATES = ["", "parked", "placed", "charging", "captured", "paid", "undoing", "cancelled", "refunded"];
const LOOK_MS = 2_000;
const can = (...roles) => roles.includes(session.role());

export async function ordersScreen() {
  const rows = el("tbody");
  const more = el("p");
  const chosen = { state: "", sale: "", user: "" };
  async function load(cursor) {
    const query = new URLSearchParams({ limit: "50" });
    for (const [name, value] of Object.entries(chosen)) if (value) query.set(name, value);
    if (cursor) query.set("cursor", cursor); else rows.replaceChildren();
    const page = await staff(`/admin/v1/orders?${query}`);
    rows.append(...page.orders.map((order) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#/orders/${order.id}` }, order.lines.map((line) => `${line.title} × ${number(line.quantity)}`).join(", ")), el("div", { class: "said mono" }, order.id)),
      el("td", {}, headline(order)),
      el("td", { "data-name": t("sale") }, order.sale), el("td", { "data-name": t("who") }, el("code", {}, order.user)),
      el("td", { "data-name": t("at") }, time(order.created_at)),
      el("td", { class: "n", "data-name": t("total") }, price(order, order.amounts.total)))));
    if (!rows.childElementCount) rows.append(el("tr", {}, el("td", { colspan: "6", class: "said" }, t("none_yet"))));
    more.replaceChildren(page.next_cursor ? button("more", () => load(page.next_cursor)) : "");
  }
  const said = el("div");
  const changed = (name) => (event) => { chosen[name] = event.target.value.trim(); said.replaceChildren(); load("").catch((error) => said.replaceChildren(trouble(error))); };
  const filters = el("div", { class: "fields" },
    el("div", {}, el("label", { for: "order-state" }, t("state")), el("select", { id: "order-state", onchange: changed("state") }, STATES.map((state) => el("option", { value: state }, t(state ? `order_${state}` : "all_orders"))))),
    ["sale", "user"].map((name) => el("div", {}, el("label", { for: `order-${name}` }, t(name === "user" ? "buyer" : "sale")), el("input", { id: `order-${name}`, spellcheck: "false", autocomplete: "off", onchange: changed(name) }))));
  await load("");
  const head = ["order", "state", "sale", "buyer", "at", "total"].map((word) => el("th", { scope: "col", class: word === "total" ? "n" : null }, t(word)));
  return { parts: [el("h1", {}, t("orders")), filters, said,
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("orders") }, el("table", { class: "stacked" }, el("thead", {}, el("tr", {}, head)), rows)), more] };
}

export async function orderScreen(id) {
  const path = `/admin/v1/orders/${id}`;
  const notice = el("div");
  const body = el("div");
  let timer = 0;

  async function load() {
    clearTimeout(timer);
    draw(await staff(path));
  }

  function draw(order) {
    const open = order.refunds.some((refund) => ["open", "repaid"].includes(refund.state));
    const paid = order.state === "paid";
    const doing = [
      paid && order.delivery?.state === "preparing" && can("operator", "admin") ? button("ship", () => ship(order), { class: "go" }) : null,
      paid && order.delivery?.state === "shipped" && can("operator", "admin") ? button("delivered", () => change("PUT", "delivery", { state: "delivered" })) : null,
      paid && !open && can("finance", "admin") ? button("refund", () => refund(order), { class: "stop" }) : null,
      order.state === "parked" ? button("decide", () => decide(order), { class: "go" }) : null,
    ].filter(Boolean);
    body.replaceChildren(...[
      el("p", {}, headline(order)), el("p", { class: "said mono" }, order.id),
      el("p", {}, `${t("buyer")}: `, el("code", {}, order.user), " · ", el("a", { href: `#/sales/${order.sale}` }, order.sale), " · ", time(order.created_at)),
      el("div", { class: "row" }, doing),
      sums(order), delivery(order), address(order),
      order.refunds.length ? el("section", { "aria-labelledby": "refunds" }, el("h2", { id: "refunds" }, t("refunds")), el("ul", { class: "plain" }, order.refunds.map((r) => el("li", {},
        el("strong", {}, t(`refund_${r.state}`)), ` ${price(order, r.amount)}${r.points ? ` + ${number(r.points)} P` : ""} · ${r.reason} `, r.problem ? el("span", { class: "bad" }, r.problem) : null, " ", time(r.created_at))))) : null,
      el("h2", {}, t("what_happened")),
      timeline(order, (event) => (event.data ? el("div", { class: "said mono" }, JSON.stringify(event.data)) : null)),
      el("p", {}, el("a", { href: `#/audit/${encodeURIComponent(`order:${order.id}`)}` }, t("audit_log"))),
    ].filter(Boolean));
    if (open || ["placed", "charging", "captured", "undoing"].includes(order.state)) timer = setTimeout(() => load().catch(() => {}), LOOK_MS);
  }

  async function change(method, what, sent, key = null) {
    try {
      draw(await staff(`${path}/${what}`, { method, body: sent, headers: key ? { "idempotency-key": key } : {} }));
      notice.replaceChildren(el("p", { class: "note good" }, t("done_said")));
      say(t("done_said"));
    } catch (error) { notice.replaceChildren(trouble(error)); }
  }

  async function ship(order) {
    const answer = await ask({ title: t("ship"), text: order.lines.map((line) => `${line.title} × ${number(line.quantity)}`).join(", "), yes: t("ship"), fields: [
      { name: "carrier", label: t("carrier"), attributes: { maxlength: "100" } },
      { name: "tracking_number", label: t("tracking_number"), attributes: { maxlength: "64", pattern: "[0-9A-Za-z\\-]+" } }] });
    if (answer) await change("PUT", "delivery", { state: "shipped", ...answer });
  }

  async function refund(order) {
    const answer = await ask({ title: t("refund"), text: t("refund_text"), yes: t("refund"), danger: true, fields: [
      { name: "sku", label: t("sku"), options: [t("everything"), ...order.lines.map((line) => line.sku)] },
      { name: "quantity", label: t("quantity"), attributes: { type: "number", min: "1", step: "1", value: "1" } },
      { name: "units", label: t("units"), options: ["restock", "write_off", "keep"] },
      { name: "reason", label: t("reason"), attributes: { maxlength: "200" } }] });
    if (!answer) return;
    const lines = answer.sku === t("everything") ? {} : { lines: [{ sku: answer.sku, quantity: Number(answer.quantity), units: answer.units }] };
    // One key for one decision.
    await change("POST", "refunds", { ...lines, reason: answer.reason }, crypto.randomUUID());
  }

  async function decide(order) {
    const answer = await ask({ title: t("decide"), text: t(`why_${order.reason}`), yes: t("decide"), fields: [
      { name: "decision", label: t("decision"), options: ["refund", "reacquire"] },
      { name: "reason", label: t("reason"), attributes: { maxlength: "200" } }] });
    if (answer) await change("POST", "decide", answer);
  }

  await load();
  return { parts: [el("p", {}, el("a", { href: "#/orders" }, t("orders"))), el("h1", {}, t("order")), notice, body], leave: () => clearTimeout(timer) };
}
