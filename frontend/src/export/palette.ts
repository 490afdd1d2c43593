/** The tokens of static/css/tokens.css as plain colours: a picture that leaves the page has no style sheet. */
import type { IconName } from "../document/types";

export type Theme = "light" | "dark";

export interface Palette {
  page: string;
  card: string;
  machine: string;
  line: string;
  strong: string;
  edge: string;
  text: string;
  soft: string;
  accent: string;
  hues: Record<IconName, string>;
}

export const PALETTES: Record<Theme, Palette> = {
  light: {
    page: "#f6f7f9", card: "#ffffff", machine: "#e9edf1", line: "#e1e5ea", strong: "#c9cfd8", edge: "#868f9c",
    text: "#161b22", soft: "#434c5a", accent: "#2457d6",
    hues: {
      web: "#2457d6", api: "#6d3fc4", db: "#9a5600", cache: "#b3224f", queue: "#0b7250", worker: "#0e6a80",
      monitor: "#7a3b8f", search: "#2f6f1f", storage: "#7a4a1f", box: "#4b5768",
    },
  },
  dark: {
    page: "#0e1115", card: "#151a20", machine: "#1e252d", line: "#272e38", strong: "#3a4451", edge: "#66717f",
    text: "#e7ebf0", soft: "#b2bbc7", accent: "#8fb2ff",
    hues: {
      web: "#8fb2ff", api: "#bfa3ff", db: "#f0b557", cache: "#ff9ab5", queue: "#63d1a8", worker: "#6fc9de",
      monitor: "#dba0ee", search: "#9ed584", storage: "#dcae7e", box: "#a9b4c2",
    },
  },
};
