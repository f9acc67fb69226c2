// From nobody to a buyer who is signed in, and back in without the password: by the pages, and the mails that they send.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PHONE, axe, clean, env, expect, fits, shot, tab } from "./driver.mjs";

const BACKOFFICE = env("BACKOFFICE_URL");
const EMAIL = "minsu@shop.example";

/** The link of the newest mail that leads to `page`, at the back-office of this stage. */
async function link(page) {
  for (let tries = 0; tries < 150; tries += 1) {
    const all = readdirSync(env("MAILS")).sort().map((name) => readFileSync(join(env("MAILS"), name), "utf8"));
    const bodies = all.map((mail) => {
      const [head, ...rest] = mail.replaceAll("\r\n", "\n").split("\n\n");
      const body = rest.join("\n\n");
      return /base64/i.test(head) ? Buffer.from(body, "base64").toString() : body.replaceAll("=\n", "").replaceAll("=3D", "=");
    });
    const found = bodies.reverse().map((body) => new RegExp(`https?://[^/]+(${page}\\?token=[\\w-]+)`).exec(body)).find((match) => match);
    if (found) return `${BACKOFFICE}${found[1]}`;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  throw new Error(`no mail leads to ${page}`);
}

async function choose(page, password) {
  await page.locator("#password").fill(password);
  await page.locator("button[type=submit]").click();
}

async function signIn(page, password) {
  await page.goto(`${BACKOFFICE}/sales/blink`);
  await page.locator("#email").fill(EMAIL);
  await page.locator("#password").fill(password);
  await page.locator("form").first().locator("button").click();
  await page.locator("#password").waitFor({ state: "detached" });
}

export async function account(browser) {
  const page = await tab(browser, { locale: "ko-KR", viewport: PHONE });
  await page.goto(`${BACKOFFICE}/sales/blink`);
  await page.locator("button", { hasText: "회원 가입" }).click();
  await page.locator("#name").fill("민수");
  await page.locator("#email").fill(EMAIL);
  await axe(page, "sign-up");
  await fits(page, "sign-up");
  await shot(page, "sign-up");
  await page.locator("button", { hasText: "메일 받기" }).click();
  await page.locator(".note.good", { hasText: EMAIL }).waitFor();
  await axe(page, "check your mail");

  await page.goto(await link("/account/confirm"));
  await axe(page, "confirm");
  await fits(page, "confirm");
  await shot(page, "confirm");
  await choose(page, EMAIL);
  await page.locator("[role=status]", { hasText: "이메일 주소와 같을 수 없습니다" }).waitFor();
  await choose(page, "first horse battery");
  await page.locator("[role=status]", { hasText: "확인되었습니다" }).waitFor();
  await axe(page, "confirmed");
  await signIn(page, "first horse battery");
  expect("he is greeted by his name", (await page.locator("body").textContent()).includes("민수"));

  const forgetful = await tab(browser, { colorScheme: "dark" });
  await forgetful.goto(`${BACKOFFICE}/sales/blink`);
  await forgetful.locator("button", { hasText: "Forgot your password?" }).click();
  await forgetful.locator("#email").fill(EMAIL);
  await axe(forgetful, "forgotten password");
  await forgetful.locator("button", { hasText: "Send me a mail" }).click();
  await forgetful.locator(".note.good", { hasText: EMAIL }).waitFor();
  await forgetful.goto(await link("/account/password"));
  await axe(forgetful, "new password");
  await choose(forgetful, "second horse battery");
  await forgetful.locator("[role=status]", { hasText: "Your password is set" }).waitFor();
  await signIn(forgetful, "second horse battery");
  clean(page, "signing up");
  clean(forgetful, "a new password");
}
