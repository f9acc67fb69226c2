// A browser, the people in front of it, and what every page must stand: no error, nothing from elsewhere, no axe violation.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const env = (name) => process.env[name] ?? "";
const OURS = [env("BACKOFFICE_URL"), env("ENGINE_URL")];
const SHOTS = env("SHOTS");

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

export async function launch() {
  return chromium.launch({ executablePath: env("CHROMIUM") || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
}

/** A tab of its own, with nothing remembered. Whatever goes wrong in it is in `page.wrong`. */
export async function tab(browser, { locale = "en-US", viewport = DESKTOP, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ locale, viewport, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.wrong = [];
  page.on("pageerror", (error) => page.wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A refusal that the page shows is also in the console.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.wrong.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!OURS.some((ours) => url.startsWith(`${ours}/`)) && !url.startsWith("data:")) page.wrong.push(`from elsewhere: ${url}`);
  });
  return page;
}

let failures = 0;
export function expect(what, ok, detail = "") {
  if (ok) return;
  failures += 1;
  console.error(`FAILED: ${what} ${detail}`);
}
export const failed = () => failures;

/** Evaluated past the page's policy, which allows no script of ours either. */
export async function axe(page, what) {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setBypassCSP", { enabled: true });
  await page.evaluate(AXE);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const said = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(" | ")}`);
  expect(`axe: ${what}`, said.length === 0, `\n  ${said.join("\n  ")}`);
}

export async function shot(page, name) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

/** The body as wide as the window: nothing is to be scrolled sideways. */
export async function fits(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(`${what} fits its width`, wide <= 0, `${wide} px too wide`);
}

export function clean(page, what) {
  expect(`${what} ran clean`, page.wrong.length === 0, page.wrong.join("\n"));
}

/** Calls an API directly, as a program would. */
export async function api(url, { method = "GET", token, key, body } = {}) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, json: await response.json().catch(() => null) };
}
