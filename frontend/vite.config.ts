import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The bundle is committed (a server needs no Node), so its names and bytes depend on the sources alone.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/static/designer/",
  plugins: [react()],
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("../static/designer", import.meta.url)),
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // they know light-dark(), which cannot be lowered across files
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    rollupOptions: { input: { designer: "src/main.tsx" } },
  },
  test: { environment: "node", include: ["tests/**/*.test.ts", "tests/**/*.test.tsx"], testTimeout: 20_000 },
} as Parameters<typeof defineConfig>[0]);
