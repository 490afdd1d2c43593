// What every page can do beyond its HTML: menus, dialogs, shortcuts, times that grow old, typed confirmations.
// Nothing here is needed to use the portal; without it menus open as <details> and forms post as forms.
(() => {
  "use strict";

  const root = document.documentElement;
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
  root.classList.add("js");
  for (const element of document.querySelectorAll(".js-only")) element.hidden = false;

  // Theme: the profile form works without a script; with one it applies at once.
  document.addEventListener("change", (event) => {
    if (event.target.name !== "theme") return;
    if (event.target.value) root.dataset.theme = event.target.value;
    else delete root.dataset.theme;
  });

  // Menus close when one leaves them.
  const closeMenus = (but) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(but)) menu.open = false;
  };
  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("focusin", (event) => closeMenus(event.target));

  // Dialogs
  const open = (id) => {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    closeMenus(null);
    dialog.showModal();
    const loader = dialog.querySelector("[hx-trigger*='escale:opened']");
    if (loader?.select) loader.select();
    loader?.dispatchEvent(new CustomEvent("escale:opened"));
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      const id = opener.dataset.opens;
      // A page with dialogs of its own (the designer) may take the wish over.
      const asked = new CustomEvent("escale:opens", { detail: id, cancelable: true });
      if (document.getElementById(id) || !document.dispatchEvent(asked)) {
        event.preventDefault();
        closeMenus(null);
        open(id);
        return;
      }
    }
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
    if (event.target.matches("dialog")) event.target.close(); // the backdrop
  });

  // Search and commands: arrows move, Enter goes.
  const palette = document.getElementById("palette");
  const results = document.getElementById("palette-results");
  const options = () => [...(results?.querySelectorAll("[role=option]") ?? [])];
  const choose = (index) => {
    const all = options();
    if (!all.length) return;
    const at = (index + all.length) % all.length;
    all.forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    all[at].scrollIntoView({ block: "nearest" });
    palette.querySelector("input").setAttribute("aria-activedescendant", all[at].id);
  };
  palette?.addEventListener("keydown", (event) => {
    const all = options();
    const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(at + 1);
    else if (event.key === "ArrowUp") choose(at - 1);
    else if (event.key === "Enter" && all.length) (all[Math.max(at, 0)]).click();
    else return;
    event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (results && (event.target === results || event.detail?.ctx?.target === results)) choose(0);
  });

  // Shortcuts; a page with keys of its own says so (data-own-keys) and keeps all but Escape.
  const ownKeys = "ownKeys" in root.dataset;
  let pending = "";
  const GO = { o: "/", d: "/designs/", p: "/deployments/", c: "/clouds/", i: "/inventory/", a: "/activity/" };
  const rows = () => [...document.querySelectorAll("main .table tbody a.main, main .rows a.main")];
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette) {
      event.preventDefault();
      open("palette");
      return;
    }
    if (event.key === "Escape") closeMenus(null);
    if (ownKeys) return;
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (pending === "g" && GO[event.key]) {
      pending = "";
      location.assign(GO[event.key]);
      return;
    }
    pending = event.key === "g" ? "g" : "";
    if (event.key === "?") open("shortcuts");
    else if (event.key === "n" && palette) location.assign("/designs/canvas/new/");
    else if (event.key === "j" || event.key === "k") {
      const all = rows();
      const at = all.indexOf(document.activeElement);
      const next = event.key === "j" ? at + 1 : Math.max(at, 1) - 1;
      all[Math.min(next, all.length - 1)]?.focus();
    }
  });

  // Times grow old; the server's words are taken as a pattern for the short ones.
  const language = root.lang || "en";
  const relative = new Intl.RelativeTimeFormat(language, { style: "short", numeric: "always" });
  const age = () => {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (seconds < 45 || seconds > 30 * 86400) continue;
      const [count, unit] = seconds < 3600 ? [seconds / 60, "minute"] : seconds < 86400 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
      const text = relative.format(-Math.max(1, Math.round(count)), unit).replace(/\./g, "").replace(" hr", " h");
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(age, 30000);

  // What destroys data is typed to be confirmed. The server checks it again.
  const confirmations = () => {
    for (const input of document.querySelectorAll("[data-confirms]")) {
      const button = input.form?.querySelector("[data-confirmed]");
      if (button) button.setAttribute("aria-disabled", String(input.value.trim() !== input.dataset.confirms));
    }
  };
  document.addEventListener("input", confirmations);
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("[data-confirmed]");
    if (button?.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      event.target.querySelector("[data-confirms]")?.focus();
      return;
    }
    // A second press while the first is under way would only be refused.
    const submitter = event.submitter;
    if (submitter && !event.target.hasAttribute("hx-post") && !submitter.hasAttribute("hx-post")) {
      setTimeout(() => submitter.setAttribute("aria-disabled", "true"));
      setTimeout(() => submitter.removeAttribute("aria-disabled"), 4000);
    }
  });
  confirmations();
  addEventListener("pageshow", confirmations);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text.trim());
      button.dataset.label ??= button.getAttribute("aria-label") ?? "";
      button.classList.add("mark-good");
      setTimeout(() => button.classList.remove("mark-good"), 1500);
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
  });

  // When the portal cannot be reached the page says so, and what it shows stays.
  const notice = (id, shown) => {
    const banner = document.getElementById(id);
    if (banner) banner.hidden = !shown;
  };
  addEventListener("offline", () => notice("offline", true));
  addEventListener("online", () => notice("offline", false));
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.error instanceof TypeError) notice("offline", true);
  });
  document.addEventListener("htmx:after:request", () => notice("offline", !navigator.onLine));
  if (!navigator.onLine) notice("offline", true);
})();
