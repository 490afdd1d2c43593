import "./print.css";

import { useEffect, useRef } from "react";

import { currentSvg } from "./downloads";

/** Return the drawing as an element. It is part of the page, since a printer does not wait for an image to be read. */
export function drawnNow(): Element | null {
  const { documentElement } = new DOMParser().parseFromString(currentSvg({ theme: "light" }), "image/svg+xml");
  return documentElement.localName === "svg" ? document.importNode(documentElement, true) : null;
}

/** What a printer gets instead of the page: the whole drawing with its title, and which state of it this is. */
export function PrintDrawing({ title, version }: { title: string; version?: string }) {
  const place = useRef<HTMLDivElement>(null);

  useEffect(() => {
    // Made when it is needed: a drawing changes often and is printed rarely. Paper is white in the dark, too.
    const before = () => {
      const drawn = drawnNow();
      place.current?.replaceChildren(...(drawn ? [drawn] : []));
    };
    const after = () => place.current?.replaceChildren();
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, []);

  const today = new Date().toLocaleDateString(document.documentElement.lang || undefined);
  return (
    <div className="d-print" aria-hidden="true">
      <header>
        <h1>{title}</h1>
        <p>{[version, today].filter(Boolean).join(" · ")}</p>
      </header>
      <div className="d-print-drawing" ref={place} />
    </div>
  );
}
