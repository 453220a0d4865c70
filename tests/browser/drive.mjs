// Drives the dashboard as a person does, in a real browser. tests/spec/dashboard.rs starts it, gives it
// one line of JSON, and is asked on stdout for what only it can do.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { check, looks } from "./checks.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const given = JSON.parse((await lines.next()).value);
const require = createRequire(`${given.libraries}/from-here.js`);
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

const PATIENCE = Number(process.env.DRIVE_PATIENCE ?? 60000);
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const step = (name) => say({ step: name });
/** Asks the test for something, and waits until it is done. */
const need = async (what) => { say({ need: what }); await lines.next(); };

const browser = await chromium.launch({
  executablePath: given.chromium,
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});

/** A window that is watched: every request, every complaint of the browser. */
const open = async (options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(PATIENCE);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: given.base });
  context.on("request", (request) => {
    const url = new URL(request.url());
    check(url.origin === given.base || url.protocol === "data:", `the browser asked ${url}`);
  });
  context.on("weberror", (error) => check(false, `an error in a page: ${error.error()}`));
  context.on("console", (message) => {
    const expected = /status of (401|404|422)|net::ERR_FAILED/.test(message.text());
    check(message.type() !== "error" || expected, `the browser says: ${message.text()}`);
  });
  return context;
};

const logIn = async (page) => {
  await page.goto(`${given.base}/login`);
  await page.getByLabel("Access token").fill(given.token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
};

const context = await open();
const page = await context.newPage();
const at = (name) => page.locator(`[data-field="${name}"]`).first();

step("log in");
await page.goto(`${given.base}/onboardings?state=failed`);
check(page.url().startsWith(`${given.base}/login?next=`), "who is not logged in is asked to");
await page.getByLabel("Access token").fill("not-a-token");
await page.keyboard.press("Enter");
await page.getByText("There is no such token").waitFor();
await page.getByLabel("Access token").fill(given.token);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Onboardings" }).waitFor();
check(page.url() === `${given.base}/onboardings?state=failed`, "logging in leads back");
await page.keyboard.press("Tab");
check(await page.evaluate(() => document.activeElement.textContent) === "Skip to content", "the keyboard begins with the skip link");
await page.getByRole("link", { name: "Overview" }).click();
await page.getByText("No signups yet").waitFor();
await page.locator("#live[data-live=on]").waitFor();

step("a stream that breaks comes back, and rests while nobody looks");
const live = (state) => page.locator(`#live[data-live=${state}]`).waitFor();
await page.route("**/v1/events", (route) => route.abort());
await page.reload();
await live("trying");
await page.unroute("**/v1/events");
await live("on");
const hide = (hidden) => page.evaluate((hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);
await hide(true);
await live("off");
await hide(false);
await live("on");

step("a file with broken rows is refused");
await page.getByRole("link", { name: "Upload signups" }).click();
const file = (name, text) => ({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
await page.getByLabel("CSV, JSON Lines or JSON").setInputFiles(file("signups.csv", given.broken));
await page.getByRole("button", { name: "Check the file" }).click();
await page.getByText(`signups.csv has ${given.problems.length} problems`).waitFor();
for (const [line, field] of given.problems) {
  const row = page.locator("tr", { has: page.locator("td[data-label=Line]", { hasText: new RegExp(`^${line}$`) }) });
  check((await row.locator("td[data-label=Field]").first().textContent()) === field, `line ${line} is named with ${field}`);
}
await looks(page, given.shots, "refused");

step("the mended file is planned and enqueued");
await page.getByLabel("CSV, JSON Lines or JSON").setInputFiles(file("signups.csv", given.good));
await page.getByRole("button", { name: "Check the file" }).click();
await page.getByText("200 signups,").waitFor();
await looks(page, given.shots, "plan");
await page.getByRole("button", { name: "Enqueue 200 signups" }).click();
await page.getByText("All of it is accepted and durable").waitFor();

step("it is watched without loading the page again");
await page.evaluate(() => { window.stays = true; window.shift = 0;
  new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; }).observe({ type: "layout-shift" }); });
await need("work");
const bar = page.getByRole("progressbar");
const reached = async (n) => { await page.waitForFunction((n) => Number(document.querySelector("[role=progressbar]").getAttribute("aria-valuenow")) >= n, n); };
await reached(20);
await page.locator("#failed a.main").waitFor();
await looks(page, given.shots, "batch");
await reached(given.of_acme);
check(await page.evaluate(() => window.stays), "the page was not loaded again");
check(await page.evaluate(() => window.shift) < 0.05, "nothing moved on the page while numbers changed");
check(await bar.getAttribute("aria-valuemax") === "200", "the whole is 200");

step("the parked account is seen and resumed");
await page.getByRole("link", { name: "Overview" }).click();
await page.getByText("globex: parked").waitFor();
await looks(page, given.shots, "overview");
for (const [scheme, name] of [["dark", "overview-dark"], ["light", ""]]) {
  await page.emulateMedia({ colorScheme: scheme });
  if (name) await looks(page, given.shots, name);
}
await page.setViewportSize({ width: 320, height: 720 });
await looks(page, given.shots, "overview-narrow");
await page.setViewportSize({ width: 1360, height: 860 });
await need("mend globex");
await page.getByRole("link", { name: "Accounts", exact: true }).click();
await page.locator("#account-globex .badge.parked").waitFor();
check((await page.getByRole("meter", { name: "Requests of acme in the last 60 s" }).getAttribute("aria-valuemax")) === given.allowance, "the meter shows the allowance");
await looks(page, given.shots, "accounts");
await page.getByRole("link", { name: "Overview" }).click();
await page.getByRole("link", { name: "Resume globex" }).click();
await page.getByRole("dialog", { name: "Resume globex?" }).waitFor();
await looks(page, given.shots, "resume");
await page.keyboard.press("Escape");
check(await page.getByRole("dialog").count() === 0, "Escape leaves everything as it is");
check(await page.evaluate(() => document.activeElement.textContent) === "Resume globex", "and the focus where it was");
await page.keyboard.press("Enter");
await page.getByRole("button", { name: "Resume the account" }).click();
await page.getByText("The account goes on").waitFor();
await page.getByRole("link", { name: "Batches" }).click();
await page.getByRole("link", { name: "signups.csv" }).click();
await reached(200);
check((await at("failed").textContent()) === "1", "one has failed");

step("a failed one is retried and ends while it is watched");
const failed = page.locator("#failed a.main");
await failed.waitFor();
await failed.click();
await page.getByRole("heading", { name: "It failed, and waits for you" }).waitFor();
await looks(page, given.shots, "failed");
await need("mend acme");
await page.getByRole("link", { name: "Retry" }).click();
await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
await page.getByText("It is queued again").waitFor();
await page.locator("#top .badge.succeeded").waitFor();

step("one is found by its key, and its handoff copied");
await page.getByRole("link", { name: "Onboardings", exact: true }).first().click();
await page.getByLabel("Id or key").fill(given.key);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: given.key, level: 1 }).waitFor();
const sid = await page.locator("#handoff dt:text-is('Trunk SID') + dd .value").textContent();
await page.locator("#handoff").getByRole("button", { name: "Copy Trunk SID" }).click();
await page.getByText("Copied Trunk SID").waitFor();
check(/^[A-Za-z0-9]+$/.test(sid) && await page.evaluate(() => navigator.clipboard.readText()) === sid, "the trunk's SID is on the clipboard");
await page.getByText("All of it as JSON").click();
await page.getByRole("button", { name: "Copy the handoff as JSON" }).click();
await page.getByText("Copied the handoff").waitFor();
const handoff = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
check(handoff.trunk.sid === sid && handoff.credentials.password === "********", "the handoff is on the clipboard, its password masked");
await page.locator(".todo label").first().click();
await page.reload();
check(await page.locator(".todo input").first().isChecked(), "what is ticked stays ticked");
await page.evaluate(() => scrollTo(0, 0));
await looks(page, given.shots, "onboarding");
await page.emulateMedia({ colorScheme: "dark" });
await looks(page, given.shots, "onboarding-dark");
await page.setViewportSize({ width: 320, height: 720 });
await looks(page, given.shots, "onboarding-narrow");
await page.setViewportSize({ width: 1360, height: 860 });
await page.emulateMedia({ colorScheme: "light" });
await page.getByRole("button", { name: "Show password" }).click();
const password = page.locator("#password .value");
check(/^[A-Za-z0-9]{24}$/.test(await password.textContent()), "the password is shown");
await page.getByRole("link", { name: "Hide it again" }).click();
await page.getByRole("button", { name: "Show password" }).waitFor();

step("the colours that were chosen stay");
for (const theme of ["light", "dark"]) await page.getByRole("button", { name: /^Theme/ }).click();
await page.reload();
check(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "dark was chosen");

step("every page is accessible, light, dark and narrow");
const paths = [
  "/", "/onboardings", "/onboardings?state=failed", "/onboardings?q=nothing", "/batches", "/accounts", "/deliveries",
  "/recipes", "/recipes/livekit", "/upload", new URL(page.url()).pathname, "/accounts/resume?account=globex", "/batches/0",
];
for (const [scheme, width] of [["light", 1360], ["dark", 1360], ["light", 320]]) {
  const other = await open({ colorScheme: scheme, viewport: { width, height: 860 } });
  const tab = await other.newPage();
  await logIn(tab);
  for (const path of paths) {
    step(`${path}, ${scheme}, ${width} wide`);
    await tab.goto(given.base + path);
    await tab.evaluate(axe);
    const { violations } = await tab.evaluate(() => globalThis.axe.run());
    for (const { id, impact, nodes } of violations) {
      check(!["serious", "critical"].includes(impact), `${path}, ${scheme}, ${width}: ${id}: ${nodes[0].html}`);
    }
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth);
    check(wide <= width, `${path} is ${wide} wide in a window of ${width}`);
    if (scheme === "dark" && path === "/onboardings") await looks(tab, given.shots, "onboardings-dark");
    if (scheme === "light" && width > 320 && path === "/onboardings") await looks(tab, given.shots, "onboardings");
    if (width === 320 && path === "/onboardings") await looks(tab, given.shots, "onboardings-narrow");
  }
  await other.close();
}

step("without JavaScript it works too");
const plain = await open({ javaScriptEnabled: false });
const still = await plain.newPage();
await logIn(still);
await still.getByRole("link", { name: "Upload signups" }).click();
await still.getByLabel("Signups", { exact: true }).fill(given.one);
await still.getByRole("button", { name: "Check it" }).click();
await need("rest");
await still.getByRole("button", { name: "Enqueue 1 signup" }).click();
await still.getByText("All of it is accepted and durable").waitFor();
await still.getByRole("link", { name: "Its onboardings" }).click();
await still.getByRole("link", { name: "by-hand" }).click();
await still.getByRole("link", { name: "Cancel" }).click();
await still.getByRole("heading", { name: "Cancel by-hand?" }).waitFor();
await still.getByRole("button", { name: "Cancel the onboarding" }).click();
await still.getByText("It is cancelled.").waitFor();
await still.getByRole("button", { name: "Log out" }).click();
await still.getByLabel("Access token").waitFor();

await browser.close();
step("done");
process.exit(0);
