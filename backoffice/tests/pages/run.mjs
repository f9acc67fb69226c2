// Runs both pages' tests; its exit status is 0 where nothing failed. Told what to visit by its environment: see backoffice/tests/it/pages.rs.
import { failed, launch } from "./driver.mjs";
import { buyer } from "./buyer.mjs";
import { operator } from "./operator.mjs";

const browser = await launch();
try {
  // In turn: the operator pauses every sale at the end.
  for (const [name, test] of [["buyer", buyer], ["operator", operator]]) {
    const began = Date.now();
    await test(browser);
    console.log(`${name}'s page: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
} finally {
  await browser.close();
}
process.exit(failed() ? 1 : 0);
