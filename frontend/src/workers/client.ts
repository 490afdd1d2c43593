import type { Answer, Request } from "./protocol";

interface Waiting {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

let worker: Worker | null = null;
let number = 0;
const waiting = new Map<number, Waiting>();

function start(): Worker {
  const started = new Worker(new URL("./document.worker.ts", import.meta.url), { type: "module", name: "document" });
  started.onmessage = (event: MessageEvent<{ id: number; answer?: never; failure?: string }>) => {
    const { id, answer: value, failure } = event.data;
    const asker = waiting.get(id);
    waiting.delete(id);
    if (failure === undefined) asker?.resolve(value as never);
    else asker?.reject(new Error(failure));
  };
  started.onerror = (event) => {
    // A worker that died is replaced at the next question; those who wait are told.
    started.terminate();
    if (worker === started) worker = null;
    for (const asker of waiting.values()) asker.reject(new Error(event.message || "the document worker stopped"));
    waiting.clear();
  };
  return started;
}

/** Ask the document worker; without workers (tests) the answer is made here. */
export function ask<R extends Request>(request: R): Promise<Answer<R>> {
  if (typeof Worker === "undefined") return import("./answer").then(({ answer }) => answer(request) as Answer<R>);
  worker ??= start();
  const id = ++number;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: never) => void, reject });
    worker?.postMessage({ id, request });
  });
}
