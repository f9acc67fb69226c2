// Orders on the operator's page: a list with filters, and one order with its timeline, its delivery, its refunds and what a person has to decide.
import { ask, button, el, number, remember, remembered, say, t, time } from "./page.js";
import * as session from "./session.js";
import { staff, trouble } from "./operator.js";
import { address, delivery, headline, price, sums, timeline } from "./order.js";

const STATES = ["", "parked", "placed", "charging", "captured", "paid", "undoing", "cancelled", "refunded"];
const LOOK_MS = 2_000;
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8_000;
const decides = (status) => status >= 400 && status < 500 && ![401, 408, 429].includes(status);
const labelled = (kind, values) => values.map((value) => ({ value, label: t(`${kind}_${value}`) }));
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
  // A refund that has no answer yet, with its key: it is sent until it has one, whatever happens to the tab or the network.
  const place = `doorbuster-refund-${id}-${session.user()}`;
  let timer = 0;
  let left = false;

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
      paid && !open && !remembered(place) && can("finance", "admin") ? button("refund", () => refund(order), { class: "stop" }) : null,
      order.state === "parked" && can("finance", "admin") ? button("decide", () => decide(order), { class: "go" }) : null,
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

  function done(order) {
    draw(order);
    notice.replaceChildren(el("p", { class: "note good" }, t("done_said")));
    say(t("done_said"));
  }

  async function change(method, what, sent) {
    try { done(await staff(`${path}/${what}`, { method, body: sent })); } catch (error) { notice.replaceChildren(trouble(error)); }
  }

  async function sendRefund() {
    let sent = null;
    try { sent = JSON.parse(remembered(place)); } catch { return; }
    for (let pause = PAUSE_MS; !left; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
      try {
        const order = await staff(`${path}/refunds`, { method: "POST", body: sent.body, headers: { "idempotency-key": sent.key } });
        remember(place, null);
        return done(order);
      } catch (error) {
        // Kept for whoever of this name signs in again.
        if (error.status === 401) return;
        if (decides(error.status)) {
          remember(place, null);
          await load().catch(() => {});
          return notice.replaceChildren(trouble(error));
        }
        notice.replaceChildren(el("p", { class: "note warn" }, t("adjust_again")));
        await new Promise((resolve) => setTimeout(resolve, Math.max(pause, (error.wait ?? 0) * 1000)));
      }
    }
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
      { name: "units", label: t("units"), options: labelled("units", ["restock", "write_off", "keep"]) },
      { name: "reason", label: t("reason"), attributes: { maxlength: "200" } }] });
    if (!answer) return;
    const lines = answer.sku === t("everything") ? {} : { lines: [{ sku: answer.sku, quantity: Number(answer.quantity), units: answer.units }] };
    // One key for one decision.
    remember(place, JSON.stringify({ key: crypto.randomUUID(), body: { ...lines, reason: answer.reason } }));
    await sendRefund();
  }

  async function decide(order) {
    const answer = await ask({ title: t("decide"), text: t(`why_${order.reason}`), yes: t("decide"), fields: [
      { name: "decision", label: t("decision"), options: labelled("decision", ["refund", "reacquire", "settled_by_hand"]) },
      { name: "reason", label: t("reason"), attributes: { maxlength: "200" } }] });
    if (answer) await change("POST", "decide", answer);
  }

  await load();
  if (remembered(place)) sendRefund();
  return { parts: [el("p", {}, el("a", { href: "#/orders" }, t("orders"))), el("h1", {}, t("order")), notice, body], leave: () => { left = true; clearTimeout(timer); } };
}
