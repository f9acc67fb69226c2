// What both pages are made with: elements, words in two languages, times and numbers, calls that say what went wrong.
import { WORDS } from "./words.js";

const LANGUAGES = { ko: "한국어", en: "English" };
const ANSWER_MS = 15_000;
const root = document.documentElement;
/** What a browser that keeps nothing (a sandbox, a full store) is remembered instead, for as long as the page lives. */
const kept = new Map();
let language = remembered("language") in LANGUAGES ? remembered("language") : root.lang;
root.lang = language;

/** What was written down in this browser under that name; empty where nothing was. */
export function remembered(name) {
  if (kept.has(name)) return kept.get(name);
  try { return localStorage.getItem(name) ?? ""; } catch { return ""; }
}
/** Null forgets. */
export function remember(name, value) {
  kept.delete(name);
  try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value); } catch { if (value !== null) kept.set(name, value); }
}

/** Forgets what stands under names that begin so and `gone` says of its value. */
export function forgetEach(beginning, gone) {
  let names = [...kept.keys()];
  try { names = [...names, ...Object.keys(localStorage)]; } catch { /* it keeps nothing */ }
  for (const name of names) if (name.startsWith(beginning) && gone(remembered(name))) remember(name, null);
}

/** The text behind `name`, with what stands in braces put in. */
export function t(name, values = {}) {
  const text = WORDS[language][name] ?? WORDS.en[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}
export const hasWord = (name) => name in WORDS.en;
export const lang = () => language;

/** An element; `attributes` may hold listeners (`onclick`) and `null` for none. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
export const button = (word, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, t(word));
export const $ = (id) => document.getElementById(id);
export const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

/** Sets text only where it differs, so that nothing is read out or drawn twice. */
export function put(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}
/** For those who listen: what changed, once. */
export function say(text) {
  const place = $("said");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 50);
}

export const number = (n) => new Intl.NumberFormat(language).format(n);
export function money(price) {
  if (!price) return "";
  const format = new Intl.NumberFormat(language, { style: "currency", currency: price.currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(price.amount / 10 ** digits);
}
export function when(text) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(text));
}
export function time(text) {
  return el("time", { datetime: text }, when(text));
}
/** Seconds in the words of people. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("seconds", { n: s });
  if (s < 3600) return t("minutes", { n: Math.ceil(s / 60) });
  return t("hours", { n: Math.ceil(s / 360) / 10 });
}

/** What a call came to when it was no success; `code` is the problem's, or `offline`. */
export class Trouble extends Error {
  constructor(code, detail, { status = 0, wait = 0, errors = [] } = {}) {
    super(detail);
    Object.assign(this, { code, status, wait, errors });
  }
  get text() {
    const known = `code_${this.code}`;
    const said = hasWord(known) ? t(known) : this.message;
    return [said, ...this.errors.map((e) => `${e.pointer}: ${e.detail}`)].join(" · ");
  }
}

/** One request; its JSON, or a Trouble. */
export async function call(url, { method = "GET", token = "", headers = {}, body, signal } = {}) {
  const sent = { "accept-language": language, ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let response;
  // An answer that does not come is none: whoever asked asks again.
  const late = AbortSignal.timeout(ANSWER_MS);
  try {
    response = await fetch(url, {
      method, headers: sent, signal: signal ? AbortSignal.any([signal, late]) : late, cache: "no-store", referrerPolicy: "no-referrer",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("offline", t("code_offline"));
  }
  let json = null;
  try { json = response.status === 204 ? null : await response.json(); } catch {
    if (response.ok) throw new Trouble("offline", t("code_offline"));
  }
  if (response.ok) return json;
  const wait = Number(response.headers.get("retry-after")) || 0;
  throw new Trouble(json?.code ?? "unavailable", json?.title ?? t("code_unavailable"), {
    status: response.status, wait, errors: json?.errors ?? [],
  });
}

/** Buttons that switch the language: the page is drawn anew. */
export function languageSwitch() {
  const other = language === "ko" ? "en" : "ko";
  return el("button", {
    type: "button", class: "small", lang: other,
    onclick: () => { remember("language", other); location.reload(); },
  }, LANGUAGES[other]);
}

/** Asks before something is done; what `fields` holds is in the answer. Null: no. */
export function ask({ title, text, yes, danger = false, fields = [] }) {
  return new Promise((resolve) => {
    const inputs = fields.map((field) => {
      const id = `ask-${field.name}`;
      const attributes = { id, name: field.name, required: true, ...field.attributes };
      const input = field.options
        ? el("select", attributes, field.options.map((o) => el("option", { value: o.value ?? o }, o.label ?? o)))
        : el("input", attributes);
      return [el("label", { for: id }, field.label), input];
    });
    const no = el("button", { type: "button", onclick: () => dialog.close("") }, t("cancel"));
    const form = el("form", { method: "dialog" },
      el("h2", { id: "ask-title" }, title), text ? el("p", {}, text) : null, inputs,
      el("div", { class: "row" }, no, el("button", { class: danger ? "stop" : "go", value: "yes" }, yes)));
    const dialog = el("dialog", { "aria-labelledby": "ask-title" }, form);
    dialog.addEventListener("close", () => {
      const answer = dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null;
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    if (!fields.length) no.focus();
  });
}
