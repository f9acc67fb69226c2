// Products and notices on the operator's page: written down from nothing, edited by two at once, published, found, sold, taken off.
import { PHONE, api, axe, clean, env, expect, fits, shot, tab } from "./driver.mjs";
import { HOME, confirm, fill, has, signInByToken, stateIs } from "./staff.mjs";

const BACKOFFICE = env("BACKOFFICE_URL");
const token = env("STAFF_TOKEN");
const shops = (id) => api(`${BACKOFFICE}/v1/products/${id}`);

async function writeDown(page) {
  await page.goto(`${HOME}#/products`);
  await signInByToken(page);
  await page.locator("h1", { hasText: "Products" }).waitFor();
  await page.locator("a.button", { hasText: "New product" }).click();
  await page.locator("#id").waitFor();
  // Seller and category are made on the way.
  await page.locator("button", { hasText: "New seller" }).click();
  await confirm(page, { id: "page-maru", ko: "마루 공방", en: "Maru Studio" });
  await page.locator("#seller option:checked", { hasText: "Maru Studio" }).waitFor({ state: "attached" });
  for (const [id, parent, ko, en] of [["page-kitchen", "", "주방", "Kitchen"], ["page-mugs", "page-kitchen", "머그컵", "Mugs"]]) {
    await page.locator("button", { hasText: "New category" }).click();
    await confirm(page, { id, parent, ko, en });
    await page.locator("#category option:checked", { hasText: en }).waitFor({ state: "attached" });
  }
  expect("a category says where it is", (await page.locator("#category option:checked").textContent()) === "Kitchen › Mugs (page-mugs)");

  await fill(page, { id: "page-mug", "title-ko": "달 항아리 머그컵", "description-ko": "손으로 빚은 백자 머그.\n한 점씩 다릅니다.", keywords: "도자기\nceramic" });
  await page.locator("button", { hasText: "One more option" }).click();
  await fill(page, { "option-ko-1": "크기", "option-en-1": "Size", "option-values-1": "작은 것 | Small\n큰 것 | Large" });
  await page.locator("button", { hasText: "A sku for each combination" }).click();
  await fill(page, { "sku-1": "page-mug-s", "price-1": "28000", "sku-2": "page-mug-l", "price-2": "34000" });
  expect("each combination has a sku", (await page.locator("[data-choices] select").evaluateAll((all) => all.map((s) => s.selectedOptions[0].text).join())) === "Small,Large");
  // Another value between the two: the skus stay what they are.
  await fill(page, { "option-values-1": "작은 것 | Small\n중간 | Medium\n큰 것 | Large" });
  await page.locator("#option-values-1").blur();
  expect("skus keep their values", (await page.locator("[data-choices] select").evaluateAll((all) => all.map((s) => s.selectedIndex).join())) === "0,2");
  await page.locator("button", { hasText: "One more image" }).click();
  await fill(page, { "url-1": "https://images.example/moon.jpg", "alt-ko-1": "백자 머그", "alt-en-1": "A white mug" });
  await axe(page, "new product");
  await shot(page, "product-new");
  await fits(page, "new product");
  await page.locator("button", { hasText: "Write it down" }).click();
  await page.locator("h1", { hasText: "달 항아리 머그컵" }).waitFor();
  await stateIs(page, "Draft");
  expect("nobody sees a draft", (await shops("page-mug")).status === 404);
}

async function editAndPublish(page) {
  // What is missing is said where it is to be put right.
  await page.locator("[data-verb=publish]").click();
  await confirm(page);
  await page.locator(".note.bad", { hasText: "/title/en" }).waitFor();
  // Somebody else is faster, and is not overwritten.
  const read = await api(`${BACKOFFICE}/admin/v1/products/page-mug`, { token });
  const { id, state, created_at, updated_at, published_at, ...other } = read.json;
  expect("the product is as it was typed", JSON.stringify([other.options[0].values.length, other.skus.map((s) => s.choices), other.keywords, other.images.length]) === '[3,[[0],[2]],["도자기","ceramic"],1]', JSON.stringify(other));
  expect("lines stay lines", other.description.ko === "손으로 빚은 백자 머그.\n한 점씩 다릅니다.", JSON.stringify(other.description));
  other.keywords.push("달");
  expect("another edits it", (await api(`${BACKOFFICE}/admin/v1/products/page-mug`, { method: "PUT", token, body: other })).status === 200);
  await fill(page, { "title-en": "Moon jar mug" });
  await page.locator("button", { hasText: "Save" }).click();
  await page.locator(".note.bad", { hasText: "edited it meanwhile" }).waitFor();
  await page.locator("button", { hasText: "as it is now" }).click();
  await has(page, "keywords", "도자기\nceramic\n달");
  await fill(page, { "title-en": "Moon jar mug" });
  // Publishing saves what is on the screen first.
  await page.locator("[data-verb=publish]").click();
  await confirm(page);
  await page.locator(".note.good", { hasText: "Shoppers find it" }).waitFor();
  await stateIs(page, "Published");
  const shown = await shops("page-mug");
  expect("shoppers see it", shown.status === 200 && shown.json.title.en === "Moon jar mug", JSON.stringify(shown.json));
  await axe(page, "product");
  await shot(page, "product-published");
}

async function sell(page) {
  await page.locator("a", { hasText: "Sell it" }).click();
  await page.locator("h1", { hasText: "New sale" }).waitFor();
  const names = await page.locator("[id^=name-]").evaluateAll((all) => all.map((input) => input.value).join(" / "));
  expect("a sale has the product's skus", names === "달 항아리 머그컵, 작은 것 / 달 항아리 머그컵, 큰 것", names);
  expect("and its prices", (await page.locator("#price-2").inputValue()) === "34000");
  await fill(page, { id: "page-mugs-sale", "stock-1": "30" });
  await page.locator("[data-remove='2']").click();
  await page.locator("#sku-2").waitFor({ state: "detached" });
  await page.locator("button", { hasText: "Write it down" }).click();
  await stateIs(page, "Draft");
  const sale = await api(`${BACKOFFICE}/admin/v1/sales/page-mugs-sale`, { token });
  expect("it sells what was left in the form", JSON.stringify(sale.json.items.map((i) => [i.sku, i.stock, i.price.amount])) === '[["page-mug-s",30,28000]]', JSON.stringify(sale.json));
  // A product whose sku is for sale keeps it.
  await page.goto(`${HOME}#/products/page-mug`);
  await page.locator("#sku-1").waitFor();
  await page.locator("[data-group='1'] [data-remove='1']").nth(1).click();
  await page.locator("button", { hasText: "Save" }).click();
  await page.locator(".note.bad", { hasText: "A sale names one of the skus" }).waitFor();
}

async function findAndTakeOff(page) {
  await page.goto(`${HOME}#/products`);
  await page.locator("#q").fill("머그컵");
  await page.keyboard.press("Enter");
  await page.locator("tbody tr", { hasText: "page-mug" }).waitFor();
  await page.locator("#state").selectOption("draft");
  await page.locator("td", { hasText: "Nothing was found" }).waitFor();
  await page.locator("#state").selectOption("published");
  await page.locator("#q").fill("MOON");
  await page.keyboard.press("Enter");
  await page.locator("tbody tr", { hasText: "Published" }).waitFor();
  await axe(page, "products");
  await shot(page, "products");
  await page.locator("tbody a").first().click();
  await page.locator("[data-verb=archive]").click();
  await confirm(page);
  await stateIs(page, "Taken off");
  expect("nobody sees it any more", (await shops("page-mug")).status === 404);
  await page.locator("a", { hasText: "Audit log of this product" }).click();
  for (const action of ["product.create", "product.publish", "product.archive"]) await page.locator("td", { hasText: action }).first().waitFor();
}

async function notice(page) {
  await page.locator("#nav a", { hasText: "Notices" }).click();
  await page.locator("a.button", { hasText: "New notice" }).click();
  await fill(page, { id: "page-holiday", "title-ko": "추석 연휴 배송 안내", "title-en": "Holiday deliveries", "body-ko": "연휴 동안\n배송이 쉬어 갑니다." });
  await axe(page, "new notice");
  await page.locator("button", { hasText: "Write it down" }).click();
  await page.locator("tbody a", { hasText: "Holiday" }).click();
  await fill(page, { "title-en": "Deliveries in the holidays" });
  await page.locator("button", { hasText: "Save" }).click();
  await page.locator("tbody a", { hasText: "in the holidays" }).waitFor();
  const shown = await api(`${BACKOFFICE}/v1/notices`);
  expect("shoppers read it", shown.json.notices.some((n) => n.title.en === "Deliveries in the holidays" && n.body.ko === "연휴 동안\n배송이 쉬어 갑니다."), JSON.stringify(shown.json));
  await shot(page, "notices");
  await page.locator("tbody a", { hasText: "in the holidays" }).click();
  await page.locator("button", { hasText: "Take away" }).click();
  await confirm(page);
  await page.locator("h1", { hasText: "Notices" }).waitFor();
  expect("and then no more", (await api(`${BACKOFFICE}/admin/v1/notices/page-holiday`, { token })).status === 404);
}

/** The form by the keyboard alone: groups come and go, and whoever listens or types is never left without a place. */
async function byKeyboard(page) {
  await page.goto(`${HOME}#/new-product`);
  const more = page.locator("button", { hasText: "One more image" });
  await more.focus();
  await page.keyboard.press("Enter");
  const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  expect("a new group is where one types", (await focused()) === "url-1", await focused());
  for (let i = 0; i < 3; i += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  expect("a group that went leaves a place", (await focused()) === "One more image", await focused());
}

/** Words that have the page's own signs in them: saved as they were shown they are what they were, and they can be typed. */
async function oddWords(page) {
  const same = (words) => ({ ko: words, en: words });
  const values = [{ ko: "흰색 | 검정", en: "White | black" }, same("A4, 90g"), same("1\\2"), same("\\|"), { ko: "끝\\", en: "|End|" }];
  const keywords = ["흰색, 검정", "a|b\\"];
  const draft = {
    id: "page-odd", seller: "page-maru", category: "page-mugs", title: same("Odd words"), keywords, options: [{ name: same("무늬 | 무게"), values }],
    skus: values.map((_, i) => ({ sku: `page-odd-${i}`, choices: [i], price: { amount: 1000, currency: "KRW" } })),
  };
  const made = await api(`${BACKOFFICE}/admin/v1/products`, { method: "POST", token, body: draft });
  expect("words may have bars, commas and backslashes", made.status === 201, JSON.stringify(made));
  await page.goto(`${HOME}#/products/page-odd`);
  const said = async () => page.locator("[data-choices] select").evaluateAll((all) => all.map((select) => select.selectedOptions[0].text));
  await page.locator("#sku-1").waitFor();
  expect("each sku says its value", JSON.stringify(await said()) === JSON.stringify(values.map(({ en }) => en)), JSON.stringify(await said()));
  const saved = async (title) => {
    await fill(page, { "title-en": title });
    await page.locator("button", { hasText: "Save" }).click();
    await page.locator(".note.good").waitFor();
    const { json } = await api(`${BACKOFFICE}/admin/v1/products/page-odd`, { token });
    expect(`${title} is in the books`, json.title.en === title, JSON.stringify(json.title));
    return JSON.stringify([json.options[0].name, json.options[0].values, json.keywords]);
  };
  const before = JSON.stringify([draft.options[0].name, values, keywords]);
  const after = await saved("Odd words, saved");
  expect("saved as shown they are what they were", after === before, after);
  await page.goto(`${HOME}#/products`);
  await page.goto(`${HOME}#/products/page-odd`);
  await fill(page, { "option-values-1": "흰색 \\| 검정 | White \\| black\nA4, 90g\n1\\\\2\n\\\\\\| | \\\\\\|\n끝\\\\ | |End|" });
  const typed = await saved("Odd words, typed");
  expect("and they can be typed", typed === before, typed);
}

export async function products(browser) {
  const page = await tab(browser);
  await writeDown(page);
  await editAndPublish(page);
  await sell(page);
  await findAndTakeOff(page);
  await notice(page);
  await byKeyboard(page);
  await oddWords(page);
  clean(page, "products");
  await page.context().close();

  for (const [name, options] of [["phone-light-ko", { locale: "ko-KR", viewport: PHONE }], ["phone-dark-en", { viewport: PHONE, colorScheme: "dark" }], ["desktop-dark-ko", { locale: "ko-KR", colorScheme: "dark" }]]) {
    const other = await tab(browser, options);
    await other.goto(`${HOME}#/products`);
    await signInByToken(other);
    for (const [screen, there] of [["#/products", "table a"], ["#/products/page-mug", "#sku-1"], ["#/new/page-mug", "#stock-1"], ["#/sales/page-mugs-sale/edit", "a[href='#/sales/page-mugs-sale']"], ["#/new-notice", "#ends_at"]]) {
      await other.goto(`${HOME}${screen}`);
      await other.locator(there).first().waitFor();
      await axe(other, `${screen}, ${name}`);
      await fits(other, `${screen}, ${name}`);
      await shot(other, `${screen.slice(2).replaceAll("/", "-")}-${name}`);
    }
    clean(other, `products, ${name}`);
    await other.context().close();
  }
}
