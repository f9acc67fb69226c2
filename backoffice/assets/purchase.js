// Buying. What is asked for is written down in this browser with its key before it is sent; until an answer is here, the same is sent again under
// the same key: after a network that blinked, a reload, a closed tab. The engine holds once, however often it hears of it.
import { ask, button, call, el, number, put, remember, remembered, say, span, t } from "./page.js";
import * as session from "./session.js";
import { checkoutOf } from "./checkout.js";

const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8_000;
/** Decided, and not to be had. All else did not decide, or its word was lost: the same key finds out. */
const decides = (status) => status >= 400 && status < 500 && ![401, 408, 429].includes(status);

export function purchaseOf({ sale, url, box, now, ticket, titleOf, onChange, onSignIn }) {
  /** Of this user, by key: {key, items} while an answer is awaited, {key, items, held} after it, until it is put away. */
  const place = () => `doorbuster-purchases-${sale}-${session.user()}`;
  let busy = false;
  let said = null;

  const read = () => { try { return JSON.parse(remembered(place())) ?? {}; } catch { return {}; } };
  const write = (all) => remember(place(), Object.keys(all).length ? JSON.stringify(all) : null);
  const keep = (purchase) => write({ ...read(), [purchase.key]: purchase });
  const putAway = ({ key }) => { const { [key]: _, ...others } = read(); write(others); };
  const unanswered = () => Object.values(read()).find((purchase) => !purchase.held);

  async function buy(items) {
    if (busy) return;
    // What has no answer yet comes first: a second key beside it would be a second purchase.
    const purchase = unanswered() ?? { key: crypto.randomUUID(), items };
    keep(purchase);
    await send(purchase);
  }

  /** What a reload, or a closed tab, left without an answer; and how what is held stands now. */
  async function resume() {
    for (const purchase of Object.values(read())) if (!busy && session.isSignedIn()) await send(purchase);
  }

  async function send(purchase) {
    busy = true;
    said = { kind: "", text: t("sending") };
    onChange(false);
    let isSignedOut = false;
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
      try {
        const headers = { "idempotency-key": purchase.key, ...(ticket() ? { "queue-ticket": ticket() } : {}), ...(purchase.held ? { receipt: purchase.held.receipt } : {}) };
        const held = await call(url, { method: "POST", headers, body: { items: purchase.items }, token: await session.token() });
        keep({ ...purchase, held });
        said = null;
        say(held.status === "held" ? t("held_said") : t(held.reason ? `reason_${held.reason}` : `status_${held.status}`));
        break;
      } catch (trouble) {
        if (trouble.status === 401) { isSignedOut = true; break; }
        if (decides(trouble.status)) {
          // Another try is another purchase.
          putAway(purchase);
          said = { kind: "bad", text: trouble.text };
          say(trouble.text);
          break;
        }
        said = { kind: "warn", text: `${trouble.text ?? t("code_unavailable")} ${t("same_again")}` };
        onChange(false);
        await new Promise((resolve) => setTimeout(resolve, Math.max(pause, (trouble.wait ?? 0) * 1000)));
      }
    }
    busy = false;
    if (isSignedOut) { said = null; return onSignIn(); }
    onChange(true);
  }

  async function cancel(purchase) {
    const yes = await ask({ title: t("cancel_hold"), text: t("cancel_text"), yes: t("cancel_hold"), danger: true });
    if (!yes || busy) return;
    busy = true;
    try {
      await call(`${url}/${purchase.held.id}`, { method: "DELETE", token: await session.token() });
      putAway(purchase);
      said = { kind: "good", text: t("reason_cancelled") };
    } catch (trouble) {
      said = { kind: "bad", text: trouble.text };
      if (trouble.code === "hold_ended") putAway(purchase);
    }
    busy = false;
    onChange(true);
  }

  const parts = {
    title: el("h2", { id: "result-title" }, t("result")), note: el("p", { class: "note" }), helds: el("div"),
  };
  /** What is drawn of each, by key. */
  const drawn = new Map();
  /** The way to pay for each, by reservation. */
  const checkouts = new Map();

  function draw() {
    const helds = Object.values(read()).filter((purchase) => purchase.held);
    box.hidden = !said && !helds.length && !busy;
    if (box.hidden) return;
    if (!box.firstChild) box.append(parts.title, parts.note, parts.helds);
    parts.note.hidden = !said;
    if (said) { parts.note.className = `note ${said.kind}`; put(parts.note, said.text); }
    for (const [key, row] of drawn) if (!helds.some((purchase) => purchase.key === key)) { row.remove(); drawn.delete(key); }
    for (const purchase of helds) drawHeld(purchase);
  }

  function drawHeld(purchase) {
    const { key, held } = purchase;
    const left = (new Date(held.hold_expires_at).getTime() - now()) / 1000;
    const runs = held.status === "held" && left > 0;
    if (held.status !== "released" && !checkouts.has(held.id)) checkouts.set(held.id, checkoutOf({ sale, held, onSignIn, onChange: () => onChange(true) }));
    const checkout = checkouts.get(held.id);
    const isOrdered = checkout?.isOrdered() ?? false;
    if (!drawn.has(key)) {
      drawn.set(key, el("div", { class: "note good" }));
      parts.helds.append(drawn.get(key));
    }
    const row = drawn.get(key);
    if (row.dataset.id !== held.id + held.status + isOrdered) {
      row.dataset.id = held.id + held.status + isOrdered;
      const what = held.items.map((i) => `${titleOf(i.sku)} × ${number(i.quantity)}`).join(", ");
      row.replaceChildren(el("strong", {}, isOrdered ? t("order") : held.status === "held" ? t("held_title") : t(held.reason ? `reason_${held.reason}` : `status_${held.status}`)),
        el("p", {}, what), el("p", { "data-left": "" }), el("p", { class: "said mono" }, held.id), checkout?.box ?? "",
        el("p", { class: "row" }, held.status === "held" && !isOrdered ? button("cancel_hold", () => cancel(purchase)) : "", button("done", () => { putAway(purchase); said = null; onChange(false); })));
    }
    // Whoever pays has more time, and is told by his order.
    put(row.querySelector("[data-left]"), held.status !== "held" || isOrdered ? "" : runs ? t("held_for", { time: span(left) }) : t("reason_expired"));
  }

  setInterval(() => { if (drawn.size) draw(); }, 1_000);
  return { buy, resume, draw, isBusy: () => busy };
}
