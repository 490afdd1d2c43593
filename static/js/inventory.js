// The inventory's list: a choice in the finder applies at once, and what to narrow down by stands open where there is room.
(() => {
  "use strict";

  document.addEventListener("change", (event) => {
    const finder = event.target.closest("[data-finder]");
    if (finder && event.target.matches("select")) finder.requestSubmit();
  });

  // Empty fields make long addresses of nothing.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-finder]")) return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });

  const wide = window.matchMedia("(min-width: 1100px)");
  const fit = () => {
    for (const part of document.querySelectorAll("[data-wide-open]")) part.open = wide.matches;
  };
  fit();
  wide.addEventListener("change", fit);
})();
