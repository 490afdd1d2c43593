import { api, take } from "../api/client";

/** A draft as autosave needs it. */
export interface Draft {
  id: string;
  revision: number;
  compose: string;
  name: string;
  base_version: number | null;
  blueprint: { id: string; name: string } | null;
  /** Paths of the files beside the text. */
  files: string[];
}

/** Where a drawing belongs, as the page was opened. */
export interface Place {
  user: string;
  /** This page's own id, so that the copies of two tabs do not overwrite each other. */
  page: string;
  project: string;
  draft: string | null;
  blueprint: { id: string; name: string } | null;
  version: number | null;
  name: string;
  text: string;
}

export interface SaveWish {
  name?: string;
  message?: string;
}

export interface Saved {
  number: number;
  versionId: string;
  blueprint: { id: string; name: string };
  revision: number;
}

/** What autosave asks of the portal; refusals are ProblemErrors, absence is Unreachable. */
export interface Server {
  create: (body: { project: string; blueprint?: string; name?: string; compose?: string }, key: string) => Promise<Draft>;
  read: (id: string) => Promise<Draft>;
  /** `files` is the whole set: text, or null for a content that stays as it is stored. */
  write: (
    id: string, body: { revision: number; compose: string; name?: string; files?: Record<string, string | null> }, keepalive: boolean,
  ) => Promise<Draft>;
  save: (id: string, body: SaveWish & { revision: number; base_version?: number }, key: string) => Promise<Saved>;
  version: (blueprint: string, number: number) => Promise<string>;
  /** Paths of the files beside a version. */
  files: (blueprint: string, number: number) => Promise<string[]>;
}

type Answer = Omit<Draft, "revision" | "name" | "files"> & { revision?: number; name?: string; files?: string[] };

const draftOf = ({ id, revision, compose, name, base_version, blueprint, files }: Answer): Draft => ({
  id, revision: revision ?? 1, compose, name: name ?? "", base_version, blueprint, files: files ?? [],
});

export const portal: Server = {
  create: async (body, key) =>
    draftOf(await take(api.POST("/api/v1/drafts/", { body, headers: { "Idempotency-Key": key } }))),
  read: async (id) => draftOf(await take(api.GET("/api/v1/drafts/{id}/", { params: { path: { id } } }))),
  write: async (id, body, keepalive) =>
    draftOf(await take(api.PUT("/api/v1/drafts/{id}/", { params: { path: { id } }, body, keepalive }))),
  save: async (id, body, key) => {
    const saved = await take(
      api.POST("/api/v1/drafts/{id}/save/", {
        params: { path: { id } }, body: { ...body, force: false }, headers: { "Idempotency-Key": key },
      }),
    );
    const { version, blueprint, draft } = saved;
    return {
      number: version.number, versionId: version.id, blueprint: { id: blueprint.id, name: blueprint.name },
      revision: draft.revision ?? 1,
    };
  },
  version: async (blueprint, number) => (await versionOf(blueprint, number)).compose,
  files: async (blueprint, number) => [...(await versionOf(blueprint, number)).files],
};

const versionOf = (id: string, number: number) =>
  take(api.GET("/api/v1/blueprints/{id}/versions/{number}/", { params: { path: { id, number: String(number) } } }));
