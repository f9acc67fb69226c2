// Runs the pages' tests; its exit status is 0 where nothing failed. Told what to visit by its environment: see backoffice/tests/it/pages.rs.
import { env, failed, launch } from "./driver.mjs";
import { account } from "./account.mjs";
import { buyer } from "./buyer.mjs";
import { operator } from "./operator.mjs";
import { orders } from "./orders.mjs";
import { products } from "./products.mjs";

const browser = await launch();
try {
  // In turn: the operator pauses every sale at the end.
  const all = [["buyer", buyer], ["account", account], ["orders", orders], ["products", products], ["operator", operator]];
  for (const [name, test] of all.filter(([name]) => !env("ONLY") || name === env("ONLY"))) {
    const began = Date.now();
    await test(browser);
    console.log(`${name}'s page: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
}
process.exit(failed() ? 1 : 0);
