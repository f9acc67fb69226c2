// One order, as its buyer and staff see it: state, lines, sums, how it goes on, what happened. Shared by all pages that show one.
import { el, money, number, t, time } from "./page.js";

/** Its buyer has called it off after it was paid, and it has not been sent: it goes back. */
const isCalledOff = (order) => order.state === "paid" && order.cancel_asked_at && order.delivery?.state === "preparing";
/** Nothing changes any more without somebody's doing. */
export const isSettled = (order) => ["paid", "cancelled", "refunded", "parked"].includes(order.state) && !isCalledOff(order);
export const price = (order, amount) => money({ amount, currency: order.amounts.currency });
export const orderBadge = (state) => el("span", { class: `badge ${{ paid: "good", placed: "warn", charging: "warn", captured: "warn", undoing: "warn", parked: "bad" }[state] ?? ""}` }, t(`order_${state}`));

/** Lines and sums, of an order or a quote. */
export function sums(order) {
  const a = order.amounts;
  const row = (word, amount, strong) => el("tr", {}, el("th", { scope: "row" }, t(word)), el("td", { class: "n" }, strong ? el("strong", {}, price(order, amount)) : price(order, amount)));
  return el("table", { class: "sums" },
    el("caption", { class: "unseen" }, t("sum")),
    el("tbody", {},
      order.lines.map((line) => el("tr", {}, el("th", { scope: "row" }, `${line.title} × ${number(line.quantity)}`), el("td", { class: "n" }, price(order, line.unit * line.quantity)))),
      a.coupon > 0 && row("coupon", -a.coupon), a.points > 0 && row("points", -a.points),
      row("shipping", a.shipping), row("total", a.total, true),
      a.refunded > 0 && row("refunded_so_far", a.refunded), a.points_returned > 0 && row("points_returned", a.points_returned)));
}

/** What happened, in its order; `more` of an event is what staff sees beside it. */
export function timeline(order, more = () => null) {
  return el("ol", { class: "timeline" }, order.timeline.map((event) => el("li", {},
    time(event.at), " ", el("strong", {}, t(`event_${event.kind}`)),
    event.amount === null ? null : ` ${event.kind.startsWith("points") ? `${number(event.amount)} P` : price(order, event.amount)}`, more(event))));
}

export function delivery(order) {
  const d = order.delivery;
  if (!d) return null;
  const words = [t(`delivery_${d.state}`), d.carrier, d.tracking_number].filter(Boolean).join(" · ");
  return el("p", {}, el("strong", {}, `${t("delivery")}: `), words);
}

export function address(order) {
  const a = order.address;
  return a?.line1 ? el("p", { class: "said" }, [a.recipient, a.phone, a.postal_code, a.line1, a.line2].filter(Boolean).join(", ")) : null;
}

/** How it stands, told to its buyer. */
export const said = (order) => t(order.state === "cancelled" && order.reason === "settled_by_hand" ? "order_said_settled_by_hand" : `order_said_${order.state}`);

/** State and reason in words. */
export function headline(order) {
  return [orderBadge(order.state), order.reason ? el("span", { class: "said" }, ` ${t(`why_${order.reason}`)}`) : null];
}
