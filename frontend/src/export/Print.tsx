import "./print.css";

import { useEffect, useState } from "react";

import { currentSvg } from "./downloads";

/** What a printer gets instead of the page: the whole drawing with its title, and which state of it this is. */
export function PrintDrawing({ title, version }: { title: string; version?: string }) {
  const [address, setAddress] = useState<string | null>(null);

  useEffect(() => {
    let made: string | null = null;
    // Made when it is needed: a drawing changes often and is printed rarely. Paper is white in the dark, too.
    const before = () => {
      if (made) URL.revokeObjectURL(made);
      made = URL.createObjectURL(new Blob([currentSvg({ theme: "light" })], { type: "image/svg+xml" }));
      setAddress(made);
    };
    window.addEventListener("beforeprint", before);
    return () => {
      window.removeEventListener("beforeprint", before);
      if (made) URL.revokeObjectURL(made);
    };
  }, []);

  const today = new Date().toLocaleDateString(document.documentElement.lang || undefined);
  return (
    <div className="d-print" aria-hidden="true">
      <header>
        <h1>{title}</h1>
        <p>{[version, today].filter(Boolean).join(" · ")}</p>
      </header>
      {address ? <img src={address} alt="" /> : null}
    </div>
  );
}
