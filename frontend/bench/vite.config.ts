import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Builds both pages of the benchmark; the runner says where to. */
export default defineConfig({
  root: here("."),
  base: "/",
  plugins: [react()],
  worker: { format: "es" },
  build: { minify: process.env.PLAIN ? false : undefined, target: "es2022", cssTarget: ["chrome123", "firefox120", "safari17.5"], emptyOutDir: true, rollupOptions: { input: { canvas: here("canvas.html"), stress: here("stress.html") } } },
});
