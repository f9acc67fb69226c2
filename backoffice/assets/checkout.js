// From what is set aside to what is paid: address, coupon, points, the sum, payment, the result. What is sent is written down with its key
// first, and sent again under the same key until there is an answer: nobody pays twice, whatever happens to the tab or the network.
import { ask, button, call, el, forgetEach, put, remember, remembered, say, t } from "./page.js";
import * as session from "./session.js";
import { delivery, headline, isSettled, price, said, sums, timeline } from "./order.js";

const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8_000;
const LOOK_MS = 1_500;
/** A hold and its payment are over by then, however long the sale gives them; the order that came of it is found among the buyer's. */
const KEPT_MS = 2 * 24 * 3600 * 1000;
const FIELDS = [["recipient", "name", 100], ["phone", "tel", 32], ["postal_code", "postal-code", 16], ["line1", "address-line1", 200], ["line2", "address-line2", 200]];
const decides = (status) => status >= 400 && status < 500 && ![401, 408, 429].includes(status);

/** `held` is the reservation; `onChange` hears that the order stands otherwise. */
export function checkoutOf({ sale, held, onChange, onSignIn }) {
  const place = `doorbuster-order-${held.id}-${session.user()}`;
  const box = el("div", { class: "checkout" });
  const note = el("p", { class: "note", role: "alert", hidden: true });
  let order = null;
  let turn = 0;

  const read = () => { try { return JSON.parse(remembered(place)); } catch { return null; } };
  forgetEach("doorbuster-order-", (sent) => { try { const { body, at } = JSON.parse(sent); return Boolean(body) && !(Date.now() - at < KEPT_MS); } catch { return true; } });
  const say_ = (kind, text) => { note.hidden = !text; note.className = `note ${kind}`; put(note, text); };
  const signedOut = (trouble) => { if (trouble.status === 401) { onSignIn(); return true; } return false; };

  async function start() {
    const sent = read();
    if (sent?.id) return follow(sent.id);
    if (sent) { box.replaceChildren(note); return send(sent); }
    if (held.status !== "held") return;
    box.replaceChildren(note, el("p", { class: "row" }, button("order_and_pay", form, { class: "go", "data-order": held.id })));
  }

  async function form() {
    const id = (name) => `${name}-${held.id}`;
    let addresses = [];
    try { addresses = (await call("/v1/me/addresses", { token: await session.token() })).addresses; } catch (trouble) { if (signedOut(trouble)) return; }
    const other = el("div", { class: "fields", hidden: addresses.length > 0 }, FIELDS.map(([name, fill, most]) => el("div", {},
      el("label", { for: id(name) }, t(`address_${name}`)),
      el("input", { id: id(name), name, autocomplete: fill, maxlength: most }))));
    const chosen = el("select", { id: id("address"), name: "address", onchange: () => { other.hidden = chosen.value !== "other"; } },
      addresses.map((a) => el("option", { value: a.id }, `${a.recipient}, ${a.line1}`)), el("option", { value: "other" }, t("address_other")), el("option", { value: "none" }, t("address_none")));
    const coupon = el("input", { id: id("coupon"), name: "coupon", autocomplete: "off", spellcheck: "false", onchange: quote });
    const points = el("input", { id: id("points"), name: "points", type: "number", min: "0", step: "1", value: "0", onchange: quote });
    const card = el("input", { id: id("card"), name: "card", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": id("card-text") });
    const sum = el("div", { "aria-live": "polite" });
    const pay = el("button", { class: "go wide", "data-pay": held.id }, t("pay"));

    async function quote() {
      const mine = (turn += 1);
      pay.disabled = true;
      try {
        const found = await call("/v1/quotes", { method: "POST", token: await session.token(), body: { sale, reservation: held.id, points: Number(points.value) || 0, coupon: coupon.value.trim() || null } });
        if (mine !== turn) return;
        sum.replaceChildren(sums(found));
        put(pay, t("pay_sum", { sum: price(found, found.amounts.total) }));
        pay.disabled = false;
        say_("", "");
      } catch (trouble) {
        if (mine !== turn || signedOut(trouble)) return;
        sum.replaceChildren();
        say_("bad", trouble.text);
      }
    }

    function submit(event) {
      event.preventDefault();
      const given = Object.fromEntries(FIELDS.map(([name]) => [name, other.querySelector(`[name=${name}]`).value.trim()]));
      const address = chosen.value === "none" ? null : chosen.value === "other" ? { ...given, country: "KR" } : { id: chosen.value };
      const body = { sale, reservation: held.id, payment: { method: "card", token: card.value.trim() }, points: Number(points.value) || 0, coupon: coupon.value.trim() || null, address };
      send({ key: crypto.randomUUID(), body, at: Date.now() });
    }

    const field = (word, input, hint) => el("div", {}, el("label", { for: input.id }, t(word)), input, hint ? el("p", { class: "said", id: id("card-text") }, t(hint)) : null);
    box.replaceChildren(note, el("form", { onsubmit: submit, "aria-label": t("order_and_pay") },
      field("address", chosen), other,
      el("div", { class: "fields" }, field("coupon_code", coupon), field("points_to_spend", points)),
      sum, field("card", card, "card_text"), el("p", {}, pay)));
    chosen.focus();
    await quote();
  }

  async function send(sent) {
    remember(place, JSON.stringify(sent));
    box.replaceChildren(note);
    say_("", "");
    say_("warn", t("paying"));
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
      try {
        order = await call("/v1/orders", { method: "POST", headers: { "idempotency-key": sent.key }, body: sent.body, token: await session.token() });
        // What stands for the card is needed no more.
        remember(place, JSON.stringify({ id: order.id }));
        return follow(order.id);
      } catch (trouble) {
        if (signedOut(trouble)) return;
        if (decides(trouble.status) || trouble.code === "payments_off") {
          remember(place, null);
          await form();
          say_("bad", trouble.text);
          return say(trouble.text);
        }
        say_("warn", `${trouble.text ?? t("code_unavailable")} ${t("same_again")}`);
        await new Promise((resolve) => setTimeout(resolve, Math.max(pause, (trouble.wait ?? 0) * 1000)));
      }
    }
  }

  /** Looks until it has come to an end, and shows how far it is. */
  async function follow(id) {
    for (;;) {
      try { order = await call(`/v1/orders/${id}`, { token: await session.token() }); } catch (trouble) {
        if (signedOut(trouble)) return;
        if (decides(trouble.status)) return say_("bad", trouble.text);
        say_("warn", trouble.text ?? t("code_unavailable"));
      }
      if (order) draw();
      if (order && isSettled(order)) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    say(t(`order_${order.state}`));
    onChange();
  }

  function draw() {
    const leaves = order.cancel_asked_at && !isSettled(order);
    if (leaves) say_("warn", t("cancel_asked"));
    else say_({ paid: "good", cancelled: "bad", parked: "warn" }[order.state] ?? "warn", said(order));
    const can = order.state === "paid" && order.delivery?.state === "preparing" && !leaves;
    box.replaceChildren(note, el("p", {}, headline(order)), sums(order), ...[delivery(order)].filter(Boolean),
      el("details", {}, el("summary", {}, t("what_happened")), timeline(order)),
      el("p", { class: "row" }, can ? button("cancel_order", cancel, { class: "small" }) : "", el("a", { href: `/orders#${order.id}` }, t("my_orders"))));
  }

  async function cancel() {
    const yes = await ask({ title: t("cancel_order"), text: t("cancel_order_text"), yes: t("cancel_order"), danger: true });
    if (!yes) return;
    try {
      order = await call(`/v1/orders/${order.id}/cancel`, { method: "POST", token: await session.token() });
      await follow(order.id);
    } catch (trouble) { if (!signedOut(trouble)) say_("bad", trouble.text); }
  }

  start();
  return { box, isOrdered: () => read() !== null };
}
