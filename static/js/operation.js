// Follows one operation by its events. The page is complete as the server sent it; this only keeps it true:
// events carry the state of steps, the head and the structure are asked for anew when they change.
(() => {
  "use strict";

  const page = document.getElementById("operation");
  const head = document.getElementById("operation-head");
  const steps = document.getElementById("operation-steps");
  const looks = JSON.parse(document.getElementById("step-looks").textContent);
  const ENDS = new Set(["succeeded", "failed", "cancelled", "reverted", "revert_failed"]);
  const TYPES = ["operation.state", "step.state", "step.progress", "step.log"];
  let seq = Number(page.dataset.seq);
  let source = null;

  const byKey = (selector, key) => page.querySelectorAll(`${selector}[data-key="${CSS.escape(key)}"]`);
  const later = (element, name, delay) => {
    // The first change is shown soon, a burst of them together.
    if (element.dataset.planned) return;
    element.dataset.planned = "1";
    setTimeout(() => {
      delete element.dataset.planned;
      element.dispatchEvent(new CustomEvent(name));
    }, delay);
  };

  const icon = (state) => {
    const [tone, symbol, label] = looks[state] ?? ["quiet", "circle-dot", state];
    const [name, extra] = symbol.split(" ");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", `icon mark-${tone} ${extra ?? ""}`.trim());
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${page.dataset.icons}#${name}`);
    svg.append(use);
    return svg;
  };
  const part = (element, name) => element.querySelector(`[data-part="${name}"]`);

  const showState = (key, state) => {
    const tone = looks[state]?.[0] ?? "quiet";
    for (const node of byKey(".node", key)) {
      node.className = `node is-${tone}${state === "blocked" ? " is-blocked" : ""}`;
      part(node, "icon").replaceChildren(icon(state));
      if (state !== "waiting") part(node, "percent").textContent = "";
    }
    for (const row of byKey(".step", key)) {
      row.className = `step is-${tone}`;
      row.dataset.state = state;
      part(row, "icon").replaceChildren(icon(state));
      if (state === "running" || state === "waiting") {
        if (!row.querySelector("progress")) {
          const bar = document.createElement("progress");
          bar.max = 100;
          bar.setAttribute("aria-label", part(row, "message").previousSibling?.textContent ?? key);
          part(row, "progress").replaceChildren(bar);
        }
        row.dataset.from ??= String(Date.now());
      } else {
        part(row, "progress").replaceChildren();
        if (row.dataset.from) part(row, "time").textContent = duration((Date.now() - Number(row.dataset.from)) / 1000);
      }
      const details = row.querySelector("details");
      if (details.open) later(details.querySelector(".step-body"), "escale:open", 300);
    }
  };
  const showProgress = (key, data) => {
    for (const row of byKey(".step", key)) {
      const bar = row.querySelector("progress");
      if (bar && data.progress !== null && data.progress !== undefined) bar.value = data.progress;
      if (data.message) part(row, "message").textContent = data.message;
    }
    for (const node of byKey(".node", key)) {
      if (data.progress !== null && data.progress !== undefined) part(node, "percent").textContent = `${data.progress} %`;
    }
  };
  const showLog = (event) => {
    for (const log of page.querySelectorAll(`[data-log="${CSS.escape(event.step_key)}"]`)) {
      const last = Number(log.lastElementChild?.dataset.seq ?? 0);
      if (last >= event.seq) continue;
      const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 24;
      const line = document.createElement("li");
      line.dataset.seq = event.seq;
      const time = document.createElement("time");
      time.dateTime = event.at;
      time.textContent = new Date(event.at).toTimeString().slice(0, 8);
      const text = document.createElement("span");
      text.textContent = event.data.line ?? event.data.message ?? "";
      line.append(time, text);
      log.append(line);
      log.parentElement.querySelector("[data-no-log]")?.remove();
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
  };

  const take = (event) => {
    if (event.seq <= seq) return;
    seq = event.seq;
    const data = event.data ?? {};
    if (event.type === "step.state") {
      showState(event.step_key, data.state);
      showProgress(event.step_key, { progress: data.progress, message: data.error?.message ?? data.message });
      later(head, "escale:head", 700);
    } else if (event.type === "step.progress") {
      showProgress(event.step_key, data);
      later(head, "escale:head", 1500);
    } else if (event.type === "step.log") {
      showLog(event);
    } else if (event.type === "operation.state") {
      later(head, "escale:head", 50);
      later(steps, "escale:steps", 100);
      document.body.dispatchEvent(new CustomEvent("escale:operation"));
      if (ENDS.has(data.state)) stop();
    }
  };

  const live = (on) => {
    const mark = document.getElementById("live");
    if (!mark) return;
    mark.classList.toggle("is-on", on);
    mark.classList.toggle("is-lost", !on);
    mark.lastElementChild.textContent = on ? mark.dataset.on : mark.dataset.lost;
  };
  const receive = (message) => {
    live(true);
    try {
      take(JSON.parse(message.data));
    } catch (error) {
      console.error("an event cannot be read", error);
    }
  };
  const start = () => {
    if (source) return;
    // The browser reconnects by itself and sends Last-Event-ID; the first time the address says where to begin.
    source = new EventSource(`${page.dataset.events}?after=${seq}`);
    source.addEventListener("open", () => live(true));
    source.addEventListener("error", () => {
      live(false);
      if (source?.readyState === EventSource.CLOSED) {
        stop();
        // Closed for good by the server, or by a failure: the head tells which, and what still lives is followed again.
        setTimeout(() => later(head, "escale:head", 0), 3000);
        setTimeout(() => document.getElementById("live") && start(), 6000);
      }
    });
    source.addEventListener("message", receive);
    for (const type of TYPES) source.addEventListener(type, receive);
  };
  const stop = () => {
    source?.close();
    source = null;
  };
  if (document.getElementById("live")) start();
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => {
    if (event.persisted && document.getElementById("live")) {
      later(head, "escale:head", 0);
      later(steps, "escale:steps", 0);
      start();
    }
  });

  // A step's log is asked for when it is opened.
  const opened = (details) => {
    if (details.open) details.querySelector(".step-body")?.dispatchEvent(new CustomEvent("escale:open"));
  };
  page.addEventListener("toggle", (event) => event.target.matches?.(".step details") && opened(event.target), true);
  const follow = () => {
    const row = location.hash.startsWith("#step-") && document.getElementById(location.hash.slice(1));
    if (row) row.querySelector("details").open = true;
  };
  addEventListener("hashchange", follow);
  follow();

  // What a step waits for, and what waits for it, lights up with it.
  const link = (event) => {
    for (const node of page.querySelectorAll(".node.is-linked")) node.classList.remove("is-linked");
    const node = event.type === "mouseout" || event.type === "focusout" ? null : event.target.closest?.(".node");
    if (!node) return;
    const needs = new Set(node.dataset.needs.split(" "));
    for (const other of page.querySelectorAll(".node")) {
      if (needs.has(other.dataset.key) || other.dataset.needs.split(" ").includes(node.dataset.key)) other.classList.add("is-linked");
    }
  };
  for (const name of ["mouseover", "mouseout", "focusin", "focusout"]) steps.addEventListener(name, link);

  const two = (number) => String(number).padStart(2, "0");
  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  }
  setInterval(() => {
    for (const element of page.querySelectorAll("[data-since]")) {
      element.textContent = duration((Date.now() - Date.parse(element.dataset.since)) / 1000);
    }
  }, 1000);
})();
