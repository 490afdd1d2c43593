import { useEffect, useState } from "react";

import type { Path } from "../document/types";
import { useDocument } from "../store/document";
import { ask } from "../workers/client";

export interface Reading {
  value: unknown;
  yaml: string;
}

/**
 * Read bodies of the last text that could be drawn, again whenever it changes. What was read for the same paths stays
 * until the new answer is here, so that a form does not blink; null while nothing was read yet.
 */
export function useRead(paths: readonly Path[]): Reading[] | null {
  const text = useDocument((state) => state.drawnText);
  const wanted = JSON.stringify(paths);
  const [read, setRead] = useState<{ wanted: string; answers: Reading[] } | null>(null);
  useEffect(() => {
    let stale = false;
    void ask({ ask: "read", text, paths: JSON.parse(wanted) as Path[] }).then(
      (answers) => {
        if (!stale) setRead({ wanted, answers });
      },
      () => undefined, // the worker stopped; the next change of the text asks again
    );
    return () => {
      stale = true;
    };
  }, [text, wanted]);
  return read?.wanted === wanted ? read.answers : null;
}
