/** What the page tells the designer: a JSON script element with the id `designer-boot`. */
export interface Boot {
  /** draft: edit; version: an old version, read-only; shared: somebody's link, read-only. */
  mode: "draft" | "version" | "shared";
  language: "en" | "fr";
  user: string;
  csrf: string;
  project: { id: string; name: string };
  blueprint: { id: string; name: string } | null;
  draft: string | null;
  version: number | null;
  name: string;
  text: string;
  /** The deployment that the page was opened for, if any. */
  deployment: string | null;
  may: { write: boolean; deploy: boolean };
  urls: { designs: string; api: string };
}

export function readBoot(): Boot {
  const element = document.getElementById("designer-boot");
  return JSON.parse(element?.textContent ?? "null") as Boot;
}
