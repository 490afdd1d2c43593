import { type KeyboardEvent, useEffect, useRef, useState } from "react";

/** What a commit answers: null when the text is taken, else why not. */
export type Commit = (text: string) => Promise<string | null> | string | null;

interface Committing {
  draft: string;
  error: string | null;
  /** True while what is typed differs from what the document says. */
  dirty: boolean;
  change: (text: string) => void;
  blur: () => void;
  key: (event: KeyboardEvent<HTMLElement>) => void;
  /** Take a text at once, as choosing from a list does. */
  take: (text: string) => void;
}

const SETTLES_MS = 400;

/**
 * Hold what is typed until it is meant: leaving the field or Enter commits, Escape goes back. What the document says
 * comes through while nothing is typed; a refusal stays beside what was typed, so that it can be mended.
 */
export function useCommit(value: string, commit: Commit, multiline = false): Committing {
  const [typed, setTyped] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const running = useRef(false);
  const taken = useRef<string | null>(null);

  // The document has answered: what it says now is shown, whatever it made of the text.
  useEffect(() => {
    if (taken.current === null) return;
    taken.current = null;
    setTyped(null);
  }, [value]);

  const finish = async (text: string): Promise<void> => {
    if (running.current) return;
    if (text === value) {
      setTyped(null);
      setError(null);
      return;
    }
    running.current = true;
    try {
      const refused = await commit(text);
      setError(refused);
      if (refused === null) {
        taken.current = text;
        setTimeout(() => {
          if (taken.current !== text) return;
          taken.current = null;
          setTyped((now) => (now === text ? null : now));
        }, SETTLES_MS);
      }
    } finally {
      running.current = false;
    }
  };

  return {
    draft: typed ?? value,
    error,
    dirty: typed !== null && typed !== value,
    change: (text) => {
      taken.current = null;
      setTyped(text);
    },
    blur: () => {
      if (typed !== null && taken.current === null) void finish(typed);
    },
    key: (event) => {
      if (event.nativeEvent.isComposing) return;
      if (event.key === "Enter" && (!multiline || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (typed !== null) void finish(typed);
      } else if (event.key === "Escape" && (typed !== null || error !== null)) {
        event.preventDefault();
        event.stopPropagation();
        taken.current = null;
        setTyped(null);
        setError(null);
      }
    },
    take: (text) => {
      setTyped(text);
      void finish(text);
    },
  };
}
