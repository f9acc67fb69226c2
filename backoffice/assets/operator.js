// The operator's page: the list of sales, one live screen per sale, drafts, products and notices, orders, the audit log. The address's fragment says which.
import { $, ask, button, call, el, languageSwitch, number, say, t, time } from "./page.js";
import * as session from "./session.js";
import { draftScreen } from "./draft.js";
import { liveScreen } from "./live.js";
import { noticeScreen, noticesScreen } from "./notices.js";
import { orderScreen, ordersScreen } from "./desk.js";
import { productScreen, productsScreen } from "./products.js";

const main = $("main");
let leave = () => {};
let turn = 0;

/** A call of staff; a token that is over leads back to the sign-in. */
export async function staff(path, options = {}) {
  try {
    return await call(path, { ...options, token: await session.token() });
  } catch (trouble) {
    if (trouble.status === 401) { session.forget(); show(); }
    throw trouble;
  }
}

export const badge = (state) => el("span", { class: `badge ${state}` }, t(`state_${state}`));
export const trouble = (error) => el("p", { class: "note bad", role: "alert" }, error.text ?? t("code_unavailable"));

const SCREENS = [
  [/^#\/new(?:\/([\w-]{1,64}))?$/, (product) => draftScreen({ product })],
  [/^#\/sales\/([\w-]{1,64})\/edit$/, (id) => draftScreen({ id })],
  [/^#\/sales\/([\w-]{1,64})$/, (id) => liveScreen(id)],
  [/^#\/new-product$/, () => productScreen()],
  [/^#\/products\/([\w-]{1,64})$/, (id) => productScreen(id)],
  [/^#\/products$/, () => productsScreen()],
  [/^#\/new-notice$/, () => noticeScreen()],
  [/^#\/notices\/([\w-]{1,64})$/, (id) => noticeScreen(id)],
  [/^#\/notices$/, () => noticesScreen()],
  [/^#\/orders\/([0-9a-f-]{36})$/, (id) => orderScreen(id)],
  [/^#\/orders$/, () => ordersScreen()],
  [/^#\/audit(?:\/(.+))?$/, (subject) => auditScreen(subject ? decodeURIComponent(subject) : "")],
  [/^/, () => listScreen()],
];

function tools() {
  $("tools").replaceChildren(languageSwitch());
  $("nav").hidden = !session.isOffice();
  if (!session.isSignedIn()) return;
  $("tools").prepend(el("span", { class: "who" }, `${session.name()} · ${t(`role_${session.role()}`)}`),
    button("sign_out", async () => { await session.signOut(); show(); }, { class: "small" }));
  const here = location.hash || "#/";
  const link = (to, word) => el("a", { href: to, "aria-current": here.startsWith(to) && (to !== "#/" || here === to) ? "page" : null }, t(word));
  $("nav").replaceChildren(...(session.isStaff() ? [link("#/", "sales"), link("#/products", "products"), link("#/notices", "notices"), link("#/orders", "orders"), link("#/audit", "audit_log")] : [link("#/orders", "orders")]));
  $("nav").setAttribute("aria-label", t("sections"));
}

async function show() {
  const mine = (turn += 1);
  leave();
  leave = () => {};
  tools();
  if (!session.isSignedIn()) return main.replaceChildren(session.signInForm(show));
  if (!session.isOffice()) return main.replaceChildren(el("h1", {}, t("sales")), el("p", { class: "note bad" }, t("not_staff")));
  // Finance has orders, and nothing else here.
  if (!session.isStaff() && !location.hash.startsWith("#/orders")) { history.replaceState(null, "", "#/orders"); tools(); }
  const [pattern, screen] = SCREENS.find(([pattern]) => pattern.test(location.hash));
  try {
    const made = await screen(pattern.exec(location.hash)[1]);
    // Somebody has gone on to another screen meanwhile.
    if (mine !== turn) return made.leave?.();
    leave = made.leave ?? (() => {});
    main.replaceChildren(...made.parts);
    document.title = `${main.querySelector("h1")?.textContent ?? ""} · Doorbuster`;
  } catch (error) {
    if (session.isSignedIn()) main.replaceChildren(el("h1", {}, t("sales")), trouble(error));
  }
  main.focus();
}

async function listScreen() {
  const rows = el("tbody");
  const more = el("p");
  async function load(cursor) {
    const page = await staff(`/admin/v1/sales?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
    rows.append(...page.sales.map((sale) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#/sales/${sale.id}` }, sale.title), el("div", { class: "said mono" }, sale.id)),
      el("td", {}, badge(sale.state)),
      el("td", { "data-name": t("opens") }, time(sale.opens_at)),
      el("td", { class: "n", "data-name": t("left") }, sale.left === null ? "–" : `${number(sale.left)} / ${number(sale.stocked)}`))));
    more.replaceChildren(page.next_cursor ? button("more", () => load(page.next_cursor)) : "");
    return page.sales.length;
  }
  const any = await load("");
  const head = ["sale", "state", "opens", "left_of"].map((word, i) => el("th", { scope: "col", class: i === 3 ? "n" : null }, t(word)));
  const table = el("div", { class: "scroll" }, el("table", { class: "stacked" }, el("thead", {}, el("tr", {}, head)), rows));
  return { parts: [
    el("h1", {}, t("sales")),
    el("div", { class: "row" },
      el("a", { class: "button go", href: "#/new" }, t("new_sale")),
      button("pause_all", pauseAll, { class: "stop" })),
    any ? table : el("p", { class: "note" }, t("no_sales")), more,
  ] };
}

async function pauseAll() {
  const yes = await ask({ title: t("pause_all"), text: t("pause_all_text"), yes: t("pause_all"), danger: true });
  if (!yes) return;
  try {
    const all = await staff("/admin/v1/sales/pause", { method: "POST" });
    say(t("paused_all", { paused: all.paused, failed: all.failed }));
    await show();
    main.prepend(el("p", { class: `note ${all.failed ? "bad" : "good"}`, role: "alert" }, t("paused_all", { paused: number(all.paused), failed: number(all.failed) })));
  } catch (error) { main.prepend(trouble(error)); }
}

async function auditScreen(subject) {
  const rows = el("tbody");
  const more = el("p");
  async function load(cursor) {
    const query = new URLSearchParams({ limit: "50" });
    if (subject) query.set("subject", subject);
    if (cursor) query.set("cursor", cursor);
    const page = await staff(`/admin/v1/audit-log?${query}`);
    const state = (word, value) => value !== null && el("div", {}, el("span", { class: "who" }, `${t(word)} `), el("code", {}, told(value)));
    rows.append(...page.entries.map((entry) => el("tr", {},
      el("td", {}, time(entry.at)),
      el("td", { "data-name": t("who") }, el("code", {}, entry.actor)),
      el("td", { "data-name": t("what") }, entry.action, el("div", {}, el("a", { href: `#/audit/${encodeURIComponent(entry.subject)}` }, entry.subject))),
      el("td", {}, state("before", entry.before), state("after", entry.after)),
      el("td", { "data-name": t("hash") }, el("code", { title: entry.hash }, entry.hash?.slice(0, 8) ?? "–")))));
    more.replaceChildren(page.next_cursor ? button("more", () => load(page.next_cursor)) : "");
  }
  await load("");
  const head = ["at", "who", "what", "change", "hash"].map((word) => el("th", { scope: "col" }, t(word)));
  return { parts: [
    el("h1", {}, subject ? `${t("audit_log")}: ${subject}` : t("audit_log")),
    el("p", { class: "said" }, t("audit_text"), " ", subject ? el("a", { href: "#/audit" }, t("whole_log")) : null),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("audit_log") },
      el("table", { class: "stacked log" }, el("thead", {}, el("tr", {}, head)), rows)), more,
  ] };
}

/** `state open · seq 7`, and what is no plain object as it is. */
function told(value) {
  const plain = (one) => (typeof one === "object" ? JSON.stringify(one) : String(one));
  return typeof value === "object" && !Array.isArray(value) ? Object.entries(value).map(([k, v]) => `${k} ${plain(v)}`).join(" · ") : plain(value);
}

addEventListener("hashchange", show);
session.takeHandedOver({ replaces: false });
show();
