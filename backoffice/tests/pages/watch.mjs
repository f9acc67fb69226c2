// A new operator's first sale, by page and from README alone, while a crowd arrives that whoever started this sends: see tests/it/onlooker.rs. A line
// of JSON on standard output asks for a part of the crowd; the answer on standard input is how many have been told what so far.
import { createInterface } from "node:readline";
import { PHONE, axe, clean, env, expect, failed, fits, launch, shot, tab } from "./driver.mjs";
import { HOME, confirm, fill, press, stateIs, until } from "./staff.mjs";

const [SALE, SKU, STOCK] = ["SALE", "SKU", "STOCK"].map(env);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (what) => console.log(JSON.stringify(what));

async function signIn(page) {
  await page.goto(HOME);
  await fill(page, { email: env("STAFF_EMAIL"), password: env("STAFF_PASSWORD") });
  await page.locator("form").first().locator("button").click();
  await page.locator("h1", { hasText: "Sales" }).waitFor();
}

async function writeProduct(page) {
  await page.locator("#nav a", { hasText: "Products" }).click();
  await page.locator("a.button", { hasText: "New product" }).click();
  await page.locator("#id").waitFor();
  for (const [what, id, ko, en] of [["seller", "first-maru", "마루 공방", "Maru Studio"], ["category", "first-mugs", "머그컵", "Mugs"]]) {
    await page.locator("button", { hasText: `New ${what}` }).click();
    await confirm(page, { id, ko, en });
    await page.locator(`#${what} option:checked`, { hasText: en }).waitFor({ state: "attached" });
  }
  await fill(page, { id: "first-mug", "title-ko": "달 머그컵", "title-en": "Moon mug" });
  await page.locator("button", { hasText: "One more sku" }).click();
  await fill(page, { "sku-1": SKU, "price-1": "28000" });
  await page.locator("button", { hasText: "Write it down" }).click();
  await page.locator("[data-verb=publish]").click();
  await confirm(page);
  await page.locator(".note.good", { hasText: "Shoppers find it" }).waitFor();
}

async function writeSale(page) {
  await page.locator("a", { hasText: "Sell it" }).click();
  await fill(page, { id: SALE, "stock-1": "5" });
  await page.locator("button", { hasText: "Write it down" }).click();
  await stateIs(page, "Draft");
  // Five are too few.
  await press(page, "edit");
  await page.locator(`a[href='#/sales/${SALE}']`).first().waitFor();
  await fill(page, { "stock-1": STOCK });
  await page.locator("button", { hasText: "Save" }).click();
  await page.locator("[data-switch=open]").waitFor();
  await press(page, "open");
  await confirm(page);
  await stateIs(page, "Open");
  await page.locator("[data-tile=engines] strong", { hasText: "1" }).waitFor();
  await until("the live screen has the stock", async () => (await look(page)).stock.left === Number(STOCK));
}

/** What stands on the live screen now. */
const look = (page) => page.evaluate(() => {
  const number = (element) => Number(element?.textContent.replaceAll(",", "") ?? NaN);
  const tile = (name) => number(document.querySelector(`[data-tile=${name}] strong`));
  return {
    stock: { left: tile("left"), held: tile("held"), sold: tile("sold") },
    answers: Object.fromEntries([...document.querySelectorAll("tr[data-code]")].map((row) => [row.dataset.code, number(row.children[1])])),
    law: document.querySelector("[data-tile=law] strong").textContent,
  };
});

const seen = new Set();
/** Has a part of the crowd come, and watches until the page has all that it was told. */
async function crowd(page, name) {
  tell({ do: "part" });
  let told = null;
  answers.next().then(({ value }) => { told = value; });
  const same = (one, other) => JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
  let deadline = Infinity;
  let shots = 0;
  for (;;) {
    const now = await look(page);
    const key = JSON.stringify(now);
    if (!seen.has(key)) {
      seen.add(key);
      const all = now.stock.left + now.stock.held + now.stock.sold;
      expect(`${name}: nothing is made or lost on the page`, all === Number(STOCK) && now.law === "holds", key);
      if (told === null && shots++ === 2) await shot(page, `watch-${name}`);
    }
    if (told !== null) {
      if (deadline === Infinity) deadline = Date.now() + 15_000;
      if (same(now.answers, JSON.parse(told))) return;
      if (Date.now() > deadline) return expect(`${name}: the page shows what buyers were told`, false, `${key} and not ${told}`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
}

const browser = await launch();
try {
  const page = await tab(browser);
  page.setDefaultTimeout(30_000);
  await signIn(page);
  await writeProduct(page);
  await writeSale(page);
  await crowd(page, "first");
  await press(page, "pause");
  await confirm(page);
  await stateIs(page, "Paused");
  await crowd(page, "paused");
  expect("who comes meanwhile is told so", (await page.locator("tr[data-code=paused]").textContent()).startsWith("Paused"));
  await axe(page, "paused, with a crowd");
  await press(page, "resume");
  await confirm(page);
  await stateIs(page, "Open");
  await crowd(page, "resumed");
  await fits(page, "after the crowd");
  await shot(page, "watch-end");
  await page.setViewportSize(PHONE);
  await fits(page, "after the crowd, on a phone");
  await shot(page, "watch-end-phone");
  const { stock, answers: told } = await look(page);
  await page.locator("a", { hasText: "Audit log of this sale" }).click();
  for (const action of ["sale.create", "sale.update", "sale.open", "sale.pause", "sale.resume"]) {
    await page.locator("td", { hasText: action }).first().waitFor();
    expect(`the audit log has ${action} once`, (await page.locator("td", { hasText: action }).count()) === 1);
  }
  await shot(page, "watch-audit");
  clean(page, "the first sale");
  tell({ stock, answers: told, looks: seen.size });
} finally {
  await browser.close();
}
process.exit(failed() ? 1 : 0);
