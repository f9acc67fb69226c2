// The buyer's page: countdown by server time, a place in the line, buying, what came of it, and one's own reservations.
// The engine is asked about the sale and everything that decides; the back-office about what is one's own. Nothing that was sent is ever lost:
// what is under way is kept in this browser until its answer is here, and sent again under the same key.
import { $, button, call, el, languageSwitch, meta, money, number, put, say, span, t, time } from "./page.js";
import * as session from "./session.js";
import { lineOf } from "./line.js";
import { purchaseOf } from "./purchase.js";

const SALE = meta("sale");
const ENGINE = meta("engine");
const SALE_URL = `${ENGINE}/v1/sales/${SALE}`;
const LOOK_MS = 5_000;
const LOOK_SPREAD_MS = 3_000;

const main = $("main");
const head = el("div");
const clock = el("div", { class: "clock", role: "timer" });
const notice = el("div", { id: "notice" });
const lineBox = el("section", { hidden: true, "aria-labelledby": "line-title" });
const shop = el("section", { "aria-labelledby": "items-title" });
const resultBox = el("section", { "aria-labelledby": "result-title", hidden: true });
const mine = el("section", { "aria-labelledby": "mine-title", hidden: true });

let sale = null;
/** Server time less this browser's: a wrong clock opens nothing earlier. */
let ahead = 0;
let state = "";
/** Nothing will change any more; and when the engine wants to be asked again. */
let isOver = false;
let notBefore = 0;
const now = () => Date.now() + ahead;

const line = lineOf({ sale: SALE, url: `${SALE_URL}/tickets`, box: lineBox, onChange: () => draw() });
const purchase = purchaseOf({
  sale: SALE, url: `${SALE_URL}/reservations`, box: resultBox, now, ticket: () => line.ticket(), titleOf,
  // The books have it a moment after the engine.
  onSignIn: () => { session.forget(); start(); notice.replaceChildren(el("p", { class: "note warn" }, t("sign_in_again"))); },
  onChange: (settled) => { draw(); if (settled) for (const ms of [0, 1_500]) setTimeout(() => loadMine(""), ms); },
});

function titleOf(sku) {
  return sale?.items.find((item) => item.sku === sku)?.title ?? sku;
}

/** Between the sending and the answer, the server's clock stood where its answer says. */
async function look() {
  const sent = Date.now();
  if (isOver || sent < notBefore) return;
  try {
    const seen = await call(SALE_URL);
    const back = Date.now();
    const offset = new Date(seen.server_time).getTime() - (sent + back) / 2;
    if (sale === null || back - sent < 400) ahead = offset;
    sale = seen;
    isOver = seen.state === "closed";
    notice.replaceChildren();
  } catch (trouble) {
    if (trouble.code === "unknown_sale") return gone();
    notBefore = Date.now() + (trouble.wait ?? 0) * 1000;
    notice.replaceChildren(el("p", { class: "note warn" }, sale ? t("look_late") : trouble.text));
  }
  draw();
}

function gone() {
  isOver = true;
  main.replaceChildren(el("h1", {}, t("code_unknown_sale")), el("p", { class: "said mono" }, SALE));
}

/** What the sale is at this instant, the page's own clock included: it opens on the second, without a look. */
function phase() {
  if (!sale) return "";
  if (sale.state === "scheduled" && now() >= new Date(sale.opens_at).getTime()) return "open";
  if (["open", "scheduled", "paused"].includes(sale.state) && now() >= new Date(sale.closes_at).getTime()) return "closed";
  return sale.state;
}

function drawHead() {
  put($("brand"), sale.title ?? SALE);
  document.title = sale.title ?? SALE;
  if (!head.firstChild) head.append(el("h1", {}, sale.title ?? SALE), el("p", { class: "row" }, el("span", { id: "state" }), el("span", { id: "window", class: "said" })));
  const current = phase();
  const badge = $("state") ?? head.querySelector("#state");
  put(badge, t(`state_${current}`));
  badge.className = `badge ${current}`;
  if (state && state !== current) say(t(`state_${current}`));
  state = current;
  const edge = current === "scheduled" || current === "draft" ? ["opens", sale.opens_at] : ["closes", sale.closes_at];
  const place = head.querySelector("#window");
  if (place.dataset.at !== edge.join()) {
    place.dataset.at = edge.join();
    place.replaceChildren(t(edge[0]), " ", time(edge[1]));
  }
}

function drawClock() {
  if (!sale) return;
  const before = phase() !== state;
  const counts = state === "scheduled" || state === "draft";
  clock.hidden = !counts;
  if (counts) {
    const left = Math.max(0, Math.ceil((new Date(sale.opens_at).getTime() - now()) / 1000));
    const parts = [["days", Math.floor(left / 86400)], ["hours_word", Math.floor(left / 3600) % 24], ["minutes_word", Math.floor(left / 60) % 60], ["seconds_word", left % 60]]
      .filter(([word], i, all) => word !== "days" || all[0][1] > 0);
    if (clock.childElementCount !== parts.length) clock.replaceChildren(...parts.map(([word]) => el("div", {}, el("strong"), el("span", {}, t(word)))));
    parts.forEach(([, n], i) => put(clock.children[i].firstChild, String(n).padStart(2, "0")));
    clock.setAttribute("aria-label", t("opens_in", { time: span(left) }));
  }
  // Everybody's clock gets here at the same instant; the page knows already, and looks a little later.
  if (before) { draw(); setTimeout(look, Math.random() * LOOK_SPREAD_MS); }
}

const rows = new Map();
function drawItems() {
  if (!shop.firstChild) shop.append(el("h2", { id: "items-title" }, t("items")), el("div", { id: "rows" }));
  const list = shop.lastChild;
  for (const item of sale.items) {
    if (!rows.has(item.sku)) rows.set(item.sku, itemRow(item, list));
    rows.get(item.sku).draw(item);
  }
  if (!sale.items.length && list.childElementCount === 0) put(list, t("items_later"));
}

function itemRow(item, list) {
  if (!rows.size) list.replaceChildren();
  const most = Math.min(item.limit_per_user ?? 10, 10);
  const id = `quantity-${item.sku}`;
  const choice = el("select", { id }, Array.from({ length: Math.max(1, most) }, (_, i) => el("option", { value: i + 1 }, number(i + 1))));
  const label = el("label", { for: id, class: "unseen" }, `${t("quantity")}: ${item.title ?? item.sku}`);
  const buy = button("buy", () => purchase.buy([{ sku: item.sku, quantity: Number(choice.value) }]), { class: "go", "data-buy": item.sku, "aria-describedby": `left-${item.sku}` });
  const left = el("span", { class: "said", id: `left-${item.sku}` });
  const limit = item.limit_per_user ? ` · ${t("at_most", { n: number(item.limit_per_user) })}` : "";
  list.append(el("div", { class: "item" },
    el("div", { class: "what" }, el("strong", {}, item.title ?? item.sku), el("span", { class: "price" }, money(item.price)), " ", left),
    label, choice, buy));
  return {
    draw(next) {
      const gone = next.left === 0;
      put(left, (gone ? t("none_left") : t("n_left", { n: number(next.left) })) + limit);
      const turn = !sale.waiting_room || line.isAdmitted();
      const can = session.isSignedIn() && phase() === "open" && turn && !purchase.isBusy();
      buy.disabled = !can;
      choice.disabled = !can;
      choice.hidden = most <= 1;
      put(buy, gone ? t("try_anyway") : t("buy"));
    },
  };
}

function draw() {
  if (!sale) return;
  drawHead();
  drawClock();
  drawItems();
  line.draw({ wanted: sale.waiting_room && !["closed", "draft"].includes(phase()), opens: sale.opens_at, phase: phase() });
  purchase.draw();
}

async function loadMine(cursor) {
  if (!session.isSignedIn()) return;
  mine.hidden = false;
  if (!mine.firstChild) mine.append(el("h2", { id: "mine-title" }, t("my_reservations")), el("ul", { class: "plain" }), el("p", { class: "row" }));
  const [, list, foot] = mine.children;
  try {
    const page = await call(`/v1/me/reservations?limit=20${cursor ? `&cursor=${cursor}` : ""}`, { token: await session.token() });
    if (!cursor) list.replaceChildren();
    list.append(...page.reservations.map((one) => el("li", {},
      el("strong", {}, t(one.reason ? `reason_${one.reason}` : `status_${one.status}`)), " · ",
      one.items.map((i) => `${one.sale === SALE ? titleOf(i.sku) : i.sku} × ${number(i.quantity)}`).join(", "), " ",
      el("span", { class: "said" }, one.sale === SALE ? "" : `${one.sale} · `, time(one.created_at)))));
    if (!list.childElementCount) list.append(el("li", { class: "said" }, t("none_yet")));
    foot.replaceChildren(page.next_cursor ? button("more", () => loadMine(page.next_cursor)) : "", button("refresh", () => loadMine(""), { class: "small" }));
  } catch (trouble) { list.replaceChildren(el("li", { class: "said" }, trouble.text ?? t("code_unavailable"))); }
}

function start() {
  $("tools").replaceChildren(languageSwitch());
  if (session.isSignedIn()) {
    $("tools").prepend(el("span", { class: "who" }, session.name()), el("a", { href: "/orders" }, t("my_orders")), button("sign_out", async () => { await session.signOut(); location.reload(); }, { class: "small" }));
    main.replaceChildren(head, clock, notice, resultBox, lineBox, shop, mine);
    line.start();
    purchase.resume();
    loadMine("");
  } else {
    main.replaceChildren(head, clock, notice, shop, session.signInForm(start));
  }
  draw();
}

session.takeHandedOver({ replaces: true });
start();
look();
// Spread, so that a crowd that opened the page together does not look together.
setInterval(look, LOOK_MS + Math.random() * 2_000);
setInterval(drawClock, 250);
addEventListener("online", look);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
