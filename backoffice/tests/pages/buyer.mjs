// The buyer's page: countdown, line, buying over a network that blinks, what came of it, one's own reservations.
import { PHONE, api, axe, clean, env, expect, fits, shot, tab } from "./driver.mjs";

const BACKOFFICE = env("BACKOFFICE_URL");
const ENGINE = env("ENGINE_URL");
const TOKENS = JSON.parse(env("BUYER_TOKENS"));
const staff = { token: env("STAFF_TOKEN") };

async function sale(id, { opens = Date.now() - 60_000, room = false, stock = 3, line } = {}) {
  const draft = {
    id, title: "금요일 드롭", opens_at: new Date(opens).toISOString(), closes_at: "2090-01-01T00:00:00Z", hold_seconds: 300, payment_seconds: 60, waiting_room: room, line,
    items: [{ sku: "tee", title: "Tee, M", price: { amount: 19900, currency: "KRW" }, stock, limit_per_user: 2 }],
  };
  const made = await api(`${BACKOFFICE}/admin/v1/sales`, { method: "POST", body: draft, ...staff });
  expect(`${id} is written down`, made.status === 201, JSON.stringify(made.json));
  const opened = await api(`${BACKOFFICE}/admin/v1/sales/${id}/open`, { method: "POST", ...staff });
  expect(`${id} is published`, opened.status === 200, JSON.stringify(opened.json));
}

/** As a shop hands a buyer over. */
const visit = async (page, id, token) => page.goto(`${BACKOFFICE}/sales/${id}#token=${token}`);
const counts = async (id) => (await api(`${BACKOFFICE}/admin/v1/sales/${id}`, staff)).json.items[0].live;

export async function buyer(browser) {
  await buysOverABadNetwork(browser);
  await signsInAgainInTheMiddle(browser);
  await waitsForTheOpening(browser);
  await standsInLine(browser);
  await looks(browser);
}

async function buysOverABadNetwork(browser) {
  await sale("blink");
  const page = await tab(browser);
  await page.goto(`${BACKOFFICE}/sales/blink`);
  await page.locator("#email").waitFor();
  // The page draws it once it has heard of the sale.
  await page.locator("[data-buy]").first().waitFor({ state: "attached" });
  expect("nobody buys unnamed", (await page.locator("[data-buy]").count()) === 1);
  await axe(page, "buyer's sign-in");
  await page.goto("about:blank");
  page.wrong.length = 0;
  await visit(page, "blink", TOKENS[0]);
  await page.locator("[data-buy]:not([disabled])").waitFor();
  expect("the token is not in the address", !page.url().includes("token"));
  await axe(page, "buyer, before");
  await shot(page, "buyer-before");

  // The engine gets the request, and the answer is lost: the page says so, and sends the same again.
  const keys = [];
  let lost = 0;
  await page.route("**/reservations", async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    keys.push(route.request().headers()["idempotency-key"]);
    if (lost++ < 2) {
      await route.fetch();
      return route.abort("connectionreset");
    }
    return route.fallback();
  });
  await page.locator("[data-buy]").click();
  await page.locator(".note", { hasText: "sent again" }).waitFor();
  await page.locator(".note.good", { hasText: "Set aside for you" }).waitFor();
  expect("one key for one purchase", keys.length === 3 && new Set(keys).size === 1, keys.join());
  expect("held once", (await counts("blink")).held === 1, JSON.stringify(await counts("blink")));
  await axe(page, "buyer, held");
  await shot(page, "buyer-held-desktop-light");

  // A reload in the middle of it: the request that had no answer is sent again by the page that comes after.
  await page.unroute("**/reservations");
  await page.locator("button", { hasText: "Done" }).click();
  await page.locator(".note.good").waitFor({ state: "hidden" });
  let sent = "";
  let go;
  const arrived = new Promise((resolve) => { go = resolve; });
  await page.route("**/reservations", async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    sent = route.request().headers()["idempotency-key"];
    await route.fetch();
    go();
  });
  await page.locator("[data-buy]").click();
  await arrived;
  await page.unroute("**/reservations");
  const again = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/reservations"));
  await page.reload();
  expect("the same key after a reload", (await again).headers()["idempotency-key"] === sent);
  await page.locator(".note.good", { hasText: "Set aside for you" }).waitFor();
  expect("held twice in all", (await counts("blink")).held === 2, JSON.stringify(await counts("blink")));

  // The limit is said in words; what was taken can be given back.
  await page.locator("button", { hasText: "Done" }).click();
  await page.locator("[data-buy]").click();
  await page.locator(".note.bad", { hasText: "as many as you may" }).waitFor();
  await page.locator("li strong", { hasText: "Set aside" }).first().waitFor();
  clean(page, "buyer's page");
  await page.context().close();

  const other = await tab(browser, { locale: "ko-KR", viewport: PHONE });
  await visit(other, "blink", TOKENS[1]);
  await other.locator("[data-buy]:not([disabled])").click();
  await other.locator(".note.good", { hasText: "상품을 확보했습니다" }).waitFor();
  await fits(other, "buyer, phone");
  await axe(other, "buyer, phone, ko");
  await shot(other, "buyer-held-phone-light-ko");
  await other.locator("button", { hasText: "반납" }).click();
  await other.locator("dialog button[value=yes]").click();
  await other.locator(".note.good", { hasText: "반납함" }).waitFor();
  expect("given back", (await counts("blink")).held === 2);
  clean(other, "buyer's page, ko");
  await other.context().close();
}

async function signsInAgainInTheMiddle(browser) {
  await sale("again");
  const page = await tab(browser);
  await visit(page, "again", TOKENS[5]);
  // The answer is lost, and then the token is over: what is under way must be found again under its key, and nothing be bought beside it.
  const keys = [];
  await page.route("**/reservations", async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length === 1) {
      await route.fetch();
      return route.abort("connectionreset");
    }
    if (keys.length === 2) {
      return route.fulfill({
        status: 401, contentType: "application/problem+json", headers: { "access-control-allow-origin": BACKOFFICE },
        body: JSON.stringify({ code: "unauthorized", title: "unauthorized" }),
      });
    }
    return route.fallback();
  });
  await page.locator("[data-buy]:not([disabled])").click();
  await page.locator("#email").waitFor();
  await page.locator(".note.warn", { hasText: "sign in again" }).waitFor();
  await page.goto("about:blank");
  await visit(page, "again", TOKENS[5]);
  await page.locator(".note.good", { hasText: "Set aside for you" }).waitFor();
  expect("one key through a sign-in", keys.length === 3 && new Set(keys).size === 1, keys.join());
  expect("held once through a sign-in", (await counts("again")).held === 1, JSON.stringify(await counts("again")));

  // Another purchase stands beside the first: each can be given back.
  await page.locator("[data-buy]:not([disabled])").click();
  await page.locator(".note.good", { hasText: "Set aside for you" }).nth(1).waitFor();
  expect("two held side by side", (await counts("again")).held === 2, JSON.stringify(await counts("again")));
  await page.context().close();
}

async function waitsForTheOpening(browser) {
  await sale("later", { opens: Date.now() + 10_000 });
  // This browser's clock is an hour slow: the server's counts.
  const page = await tab(browser);
  await page.addInitScript(() => {
    const real = Date.now;
    Date.now = () => real() - 3_600_000;
  });
  await visit(page, "later", TOKENS[2]);
  await page.locator(".clock strong").last().waitFor();
  const [hours, minutes, seconds] = (await page.locator(".clock strong").allTextContents()).map(Number);
  expect("the countdown is the server's", hours === 0 && minutes === 0 && seconds <= 10, `${hours}:${minutes}:${seconds}`);
  expect("nothing to buy yet", await page.locator("[data-buy]").isDisabled());
  await axe(page, "countdown");
  await shot(page, "buyer-countdown");
  await page.locator("[data-buy]:not([disabled])").waitFor();
  const early = (await api(`${ENGINE}/v1/sales/later`)).json;
  expect("it opened when the server says", new Date(early.server_time) >= new Date(early.opens_at));
  await page.locator("[data-buy]").click();
  await page.locator(".note.good", { hasText: "Set aside for you" }).waitFor();
  clean(page, "countdown");
  await page.context().close();
}

async function standsInLine(browser) {
  // One a second: whoever comes behind others waits, and is told how long.
  await sale("queue", { room: true, stock: 5, line: { mode: "fixed", per_second: 1 } });
  await Promise.all(TOKENS.slice(20, 36).map((token) => api(`${ENGINE}/v1/sales/queue/tickets`, { method: "POST", token })));
  const page = await tab(browser, { viewport: PHONE, colorScheme: "dark" });
  await visit(page, "queue", TOKENS[3]);
  await page.locator("[data-join]").click();
  await page.locator(".place").waitFor();
  const place = Number(await page.locator(".place").textContent());
  expect("a place in the line", place > 0 && place <= 17, String(place));
  expect("nothing to buy before one's turn", await page.locator("[data-buy]").isDisabled());
  await axe(page, "line");
  await fits(page, "line, phone");
  await shot(page, "buyer-line-phone-dark");
  const ticket = await page.evaluate(() => Object.keys(localStorage).find((key) => key.startsWith("doorbuster-ticket")));
  const before = await page.evaluate((key) => localStorage.getItem(key), ticket);
  await page.reload();
  await page.locator("#line-title").waitFor();
  await page.locator(".place, p:has-text('your turn')").first().waitFor();
  expect("the place outlives a reload", (await page.evaluate((key) => localStorage.getItem(key), ticket)) === before);
  clean(page, "line");
  await page.context().close();
}

async function looks(browser) {
  const page = await tab(browser, { locale: "ko-KR", colorScheme: "dark" });
  await visit(page, "queue", TOKENS[4]);
  await page.locator("[data-join]").waitFor();
  await axe(page, "line, ko, dark");
  await shot(page, "buyer-join-desktop-dark-ko");
  await page.locator("button", { hasText: "English" }).click();
  await page.locator("[data-join]", { hasText: "Join the line" }).waitFor();
  expect("the page's language is said", (await page.evaluate(() => document.documentElement.lang)) === "en");
  const nowhere = await tab(browser);
  await visit(nowhere, "nowhere", TOKENS[4]);
  await nowhere.locator("h1", { hasText: "There is no such sale" }).waitFor();
  clean(page, "languages");
  await page.context().close();
  await nowhere.context().close();
}
