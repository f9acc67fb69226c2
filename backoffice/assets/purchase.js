// Buying. What is asked for is written down in this browser with its key before it is sent; until an answer is here, the same is sent again under
// the same key: after a network that blinked, a reload, a closed tab. The engine holds once, however often it hears of it.
import { ask, button, call, el, number, put, remember, remembered, say, span, t } from "./page.js";
import * as session from "./session.js";

const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8_000;
/** The engine did not decide, or its word was lost: the same key finds out. */
const PASSING = ["offline", "overloaded", "recovering", "unavailable", "backlog", "rate_limited"];

export function purchaseOf({ sale, url, box, now, ticket, titleOf, onChange }) {
  /** Of this user: {key, items} while an answer is awaited, {key, items, held} after it. */
  const place = () => `doorbuster-purchase-${sale}-${session.user()}`;
  let busy = false;
  let said = null;
  let gaveUp = false;

  const read = () => { try { return JSON.parse(remembered(place())) ?? null; } catch { return null; } };
  const keep = (purchase) => remember(place(), purchase ? JSON.stringify(purchase) : null);

  async function buy(items) {
    if (busy) return;
    const purchase = { key: crypto.randomUUID(), items };
    keep(purchase);
    await send(purchase);
  }

  /** What a reload, or a closed tab, left without an answer. */
  async function resume() {
    const purchase = read();
    if (!purchase || busy) return;
    await send(purchase);
  }

  async function send(purchase) {
    busy = true;
    gaveUp = false;
    said = { kind: "", text: t("sending") };
    onChange(false);
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
      try {
        const headers = { "idempotency-key": purchase.key, ...(ticket() ? { "queue-ticket": ticket() } : {}), ...(purchase.held ? { receipt: purchase.held.receipt } : {}) };
        const held = await call(url, { method: "POST", headers, body: { items: purchase.items }, token: await session.token() });
        keep({ ...purchase, held });
        said = null;
        say(held.status === "held" ? t("held_said") : t(held.reason ? `reason_${held.reason}` : `status_${held.status}`));
        break;
      } catch (trouble) {
        if (PASSING.includes(trouble.code)) {
          said = { kind: "warn", text: `${trouble.text} ${t("same_again")}` };
          onChange(false);
          await new Promise((resolve) => setTimeout(resolve, Math.max(pause, trouble.wait * 1000)));
          continue;
        }
        if (trouble.status === 401) { said = { kind: "bad", text: t("sign_in_again") }; gaveUp = true; break; }
        // Decided: this will not be had. Another try is another purchase.
        keep(null);
        said = { kind: "bad", text: trouble.text };
        say(trouble.text);
        break;
      }
    }
    busy = false;
    onChange(true);
  }

  async function cancel(purchase) {
    const yes = await ask({ title: t("cancel_hold"), text: t("cancel_text"), yes: t("cancel_hold"), danger: true });
    if (!yes || busy) return;
    busy = true;
    try {
      await call(`${url}/${purchase.held.id}`, { method: "DELETE", token: await session.token() });
      keep(null);
      said = { kind: "good", text: t("reason_cancelled") };
    } catch (trouble) {
      said = { kind: "bad", text: trouble.text };
      if (trouble.code === "hold_ended") keep(null);
    }
    busy = false;
    onChange(true);
  }

  const parts = {
    title: el("h2", { id: "result-title" }, t("result")), note: el("p", { class: "note" }), held: el("div", { class: "note good", hidden: true }),
  };

  function draw() {
    const purchase = read();
    const held = purchase?.held;
    box.hidden = !said && !held && !busy;
    if (box.hidden) return;
    if (!box.firstChild) box.append(parts.title, parts.note, parts.held);
    parts.note.hidden = !said;
    if (said) { parts.note.className = `note ${said.kind}`; put(parts.note, said.text); }
    parts.held.hidden = !held || busy || gaveUp;
    if (held) drawHeld(purchase);
  }

  function drawHeld(purchase) {
    const { held } = purchase;
    const left = (new Date(held.hold_expires_at).getTime() - now()) / 1000;
    const runs = held.status === "held" && left > 0;
    if (parts.held.dataset.id !== held.id + held.status) {
      parts.held.dataset.id = held.id + held.status;
      const what = held.items.map((i) => `${titleOf(i.sku)} × ${number(i.quantity)}`).join(", ");
      parts.held.replaceChildren(el("strong", {}, held.status === "held" ? t("held_title") : t(held.reason ? `reason_${held.reason}` : `status_${held.status}`)),
        el("p", {}, what), el("p", { "data-left": "" }), el("p", { class: "said mono" }, held.id),
        el("p", { class: "row" }, held.status === "held" ? button("cancel_hold", () => cancel(purchase)) : "", button("done", () => { keep(null); said = null; onChange(false); })));
    }
    put(parts.held.querySelector("[data-left]"), held.status !== "held" ? "" : runs ? t("held_for", { time: span(left) }) : t("reason_expired"));
  }

  setInterval(() => { if (read()?.held) draw(); }, 1_000);
  return { buy, resume, draw, isBusy: () => busy };
}
