// Notices to all shoppers on the operator's page: a list, and one to write down, edit and take away.
import { ask, button, el, t, time } from "./page.js";
import { staff } from "./operator.js";
import { ID, field, inWords, instant, local, refuse } from "./forms.js";

const WEEK_MS = 7 * 86_400_000;
const lines = (text) => text.replaceAll("\r\n", "\n");

export async function noticesScreen() {
  const rows = el("tbody");
  const more = el("p");
  async function load(cursor) {
    const page = await staff(`/admin/v1/notices?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
    rows.append(...page.notices.map((notice) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: `#/notices/${notice.id}` }, inWords(notice.title)), el("div", { class: "said mono" }, notice.id)),
      el("td", { "data-name": t("starts") }, time(notice.starts_at)), el("td", { "data-name": t("ends") }, time(notice.ends_at)))));
    more.replaceChildren(page.next_cursor ? button("more", () => load(page.next_cursor)) : "");
    return page.notices.length;
  }
  const any = await load("");
  const head = ["notice", "starts", "ends"].map((word) => el("th", { scope: "col" }, t(word)));
  const table = el("div", { class: "scroll" }, el("table", { class: "stacked" }, el("thead", {}, el("tr", {}, head)), rows));
  return { parts: [el("h1", {}, t("notices")), el("p", {}, el("a", { class: "button go", href: "#/new-notice" }, t("new_notice"))), any ? table : el("p", { class: "note" }, t("none_yet")), more] };
}

export async function noticeScreen(id) {
  const old = id ? await staff(`/admin/v1/notices/${id}`) : null;
  const error = el("div");
  async function send(event) {
    event.preventDefault();
    const data = Object.fromEntries(new FormData(event.target));
    const notice = {
      title: { ko: data["title-ko"], en: data["title-en"] }, body: { ko: lines(data["body-ko"]), en: lines(data["body-en"]) },
      starts_at: instant(data.starts_at, old?.starts_at), ends_at: instant(data.ends_at, old?.ends_at),
    };
    try {
      if (old) await staff(`/admin/v1/notices/${id}`, { method: "PUT", body: { version: old.version, ...notice } });
      else await staff("/admin/v1/notices", { method: "POST", body: { id: data.id, ...notice } });
      location.hash = "#/notices";
    } catch (problem) { refuse(error, problem); }
  }
  async function takeAway() {
    if (!(await ask({ title: `${t("take_away")}: ${inWords(old.title)}`, text: t("take_away_text"), yes: t("take_away"), danger: true }))) return;
    try {
      await staff(`/admin/v1/notices/${id}`, { method: "DELETE" });
      location.hash = "#/notices";
    } catch (problem) { refuse(error, problem); }
  }
  const at = (text, otherwise) => local(text ? Date.parse(text) : otherwise);
  const both = (name, more) => ["ko", "en"].map((language) => field(`${name}-${language}`, t(`${name}_${language}`), { lang: language, value: old?.[name][language] ?? "", ...more }));
  const form = el("form", { onsubmit: send },
    el("div", { class: "fields" },
      old ? null : field("id", t("id"), { pattern: ID, autocomplete: "off" }),
      field("starts_at", t("starts"), { type: "datetime-local", value: at(old?.starts_at, Date.now()) }),
      field("ends_at", t("ends"), { type: "datetime-local", value: at(old?.ends_at, Date.now() + WEEK_MS) })),
    el("div", { class: "fields" }, both("title", { maxlength: 200 })), el("div", { class: "fields" }, both("body", { area: true, maxlength: 10_000, required: false })),
    el("p", { class: "row" }, el("button", { class: "go" }, t(old ? "save" : "write_down")), old ? button("take_away", takeAway, { class: "stop" }) : null, el("a", { class: "button", href: "#/notices" }, t("cancel"))));
  return { parts: [el("p", { class: "said" }, el("a", { href: "#/notices" }, t("notices"))), el("h1", {}, old ? inWords(old.title) : t("new_notice")), error, form] };
}
