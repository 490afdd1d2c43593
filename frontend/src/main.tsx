import "./app/shell.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { readBoot } from "./app/boot";
import { Designer } from "./app/Designer";
import { useLanguage } from "./i18n";

const boot = readBoot();
const root = document.getElementById("designer");
if (root) {
  void useLanguage(boot.language).then(() => {
    createRoot(root).render(
      <StrictMode>
        <Designer boot={boot} />
      </StrictMode>,
    );
  });
}
