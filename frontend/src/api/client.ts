import createClient, { type Client } from "openapi-fetch";
import { create } from "zustand";

import type { Boot } from "../app/boot";
import { problemOf, ProblemError, Unreachable } from "./problem";
import type { components, paths } from "./schema.gen";

export { ProblemError, Unreachable } from "./problem";
export type Schemas = components["schemas"];

interface SessionState {
  /** The session has ended; what is sent is refused until one signs in again, in another tab for instance. */
  signedOut: boolean;
  language: string;
}

export const useSession = create<SessionState>()(() => ({ signedOut: false, language: "en" }));

const AWAY = new Set([502, 503, 504]);
const WAITS_MS = [300, 1_000, 3_000];

let token = "";

/** Tell the client whose page this is. */
export function configureApi(boot: Pick<Boot, "csrf" | "language">): void {
  token = boot.csrf;
  useSession.setState({ language: boot.language });
}

/** Signing in again changes the secret behind the token, and the cookie knows; the page's own is as old as the page. */
function csrfToken(): string {
  const cookie = typeof document === "undefined" ? undefined : /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? token;
}

/** True for the answers of an expired session; a role that does not suffice is another matter. */
export function endsSession(problem: ProblemError): boolean {
  return problem.status === 401 || problem.code === "csrf";
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });

/** Fetch; what only reads is tried again with growing pauses while the portal is away. Throws what is no success. */
async function send(request: Request): Promise<Response> {
  const patient = request.method === "GET";
  const headers = new Headers(request.headers);
  headers.set("Accept", "application/json");
  headers.set("Accept-Language", useSession.getState().language);
  if (!patient) headers.set("X-CSRFToken", csrfToken());
  for (let tries = 0; ; tries++) {
    const attempt = new Request(request.clone(), { headers, credentials: "same-origin" });
    let away: Unreachable;
    try {
      const response = await fetch(attempt);
      if (response.ok) {
        if (useSession.getState().signedOut) useSession.setState({ signedOut: false });
        return response;
      }
      const problem = await problemOf(response);
      if (endsSession(problem)) useSession.setState({ signedOut: true });
      if (!AWAY.has(response.status)) throw problem;
      away = new Unreachable(response.status);
    } catch (error) {
      if (error instanceof ProblemError || request.signal.aborted) throw error;
      away = error instanceof Unreachable ? error : new Unreachable(null);
    }
    const wait = WAITS_MS[tries];
    if (!patient || wait === undefined) throw away;
    await pause(wait, request.signal);
  }
}

/** The REST API as docs/openapi.yaml tells it; refusals are thrown as ProblemError, absence as Unreachable. */
export const api: Client<paths> = createClient<paths>({
  // Relative addresses are for browsers; tests have none.
  baseUrl: typeof location === "undefined" ? "http://portal.test" : location.origin,
  fetch: send,
});

/** Return what a request answered; it throws what is no success. */
export async function take<T>(request: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data } = await request;
  return data as T;
}

/** Return all rows of a list, page by page; lists that are this long are not what a designer shows. */
export async function takeAll<T>(
  page: (cursor: string | undefined) => Promise<{ data?: { results: T[]; next?: string | null }; response: Response }>,
  most = 1_000,
): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  do {
    const { data } = await page(cursor);
    if (!data) break;
    rows.push(...data.results);
    cursor = data.next ? new URL(data.next, "http://portal.test").searchParams.get("cursor") ?? undefined : undefined;
  } while (cursor !== undefined && rows.length < most);
  return rows;
}

/** Make a key under which a creation may be sent again without being done twice. */
export function newKey(): string {
  // randomUUID is only there in secure contexts, and a portal in a laboratory may be served without TLS.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
