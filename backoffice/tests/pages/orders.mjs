// From what is set aside to what is paid, by keyboard, over a network that blinks; a declined card; the buyer's orders; orders and refunds at the desk.
import { PHONE, api, axe, clean, env, expect, fits, shot, tab } from "./driver.mjs";

const BACKOFFICE = env("BACKOFFICE_URL");
const TOKENS = JSON.parse(env("BUYER_TOKENS"));
const staff = { token: env("STAFF_TOKEN") };
const FINANCE = env("FINANCE_TOKEN");

async function sale(id) {
  const draft = {
    id, title: "Till", opens_at: new Date(Date.now() - 60_000).toISOString(), closes_at: "2090-01-01T00:00:00Z", hold_seconds: 300, payment_seconds: 60, waiting_room: false,
    items: [{ sku: "tee", title: "Tee, M", price: { amount: 19900, currency: "KRW" }, stock: 20 }],
  };
  const made = await api(`${BACKOFFICE}/admin/v1/sales`, { method: "POST", body: draft, ...staff });
  const opened = await api(`${BACKOFFICE}/admin/v1/sales/${id}/open`, { method: "POST", ...staff });
  expect(`${id} is published`, made.status === 201 && opened.status === 200, JSON.stringify(opened.json));
  const policy = { late_payment: "reacquire", shipping_fee: 3000, free_from: null, earn_per_mille: 0 };
  const put = await api(`${BACKOFFICE}/admin/v1/sales/${id}/policy`, { method: "PUT", body: policy, ...staff });
  expect("shipping is charged", put.status === 200, JSON.stringify(put.json));
}

const visit = async (page, id, token) => page.goto(`${BACKOFFICE}/sales/${id}#token=${token}`);

/** Holds a tee and opens the form; the keyboard alone. */
async function holdAndOrder(page) {
  await page.locator("[data-buy]:not([disabled])").focus();
  await page.keyboard.press("Enter");
  await page.locator("[data-order]").focus();
  await page.keyboard.press("Enter");
  await page.locator("[data-pay]:not([disabled])").waitFor();
}

export async function orders(browser) {
  await sale("till");
  const order = await pays(browser);
  await isDeclined(browser);
  await seesToIt(browser, order);
  await cancels(browser);
}

async function pays(browser) {
  const page = await tab(browser);
  await visit(page, "till", TOKENS[10]);
  await holdAndOrder(page);
  expect("the form is where the keyboard is", await page.evaluate(() => document.activeElement?.name === "address"));
  await axe(page, "checkout");
  await shot(page, "checkout-desktop-light");
  expect("the sum is told", /22,900/.test(await page.locator("[data-pay]").textContent()), await page.locator("[data-pay]").textContent());
  await page.locator("select[name=address]").selectOption("none");
  await page.locator("input[name=coupon]").fill("nowhere");
  await page.keyboard.press("Tab");
  await page.locator(".checkout > .note.bad", { hasText: "no such coupon" }).waitFor();
  expect("nothing is paid unquoted", await page.locator("[data-pay]").isDisabled());
  await page.locator("input[name=coupon]").fill("");
  await page.keyboard.press("Tab");
  await page.locator("[data-pay]:not([disabled])").waitFor();
  // The answer is lost: the same is sent again, under the same key.
  const keys = [];
  await page.route("**/v1/orders", async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length === 1) {
      await route.fetch();
      return route.abort("connectionreset");
    }
    return route.fallback();
  });
  await page.locator("input[name=card]").fill("tok_ok");
  await page.keyboard.press("Enter");
  await page.locator(".checkout > .note.good", { hasText: "It is paid, and yours." }).waitFor();
  expect("one key for one order", keys.length === 2 && new Set(keys).size === 1, keys.join());
  const mine = (await api(`${BACKOFFICE}/v1/orders`, { token: TOKENS[10] })).json.orders;
  expect("one order", mine.length === 1 && mine[0].state === "paid" && mine[0].amounts.captured === 22900, JSON.stringify(mine));
  expect("no card is kept", !(await page.evaluate(() => JSON.stringify({ ...localStorage }))).includes("tok_ok"));
  await page.locator(".checkout summary").click();
  await page.locator(".timeline li", { hasText: "Confirmed" }).waitFor();
  await axe(page, "checkout, paid");
  await shot(page, "checkout-paid-desktop-light");
  // A reload finds the order again.
  await page.reload();
  await page.locator(".checkout > .note.good", { hasText: "It is paid, and yours." }).waitFor();
  clean(page, "checkout");
  await page.context().close();
  return mine[0];
}

async function isDeclined(browser) {
  const page = await tab(browser, { locale: "ko-KR", viewport: PHONE, colorScheme: "dark" });
  await visit(page, "till", TOKENS[11]);
  await holdAndOrder(page);
  await fits(page, "checkout, phone");
  await axe(page, "checkout, phone, ko, dark");
  await shot(page, "checkout-phone-dark-ko");
  await page.locator("select[name=address]").selectOption("none");
  await page.locator("input[name=card]").fill("tok_decline");
  await page.locator("[data-pay]").click();
  await page.locator(".checkout > .note.bad", { hasText: "결제된 금액은 없습니다" }).waitFor();
  await axe(page, "checkout, declined");
  clean(page, "checkout, declined");
  await page.context().close();
}

/** The desk: sent by an operator, refunded by finance, who has nothing else. */
async function seesToIt(browser, order) {
  const page = await tab(browser);
  await page.goto(`${BACKOFFICE}/#token=${staff.token}`);
  await page.goto(`${BACKOFFICE}/#/orders`);
  await page.locator(`a[href="#/orders/${order.id}"]`).waitFor();
  await axe(page, "desk, orders");
  await shot(page, "desk-orders-desktop-light");
  await page.locator("#order-state").selectOption("cancelled");
  await page.locator(`a[href="#/orders/${order.id}"]`).waitFor({ state: "detached" });
  await page.locator("#order-state").selectOption("paid");
  await page.locator(`a[href="#/orders/${order.id}"]`).click();
  await page.locator("button", { hasText: "Send" }).click();
  await page.locator("#ask-carrier").fill("CJ");
  await page.locator("#ask-tracking_number").fill("6540-1");
  await page.locator("dialog button[value=yes]").click();
  await page.locator(".timeline li", { hasText: "Sent" }).waitFor();
  expect("operators refund nothing", (await page.locator("button", { hasText: "Refund" }).count()) === 0);
  await axe(page, "desk, order");
  await shot(page, "desk-order-desktop-light");
  clean(page, "desk");
  await page.context().close();

  const other = await tab(browser, { viewport: PHONE });
  await other.goto(`${BACKOFFICE}/#token=${FINANCE}`);
  await other.locator("h1", { hasText: "Orders" }).waitFor();
  expect("finance has orders alone", (await other.locator("#nav a").count()) === 1);
  await fits(other, "desk, phone");
  await other.goto(`${BACKOFFICE}/#/orders/${order.id}`);
  await other.locator("button", { hasText: "Refund" }).click();
  await other.locator("#ask-reason").fill("came back");
  await axe(other, "desk, refund dialog");
  await other.locator("dialog button[value=yes]").click();
  await other.locator(".badge", { hasText: "Refunded" }).waitFor();
  await other.locator(".timeline li", { hasText: "Units back" }).waitFor();
  clean(other, "desk, finance");
  await other.context().close();
}

/** The buyer's own page: the list, one order, out of it. */
async function cancels(browser) {
  const page = await tab(browser, { viewport: PHONE });
  await visit(page, "till", TOKENS[12]);
  await holdAndOrder(page);
  await page.locator("select[name=address]").selectOption("none");
  await page.locator("input[name=card]").fill("tok_ok");
  await page.locator("[data-pay]").click();
  await page.locator(".checkout > .note.good", { hasText: "It is paid, and yours." }).waitFor();
  await page.locator(".checkout a", { hasText: "My orders" }).click();
  await page.locator("h1", { hasText: "Tee, M" }).waitFor();
  await fits(page, "order, phone");
  await axe(page, "order");
  await shot(page, "order-phone-light");
  await page.locator("button", { hasText: "Cancel the order" }).click();
  await page.locator("dialog button[value=yes]").click();
  await page.locator(".badge", { hasText: "Refunded" }).waitFor();
  await page.locator("a", { hasText: "All orders" }).click();
  await page.locator("#filter").waitFor();
  await axe(page, "orders");
  await page.locator("#filter").selectOption("paid");
  await page.locator("li", { hasText: "None yet" }).waitFor();
  clean(page, "orders");
  await page.context().close();
}
