// A Compose file dropped anywhere opens in the editor, together with the files dropped beside it.
(() => {
  "use strict";

  const veil = document.getElementById("drop-veil");
  const KEPT = "escale:dropped";
  const MOST_BYTES = 3_000_000; // what a session may carry from page to page
  const inEditor = () => document.getElementById("drawing");
  let depth = 0;
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const show = (shown) => {
    if (veil) veil.hidden = !shown;
  };

  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });

  const walk = async (entry, prefix, found) => {
    if (entry.isFile) {
      found.push([prefix + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    } else if (entry.isDirectory && found.length < 300) {
      const reader = entry.createReader();
      for (;;) {
        const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!batch.length) break;
        for (const child of batch) await walk(child, `${prefix}${entry.name}/`, found);
      }
    }
  };
  const collect = async (transfer) => {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => [file.name, file]);
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    return found;
  };
  const carry = async (files) => {
    const total = files.reduce((sum, [, file]) => sum + file.size, 0);
    if (total > MOST_BYTES) return;
    const packed = [];
    for (const [path, file] of files) {
      const bytes = new Uint8Array(await file.arrayBuffer());
      let text = "";
      for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
      packed.push([path, btoa(text)]);
    }
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(packed));
    } catch {
      // the browser keeps less than that: the editor opens empty
    }
  };

  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    const files = await collect(event.dataTransfer);
    if (!files.length) return;
    if (inEditor()) {
      document.dispatchEvent(new CustomEvent("escale:files", { detail: files }));
    } else {
      await carry(files);
      location.assign(veil?.dataset.editor ?? "/designs/new/");
    }
  });

  if (inEditor()) {
    const kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (kept && !document.getElementById("compose").value) {
      const files = JSON.parse(kept).map(([path, text]) => {
        const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        return [path, new File([bytes], path.split("/").at(-1))];
      });
      document.dispatchEvent(new CustomEvent("escale:files", { detail: files }));
    }
  }
})();
