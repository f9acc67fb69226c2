// The buyer's page of orders: a list with filters, and one order with its timeline, named by the address's fragment.
import { $, ask, button, call, el, languageSwitch, say, t, time } from "./page.js";
import * as session from "./session.js";
import { address, delivery, headline, isSettled, orderBadge, price, sums, timeline } from "./order.js";

const LOOK_MS = 2_000;
const STATES = ["", "paid", "charging", "cancelled", "refunded"];
const main = $("main");
let turn = 0;
let filter = "";

async function mine(path, options = {}) {
  try { return await call(path, { ...options, token: await session.token() }); } catch (trouble) {
    if (trouble.status === 401) { session.forget(); show(); }
    throw trouble;
  }
}
const note = (error) => el("p", { class: "note bad", role: "alert" }, error.text ?? t("code_unavailable"));

async function show() {
  const now = (turn += 1);
  document.title = t("my_orders");
  $("brand").textContent = t("my_orders");
  $("tools").replaceChildren(languageSwitch());
  if (!session.isSignedIn()) return main.replaceChildren(session.signInForm(show));
  $("tools").prepend(el("span", { class: "who" }, session.name()), button("sign_out", async () => { await session.signOut(); show(); }, { class: "small" }));
  const id = /^#([0-9a-f-]{36})$/.exec(location.hash)?.[1];
  try { await (id ? one(id, now) : list(now)); } catch (error) { if (now === turn && session.isSignedIn()) main.replaceChildren(el("h1", {}, t("my_orders")), note(error)); }
  if (now === turn) main.focus();
}

async function list(now) {
  const rows = el("ul", { class: "plain" });
  const more = el("p");
  async function load(cursor) {
    const query = new URLSearchParams({ limit: "20" });
    if (filter) query.set("state", filter);
    if (cursor) query.set("cursor", cursor);
    const page = await mine(`/v1/orders?${query}`);
    rows.append(...page.orders.map((order) => el("li", { class: "item" }, el("div", { class: "what" },
      el("a", { href: `#${order.id}` }, el("strong", {}, order.lines.map((line) => `${line.title} × ${line.quantity}`).join(", "))),
      el("span", { class: "said" }, time(order.created_at), order.delivery ? ` · ${t(`delivery_${order.delivery.state}`)}` : "")),
    el("span", { class: "price" }, price(order, order.amounts.total)), orderBadge(order.state))));
    if (!rows.childElementCount) rows.append(el("li", { class: "said" }, t("none_yet")));
    more.replaceChildren(page.next_cursor ? button("more", () => load(page.next_cursor)) : "");
  }
  const choice = el("select", { id: "filter", onchange: () => { filter = choice.value; show(); } },
    STATES.map((state) => el("option", { value: state, selected: state === filter }, t(state ? `order_${state}` : "all_orders"))));
  await load("");
  if (now === turn) main.replaceChildren(el("h1", {}, t("my_orders")), el("label", { for: "filter" }, t("state")), choice, rows, more);
}

async function one(id, now) {
  const said = el("div");
  const order = await mine(`/v1/orders/${id}`);
  if (now !== turn) return;
  const can = ["placed", "charging", "captured"].includes(order.state) || (order.state === "paid" && order.delivery?.state === "preparing");
  async function cancel() {
    const yes = await ask({ title: t("cancel_order"), text: t("cancel_order_text"), yes: t("cancel_order"), danger: true });
    if (!yes) return;
    try { await mine(`/v1/orders/${id}/cancel`, { method: "POST" }); say(t("cancel_asked")); show(); } catch (error) { said.replaceChildren(note(error)); }
  }
  main.replaceChildren(...[
    el("p", {}, el("a", { href: "#" }, t("all_orders"))),
    el("h1", {}, order.lines.map((line) => line.title).join(", ")),
    el("p", {}, headline(order)), el("p", { class: "said mono" }, order.id), said,
    order.cancel_asked_at && !isSettled(order) ? el("p", { class: "note warn" }, t("cancel_asked")) : null,
    sums(order), delivery(order), address(order),
    el("h2", {}, t("what_happened")), timeline(order),
    el("p", { class: "row" }, can && !order.cancel_asked_at ? button("cancel_order", cancel, { class: "stop" }) : "", button("refresh", show, { class: "small" })),
  ].filter(Boolean));
  if (!isSettled(order)) setTimeout(() => { if (now === turn) one(id, now).catch(() => {}); }, LOOK_MS);
}

addEventListener("hashchange", show);
session.takeHandedOver({ replaces: true });
show();
