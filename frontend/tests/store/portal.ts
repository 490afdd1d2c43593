import { diff3Merge } from "node-diff3";

import { ProblemError, Unreachable } from "../../src/api/client";
import { Autosave, type Told } from "../../src/store/autosave";
import { memoryCopies } from "../../src/store/copies";
import type { Draft, Place, Server } from "../../src/store/server";

export const BASE = "services:\n  web:\n    image: nginx\n  db:\n    image: postgres\n";
export const MINE = BASE.replace("nginx", "nginx:1.29");
export const THEIRS = BASE.replace("postgres", "postgres:18");
export const BOTH = THEIRS.replace("nginx", "nginx:1.29");

export const problem = (status: number, code: string, members: Record<string, unknown> = {}) =>
  new ProblemError(status, code, code, "", "", { code, ...members });

/** A portal that keeps drafts by the same rules as the real one; `next` makes the next request fail. */
export class FakePortal implements Server {
  drafts = new Map<string, Draft>();
  versions: string[] = [];
  by = "";
  log: string[] = [];
  keys: string[] = [];
  fail: unknown[] = [];
  lose = 0; // answers that get lost after the work was done
  gate: Promise<void> | null = null;
  open = 0;
  widest = 0;
  private answers = new Map<string, Draft>();

  private async enter(what: string): Promise<void> {
    this.log.push(what);
    this.widest = Math.max(this.widest, ++this.open);
    try {
      if (this.gate) await this.gate;
      await Promise.resolve();
      const failure = this.fail.shift();
      if (failure) throw failure;
    } finally {
      this.open--;
    }
  }

  private answer(draft: Draft): Draft {
    if (this.lose > 0) {
      this.lose--;
      throw new Unreachable(null);
    }
    return { ...draft };
  }

  create: Server["create"] = async (body, key) => {
    await this.enter("create");
    this.keys.push(key);
    const known = this.answers.get(key);
    if (known) return { ...known };
    const mine = [...this.drafts.values()].find((draft) => body.blueprint && draft.blueprint?.id === body.blueprint);
    if (mine) return this.answer(mine);
    const number = body.blueprint ? this.versions.length : null;
    const draft: Draft = {
      id: `d${this.drafts.size + 1}`, revision: 1, name: body.name ?? "", base_version: number,
      compose: body.compose ?? this.versions[this.versions.length - 1] ?? "",
      blueprint: body.blueprint ? { id: body.blueprint, name: "shop" } : null, files: [],
    };
    this.drafts.set(draft.id, draft);
    this.answers.set(key, { ...draft });
    return this.answer(draft);
  };

  read: Server["read"] = async (id) => {
    await this.enter("read");
    const draft = this.drafts.get(id);
    if (!draft) throw problem(404, "not_found");
    return { ...draft };
  };

  write: Server["write"] = async (id, body) => {
    await this.enter("write");
    const draft = this.drafts.get(id);
    if (!draft) throw problem(404, "not_found");
    if (draft.revision !== body.revision) {
      throw problem(409, "draft.conflict", { revision: draft.revision, compose: draft.compose });
    }
    Object.assign(draft, { compose: body.compose, revision: draft.revision + 1, name: body.name ?? draft.name });
    if (body.files) {
      const unknown = Object.keys(body.files).filter((path) => body.files?.[path] === null && !draft.files.includes(path));
      if (unknown.length > 0) throw problem(422, "draft.not_stored");
      draft.files = Object.keys(body.files);
    }
    return this.answer(draft);
  };

  save: Server["save"] = async (id, body) => {
    await this.enter("save");
    const draft = this.drafts.get(id) as Draft;
    if (draft.revision !== body.revision) throw problem(409, "draft.conflict", { ...draft });
    const base = body.base_version ?? draft.base_version;
    if (draft.blueprint && base !== this.versions.length) {
      throw problem(409, "blueprint.version_conflict", {
        base_version: base, latest_version: this.versions.length, compose: this.versions[this.versions.length - 1], saved_by: this.by,
      });
    }
    this.versions.push(draft.compose);
    draft.blueprint ??= { id: "b1", name: body.name ?? draft.name };
    draft.base_version = this.versions.length;
    draft.revision++;
    return { number: this.versions.length, versionId: `v${this.versions.length}`, blueprint: draft.blueprint, revision: draft.revision };
  };

  version: Server["version"] = async (_, number) => {
    await this.enter("version");
    return this.versions[number - 1] ?? "";
  };

  /** Paths beside the design's versions. */
  beside: string[] = [];
  files: Server["files"] = () => Promise.resolve(this.beside);
}

export function merge(base: string, mine: string, theirs: string) {
  const text: string[] = [];
  const conflicts: { base: string; mine: string; theirs: string; line: number }[] = [];
  for (const part of diff3Merge(mine.split("\n"), base.split("\n"), theirs.split("\n"), { excludeFalseConflicts: true })) {
    if (part.ok) text.push(...part.ok);
    if (part.conflict) {
      const { a, o, b } = part.conflict;
      conflicts.push({ mine: a.join("\n"), base: o.join("\n"), theirs: b.join("\n"), line: text.length + 1 });
      text.push(...a);
    }
  }
  return Promise.resolve({ text: text.join("\n"), conflicts });
}

export function begin(server: FakePortal, place: Partial<Place> = {}, copies = memoryCopies()) {
  const at: Place = {
    user: "ada", page: "p1", project: "shop", draft: null, blueprint: null, version: null, name: "shop", text: BASE, ...place,
  };
  const page = { text: at.text, steps: [] as string[], said: [] as string[], announced: [] as number[], told: {} as Told, stopped: false };
  const alive = new Set<string>();
  let keys = 0;
  const autosave = new Autosave(
    {
      server, copies, merge: (...texts) => (page.stopped ? Promise.reject(new Error("the document worker stopped")) : merge(...texts)),
      document: {
        text: () => page.text,
        put: (text, label) => {
          page.text = text;
          page.steps.push(label.key);
          autosave.changed();
        },
      },
      tell: (told) => Object.assign(page.told, told),
      say: (message) => page.said.push(message.key),
      announce: (_, revision) => page.announced.push(revision),
      others: () => Promise.resolve(alive),
      now: () => Date.now(),
    },
    at,
    () => `key-${++keys}`,
  );
  const type = (text: string) => {
    page.text = text;
    autosave.changed();
  };
  return { autosave, page, copies, type, alive };
}

export const draftOn = (server: FakePortal, compose = BASE, revision = 3) => {
  server.drafts.set("d1", { id: "d1", revision, compose, name: "shop", base_version: null, blueprint: null, files: [] });
};
