// What makes pages handier. All of it works without, by links and forms.
const root = document.documentElement;
root.classList.add("js");

const say = (text) => {
  const toast = document.getElementById("toast");
  if (!toast) return;
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { toast.textContent = ""; }, 2500);
};

// Colours: as the system, light, dark. The server reads the cookie, so that no page flashes.
const themes = ["", "light", "dark"];
const toggle = document.querySelector("[data-theme-toggle]");
const showTheme = () => {
  const theme = root.dataset.theme ?? "";
  toggle.textContent = `Theme: ${theme || "auto"}`;
};
if (toggle) {
  showTheme();
  toggle.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "") + 1) % themes.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    document.cookie = `theme=${next}; Path=/; Max-Age=${next ? 31536000 : 0}; SameSite=Lax`;
    showTheme();
  });
}

// Copying. Where the browser allows no clipboard, the value is selected, to be copied by hand.
const select = (node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
};
const copy = async (button) => {
  const value = button.parentElement.querySelector(".value");
  try {
    await navigator.clipboard.writeText(value.textContent);
    say(`Copied${button.querySelector(".hide")?.textContent ?? ""}`);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  } catch {
    select(value);
    say("Selected: press Ctrl and C");
  }
};

// Questions in a dialog instead of on a page of their own: the same form, fetched.
const ask = async (link) => {
  const answer = await fetch(link.href, { redirect: "error" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector("form[data-ask]");
  if (!answer.ok || !form) throw new Error("no question there");
  const dialog = document.createElement("dialog");
  const title = form.querySelector("h1");
  const heading = document.createElement("h2");
  heading.id = "ask-title";
  heading.textContent = title.textContent;
  title.replaceWith(heading);
  dialog.setAttribute("aria-labelledby", "ask-title");
  dialog.append(document.adoptNode(form));
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); link.isConnected && link.focus(); });
  dialog.showModal();
};

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-copy], [data-confirm], [data-close]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.matches("[data-copy]")) copy(target);
  if (target.matches("[data-confirm]")) {
    event.preventDefault();
    // What cannot be asked here is asked on its page.
    ask(target).catch(() => { location.href = target.href; });
  }
  if (target.matches("[data-close]") && target.closest("dialog")) {
    event.preventDefault();
    target.closest("dialog").close();
  }
});

// A form that was sent is not sent twice.
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button:not([type=button])");
  if (button && event.target.method === "post") setTimeout(() => { button.disabled = true; });
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button[disabled]")) button.disabled = false;
});

// Checklists, kept in this browser for the last hundred onboardings.
const KEY = "trunkline-ticks";
const ticks = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? []; } catch { return []; } };
export const restore = () => {
  for (const list of document.querySelectorAll("[data-checklist]")) {
    const own = ticks().find(([id]) => id === list.dataset.checklist)?.[1] ?? [];
    list.querySelectorAll("input").forEach((box, at) => { box.checked = own.includes(at); });
  }
};
document.addEventListener("change", (event) => {
  const list = event.target.closest?.("[data-checklist]");
  if (!list) return;
  const own = [...list.querySelectorAll("input")].flatMap((box, at) => (box.checked ? [at] : []));
  const others = ticks().filter(([id]) => id !== list.dataset.checklist).slice(-99);
  try { localStorage.setItem(KEY, JSON.stringify([...others, [list.dataset.checklist, own]])); } catch { /* not kept */ }
});
restore();
document.addEventListener("swapped", restore);

// Times, told from now.
export const told = (at, now) => {
  const seconds = Math.floor(now / 1000) - Math.floor(at / 1000);
  const away = Math.abs(seconds);
  if (away < 5) return "just now";
  const amount = away < 60 ? `${away} s` : away < 3600 ? `${Math.floor(away / 60)} min`
    : away < 86400 ? `${Math.floor(away / 3600)} h` : `${Math.floor(away / 86400)} d`;
  return seconds >= 0 ? `${amount} ago` : `in ${amount}`;
};
setInterval(() => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-when]")) {
    const text = told(Date.parse(time.dateTime), Date.now());
    if (time.textContent !== text) time.textContent = text;
  }
}, 5000);
