// The Compose editor: line numbers, colours and marks around a plain textarea; files dropped anywhere on the page.
(() => {
  "use strict";

  const form = document.getElementById("drawing");
  const editor = document.getElementById("editor");
  const area = document.getElementById("compose");
  const gutter = editor.querySelector(".editor-gutter");
  const paint = editor.querySelector(".editor-paint");
  const findings = document.getElementById("findings");
  const position = document.getElementById("editor-position");
  const size = document.getElementById("editor-size");
  const MOST_PAINTED = 5000; // lines; beyond that the text stays plain

  // Colours: the same rules as apps/blueprints/source.py.
  const KEY = /^(\s*(?:-\s+)*)((?:"[^"]*"|'[^']*'|[^\s#'"{}[\],&*!|>%@`:-][^#:]*?|<<))(\s*:)(?=\s|$)/;
  const TOKEN = /(?<comment>(?:(?<=\s)|^)#.*)|(?<string>"(?:\\.|[^"\\])*"|'(?:''|[^'])*')|(?<anchor>(?:(?<=\s)|^)[&*][\w-]+|\$\{[^}]*\}|\$\w+)|(?<number>(?<![\w./:-])(?:-?\d+(?:\.\d+)?|true|false|null|yes|no|on|off)(?![\w./:-]))/g;
  const BLOCK = /(?:^|[:\s-])\s*[|>][+-]?\d?[+-]?\s*(?:#.*)?$/;
  const span = (kind, text) => {
    const element = document.createElement("span");
    element.className = `tok-${kind}`;
    element.textContent = text;
    return element;
  };
  const tokens = (line) => {
    if (line.length > 2000) return [line];
    const pieces = [];
    let at = 0;
    const key = KEY.exec(line);
    if (key) {
      pieces.push(key[1], span("key", key[2]), key[3]);
      at = key[0].length;
    }
    TOKEN.lastIndex = at;
    for (let match = TOKEN.exec(line); match; match = TOKEN.exec(line)) {
      pieces.push(line.slice(at, match.index), span(Object.entries(match.groups).find(([, text]) => text !== undefined)[0], match[0]));
      at = match.index + match[0].length;
    }
    pieces.push(line.slice(at));
    return pieces;
  };

  let marks = new Map(); // line -> severity
  const readMarks = () => {
    marks = new Map();
    for (const item of findings.querySelectorAll("[data-line]")) {
      const line = Number(item.dataset.line);
      if (!line || (marks.get(line) === "error" && item.dataset.severity !== "error")) continue;
      if (item.dataset.severity !== "info") marks.set(line, item.dataset.severity);
    }
    editor.classList.toggle("has-errors", [...marks.values()].includes("error"));
    area.setAttribute("aria-invalid", String(editor.classList.contains("has-errors")));
  };
  const draw = () => {
    const lines = area.value.split("\n");
    const painted = lines.length <= MOST_PAINTED;
    editor.classList.toggle("painted", painted);
    const numbers = document.createDocumentFragment();
    const body = document.createDocumentFragment();
    let block = null;
    lines.forEach((line, index) => {
      const severity = marks.get(index + 1);
      const number = document.createElement("div");
      number.className = `gutter-line${severity ? ` is-${severity}` : ""}`;
      number.textContent = index + 1;
      numbers.append(number);
      if (!painted) return;
      const row = document.createElement("span");
      row.className = `paint-line${severity ? ` is-${severity}` : ""}`;
      const indent = line.length - line.trimStart().length;
      if (block !== null && line.trim() && indent <= block) block = null;
      if (block !== null) row.append(span("string", line || " "));
      else {
        if (BLOCK.test(line) && !line.trimStart().startsWith("#")) block = indent;
        row.append(...tokens(line || " "));
      }
      body.append(row);
    });
    gutter.replaceChildren(numbers);
    paint.replaceChildren(body);
    scroll();
    size.textContent = !area.value ? "" : size.dataset.text.replace("{lines}", lines.length).replace("{size}", new Blob([area.value]).size);
  };
  const scroll = () => {
    gutter.scrollTop = area.scrollTop;
    paint.style.transform = `translate(${-area.scrollLeft}px, ${-area.scrollTop}px)`;
  };
  const where = () => {
    const before = area.value.slice(0, area.selectionStart);
    const line = before.split("\n").length;
    position.textContent = position.dataset.text.replace("{line}", line).replace("{column}", before.length - before.lastIndexOf("\n"));
  };
  area.addEventListener("scroll", scroll, { passive: true });
  for (const name of ["keyup", "click", "focus"]) area.addEventListener(name, where);

  let timer = 0;
  const validate = (delay = 450) => {
    clearTimeout(timer);
    timer = setTimeout(() => findings.dispatchEvent(new CustomEvent("escale:validate")), delay);
  };
  area.addEventListener("input", () => {
    draw();
    where();
    validate();
  });
  document.getElementById("environment")?.addEventListener("input", () => validate());
  form.addEventListener("change", (event) => {
    if (event.target.name === "keep" || event.target.name === "file_path") validate(50);
  });
  document.addEventListener("htmx:after:swap", () => {
    readMarks();
    draw();
  });
  // Tab moves on, as everywhere on the page; indenting is Ctrl ] so that nobody is trapped in the text.
  area.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || (event.key !== "]" && event.key !== "[")) return;
    event.preventDefault();
    const from = area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
    const to = area.selectionEnd;
    const text = area.value.slice(from, to);
    const moved = event.key === "]" ? text.replace(/^/gm, "  ") : text.replace(/^ {1,2}/gm, "");
    area.setRangeText(moved, from, to, "select");
    area.dispatchEvent(new Event("input"));
  });

  // A mistake leads to its line.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-goto]");
    if (!link) return;
    event.preventDefault();
    const [line, column] = link.dataset.goto.split(":").map(Number);
    const lines = area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + Math.max(0, column - 1);
    const end = start - Math.max(0, column - 1) + (lines[line - 1]?.length ?? 0);
    area.focus();
    area.setSelectionRange(Math.min(start, end), end);
    area.scrollTop = Math.max(0, (line - 6) * 20);
    where();
  });

  // Files: chosen, or dropped anywhere. A Compose file fills the editor, the rest (an .env too) goes along.
  const chooser = document.getElementById("files");
  const list = document.getElementById("file-list");
  const beside = new Map(); // path -> File
  const isCompose = (name) => /(^|\/)(docker-)?compose[^/]*\.ya?ml$/i.test(name) || /\.compose\.ya?ml$/i.test(name);
  const showFiles = () => {
    const transfer = new DataTransfer();
    list.replaceChildren();
    for (const [path, file] of beside) {
      transfer.items.add(file);
      const row = document.createElement("li");
      const input = document.createElement("input");
      input.className = "input mono";
      input.name = "file_path";
      input.value = path;
      input.setAttribute("aria-label", list.dataset.label);
      input.addEventListener("change", () => {
        const entries = [...beside].map(([old, content]) => [old === path ? input.value : old, content]);
        beside.clear();
        for (const [name, content] of entries) beside.set(name, content);
        showFiles();
        validate(50);
      });
      const bytes = document.createElement("span");
      bytes.className = "size";
      bytes.textContent = file.size < 1024 ? `${file.size} B` : `${(file.size / 1024).toFixed(1)} KiB`;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.className = "button small plain";
      remove.textContent = list.dataset.remove;
      remove.setAttribute("aria-label", `${list.dataset.remove} ${path}`);
      remove.addEventListener("click", () => {
        beside.delete(path);
        showFiles();
        validate(50);
      });
      row.append(input, bytes, remove);
      list.append(row);
    }
    chooser.files = transfer.files;
  };
  const suggestName = (name) => {
    const field = form.elements.name;
    if (!field || field.value) return;
    const folder = name.split("/").at(-2);
    const stem = name.split("/").at(-1).replace(/\.(ya?ml)$/i, "").replace(/^(docker-)?compose[.-]?|[.-]?compose$/gi, "");
    const suggestion = (stem || folder || "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
    if (suggestion) field.value = suggestion.slice(0, 63);
  };
  const take = async (entries) => {
    const only = entries.length === 1 && /\.ya?ml$/i.test(entries[0][0]);
    const drawing = entries.find(([path]) => isCompose(path)) ?? (only ? entries[0] : null);
    const folder = drawing && drawing[0].includes("/") ? drawing[0].slice(0, drawing[0].lastIndexOf("/") + 1) : "";
    for (const [path, file] of entries) {
      const relative = folder && path.startsWith(folder) ? path.slice(folder.length) : path;
      if (drawing && path === drawing[0]) {
        area.value = (await file.text()).replaceAll("\r\n", "\n");
        suggestName(path);
      } else {
        beside.set(relative, file);
      }
    }
    showFiles();
    draw();
    validate(0);
    area.focus();
    area.setSelectionRange(0, 0);
    area.scrollTop = 0;
  };
  chooser.addEventListener("change", () => {
    for (const file of chooser.files) beside.set(file.name, file);
    showFiles();
    validate(50);
  });
  const single = document.getElementById("compose-file");
  single.addEventListener("change", async () => {
    const file = single.files[0];
    if (!file) return;
    await take([[isCompose(file.name) ? file.name : `${file.name.replace(/\.ya?ml$/i, "")}.compose.yaml`, file]]);
    single.value = ""; // its text is in the editor now, where it may be changed
  });
  document.addEventListener("escale:files", (event) => take(event.detail));

  readMarks();
  draw();
})();
