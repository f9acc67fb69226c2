// The operator's page: signing in, writing a sale down, editing, opening, watching, pausing, adjusting, closing, the audit log.
import { DESKTOP, PHONE, api, axe, clean, env, expect, fits, shot, tab } from "./driver.mjs";
import { HOME, confirm, has, press, signInByToken, stateIs } from "./staff.mjs";

const ENGINE = env("ENGINE_URL");

async function buy(sale, from, count) {
  const tokens = JSON.parse(env("BUYER_TOKENS"));
  await Promise.all(tokens.slice(from, from + count).map((token, i) => api(`${ENGINE}/v1/sales/${sale}/reservations`, {
    method: "POST", token, key: `k-${from + i}`, body: { items: [{ sku: "tee", quantity: 1 }] },
  })));
}

/** The draft by page, while somebody else edits it too: who comes second is told, and sees what it is now. */
async function edit(page) {
  const url = `${env("BACKOFFICE_URL")}/admin/v1/sales/by-page`;
  const token = env("STAFF_TOKEN");
  const before = (await api(url, { token })).json;
  await press(page, "edit");
  await page.locator("h1", { hasText: "Edit: 한정판 Tee" }).waitFor();
  await page.locator("#stock-2").fill("6");
  await axe(page, "edit");
  await shot(page, "operator-edit");
  const { version, hold_seconds, payment_seconds, opens_at, closes_at, waiting_room } = before;
  const items = before.items.map(({ sku, title, price, stock, limit_per_user }) => ({ sku, title, price, stock, limit_per_user }));
  const other = { version, title: "한정판 Tee!", hold_seconds, payment_seconds, opens_at, closes_at, waiting_room, items };
  expect("another edits the draft", (await api(url, { method: "PUT", token, body: other })).status === 200);
  await page.locator("button", { hasText: "Save" }).click();
  await page.locator(".note.bad", { hasText: "edited it meanwhile" }).waitFor();
  await page.locator("button", { hasText: "as it is now" }).click();
  await has(page, "title", "한정판 Tee!");
  await page.locator("#title").fill("한정판 Tee");
  await page.locator("#hold_seconds").fill("240");
  // A third thing that is not to be sold after all.
  await page.locator("button", { hasText: "One more item" }).click();
  await page.locator("[data-remove='3']").click();
  await page.locator("button", { hasText: "Save" }).click();
  await stateIs(page, "Draft");
  const after = (await api(url, { token })).json;
  const kept = (sale) => JSON.stringify([sale.opens_at, sale.closes_at, sale.items]);
  expect("an edit changes what was edited", after.hold_seconds === 240 && after.version === 3 && kept(after) === kept(before), JSON.stringify(after));
}

export async function operator(browser) {
  const page = await tab(browser);
  await page.goto(HOME);
  await axe(page, "sign-in");
  await shot(page, "operator-sign-in");
  // By e-mail address and password: a wrong one first.
  await page.locator("#email").fill(env("STAFF_EMAIL"));
  await page.locator("#password").fill("not the password");
  await page.locator("form").first().locator("button").click();
  await page.locator(".error", { hasText: "wrong" }).waitFor();
  await page.locator("#password").fill(env("STAFF_PASSWORD"));
  await page.locator("form").first().locator("button").click();

  await page.locator("h1", { hasText: "Sales" }).waitFor();
  await page.locator("a.button", { hasText: "New sale" }).click();
  await page.locator("#id").fill("by-page");
  await page.locator("#title").fill("한정판 Tee");
  await page.locator("#sku-1").fill("tee");
  await page.locator("#name-1").fill("Tee, M");
  await page.locator("#price-1").fill("19900");
  await page.locator("#stock-1").fill("20");
  await page.locator("button", { hasText: "One more item" }).click();
  await page.locator("#sku-2").fill("cap");
  await page.locator("#name-2").fill("Cap");
  await page.locator("#price-2").fill("9900");
  await page.locator("#stock-2").fill("5");
  await axe(page, "new sale");
  await shot(page, "operator-new");
  // A field that the API refuses is said at the form.
  await page.locator("#closes_at").fill("2020-01-01T00:00");
  await page.locator("button", { hasText: "Write it down" }).click();
  await page.locator(".note.bad", { hasText: "/closes_at" }).waitFor();
  await page.locator("#closes_at").fill("2090-01-01T00:00");
  await page.locator("button", { hasText: "Write it down" }).click();

  await page.locator("h1", { hasText: "한정판 Tee" }).waitFor();
  await stateIs(page, "Draft");
  await page.locator("#problems").waitFor();
  await shot(page, "operator-draft");
  await axe(page, "draft");
  await edit(page);
  // Asked, and not done.
  await press(page, "open");
  await page.locator("dialog button", { hasText: "Cancel" }).click();
  await stateIs(page, "Draft");
  await press(page, "open");
  await confirm(page);
  await stateIs(page, "Open");

  await page.locator("[data-tile=engines] strong", { hasText: "1" }).waitFor();
  await buy("by-page", 0, 12);
  await page.locator("[data-tile=held] strong", { hasText: /^12$/ }).waitFor();
  await page.locator("tr[data-code=ok] td.n", { hasText: /^12$/ }).waitFor();
  await buy("by-page", 12, 18);
  await page.locator("[data-tile=left] strong", { hasText: /^5$/ }).waitFor();
  await page.locator("tr[data-code=sold_out] td.n", { hasText: /^10$/ }).waitFor();
  expect("the law holds", (await page.locator("[data-tile=law] strong").textContent()) === "holds");
  await axe(page, "live screen");
  await shot(page, "operator-live-desktop-light");
  await fits(page, "live screen");

  await press(page, "adjust");
  await confirm(page, { sku: "tee", by: "7", reason: "seven more were found" });
  await page.locator(".note.good").waitFor();
  await page.locator("[data-tile=left] strong", { hasText: /^12$/ }).waitFor();
  await press(page, "pause");
  await confirm(page);
  await stateIs(page, "Paused");
  await press(page, "resume");
  await confirm(page);
  await stateIs(page, "Open");

  // The stream does not come, the page says so, and it comes back by itself.
  await page.route("**/events", (route) => route.abort("connectionreset"));
  await page.reload();
  await page.locator(".said.warn").waitFor();
  await page.unroute("**/events");
  await page.locator(".said.good", { hasText: "live" }).waitFor();

  await page.locator("a", { hasText: "Audit log of this sale" }).click();
  await page.locator("td", { hasText: "sale.adjust" }).waitFor();
  for (const action of ["sale.create", "sale.open", "sale.pause", "sale.resume"]) {
    expect(`the audit log has ${action}`, (await page.locator("td", { hasText: action }).count()) === 1);
  }
  expect("the log says why", (await page.locator("td", { hasText: "seven more were found" }).count()) === 1);
  await axe(page, "audit log");
  await shot(page, "operator-audit");
  clean(page, "operator's page");

  // By the keyboard alone: all sales are paused, and the way back is Escape.
  await page.goto(HOME);
  await page.locator("button", { hasText: "Pause all sales" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Enter");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(".note", { hasText: "do not sell now" }).waitFor();
  await shot(page, "operator-list");
  await axe(page, "list");
  await page.locator("button", { hasText: "Sign out" }).click();
  await page.locator("#email").waitFor();
  await page.context().close();

  for (const [name, options] of [
    ["desktop-dark-ko", { locale: "ko-KR", viewport: DESKTOP, colorScheme: "dark" }],
    ["phone-light-ko", { locale: "ko-KR", viewport: PHONE }],
    ["phone-dark-en", { viewport: PHONE, colorScheme: "dark" }],
  ]) {
    const other = await tab(browser, options);
    await other.goto(HOME);
    await signInByToken(other);
    await other.locator("table a").first().waitFor();
    await fits(other, `list, ${name}`);
    await shot(other, `operator-list-${name}`);
    await other.goto(`${HOME}#/sales/by-page`);
    await other.locator("[data-tile=left] strong", { hasText: /^12$/ }).waitFor();
    await other.locator(".said.good").waitFor();
    await axe(other, `live screen, ${name}`);
    await fits(other, `live screen, ${name}`);
    await shot(other, `operator-live-${name}`);
    clean(other, `operator's page, ${name}`);
    await other.context().close();
  }
}
