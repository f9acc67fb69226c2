// What staff does on every screen of the operator's page: signing in, confirming, using a switch.
import { env } from "./driver.mjs";

export const HOME = `${env("BACKOFFICE_URL")}/`;

export async function signInByToken(page) {
  await page.locator("summary").click();
  await page.locator("#token").fill(env("STAFF_TOKEN"));
  await page.locator("form").nth(1).locator("button").click();
}

export async function confirm(page, fields = {}) {
  const dialog = page.locator("dialog");
  for (const [name, value] of Object.entries(fields)) {
    const input = dialog.locator(`[name=${name}]`);
    if ((await input.evaluate((e) => e.tagName)) === "SELECT") await input.selectOption(value);
    else await input.fill(value);
  }
  await dialog.locator("button[value=yes]").click();
  await dialog.waitFor({ state: "detached" });
}

export async function press(page, word) {
  await page.locator(`[data-switch=${word}]`).click();
}

export const stateIs = (page, text) => page.locator(".badge", { hasText: text }).first().waitFor();

export async function fill(page, fields) {
  for (const [id, value] of Object.entries(fields)) await page.locator(`#${id}`).fill(value);
}

/** Looks until it is so, from outside of the page: its policy lets nothing be evaluated again and again inside. */
export async function until(what, isSo) {
  for (let tries = 0; tries < 150; tries += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  throw new Error(`not within 15 s: ${what}`);
}
/** The field has this value. */
export const has = (page, id, value) => until(`#${id} is ${value}`, async () => (await page.locator(`#${id}`).inputValue()) === value);
