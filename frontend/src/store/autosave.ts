import { endsSession, ProblemError, Unreachable } from "../api/client";
import type { Message } from "../document/types";
import type { Draft, Place, SaveWish, Saved, Server } from "./server";
import type { Surroundings, SyncState, Told } from "./told";

export type { Conflict, SyncState, Told } from "./told";

export const MAX_BYTES = 1024 * 1024;
const QUIET_MS = 800;
const LONGEST_MS = 5_000;
const COPY_MS = 250;
const RETRIES_MS = [2_000, 4_000, 8_000, 15_000, 30_000];

export function bytesOf(text: string): number {
  return text.length > MAX_BYTES ? text.length : new TextEncoder().encode(text).length;
}

/**
 * Keep one drawing on the server while it is drawn. One request at a time; what cannot be sent is kept in the browser
 * and sent when it can; what was written elsewhere meanwhile is joined with what is here.
 */
export class Autosave {
  private told: Told;
  private acked: string;
  private revision: number | null = null;
  private renamed = false;
  /** Files that came along with a template or a drop and are not sent yet, by path. */
  private attached: Record<string, string> = {};
  /** Paths that are to go with the next write. */
  private detached = new Set<string>();
  private stored: string[] | null;
  /** A creation whose answer was lost is sent again as it was, under its key. */
  private creation: { key: string; body: Parameters<Server["create"]>[0] } | null = null;
  private running: Promise<void> | null = null;
  private quiet: ReturnType<typeof setTimeout> | null = null;
  private latest: ReturnType<typeof setTimeout> | null = null;
  private copying: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;
  private lost = false;
  private stopped = false;

  constructor(
    private readonly around: Surroundings,
    private readonly place: Place,
    private readonly newKey: () => string,
  ) {
    this.acked = place.text;
    this.told = {
      state: "saved", problem: null, draft: place.draft, blueprint: place.blueprint, baseVersion: place.version,
      name: place.name, savedAt: null, conflict: null, files: null,
    };
    this.stored = place.draft === null && place.blueprint === null ? [] : null;
    this.told.files = this.stored;
    around.tell(this.told);
  }

  get state(): SyncState {
    return this.told.state;
  }

  /** True while the server lacks something that is here. */
  get dirty(): boolean {
    return this.renamed || Object.keys(this.attached).length > 0 || this.detached.size > 0 || this.around.document.text() !== this.acked;
  }

  /** Bring back what earlier pages of this browser could not send, then look what the server has. */
  async open(): Promise<void> {
    await this.restore();
    if (this.stopped) return;
    if (this.told.draft !== null) await this.send();
    else await this.lookBeside();
  }

  stop(): void {
    this.stopped = true;
    for (const timer of [this.quiet, this.latest, this.copying]) if (timer !== null) clearTimeout(timer);
    this.quiet = this.latest = this.copying = null;
    this.keepCopy();
  }

  /** Take notice that the text has changed. */
  changed(): void {
    if (this.stopped) return;
    this.copying ??= setTimeout(() => this.keepCopy(), COPY_MS);
    if (this.told.conflict) return; // first the two texts are joined
    if (!this.dirty) {
      this.clearTimers();
      if (this.told.state !== "saving") this.set({ state: "saved", problem: null });
      return;
    }
    if (["saved", "too_large", "refused"].includes(this.told.state)) this.set({ state: "dirty", problem: null });
    this.schedule();
  }

  rename(name: string): void {
    if (name === this.told.name) return;
    this.set({ name });
    this.renamed = true;
    this.changed();
  }

  /** Keep files beside the text; they travel with the next autosave. */
  attach(files: Readonly<Record<string, string>>): void {
    this.attached = { ...this.attached, ...files };
    for (const path of Object.keys(files)) this.detached.delete(path);
    this.tellFiles();
    this.changed();
  }

  /** Let a file go with the next autosave. */
  detach(path: string): void {
    this.attached = Object.fromEntries(Object.entries(this.attached).filter(([known]) => known !== path));
    this.detached.add(path); // it may be on its way just now
    this.tellFiles();
    this.changed();
  }

  /** Send what is here at once; resolves when it is sent or cannot be. True: the server has all of it. */
  async flush({ keepalive = false, draft = false } = {}): Promise<boolean> {
    this.clearTimers();
    for (let round = 0; round < 5; round++) {
      if (this.running) await this.running;
      if (this.told.conflict || this.stopped) return false;
      if (!this.dirty && !(draft && this.told.draft === null)) return true;
      await this.send({ keepalive, evenUnchanged: draft });
      if (!["saved", "dirty", "saving"].includes(this.told.state)) return false;
    }
    return !this.dirty;
  }

  /** Another tab of this browser has written the same draft. */
  async heard(draft: string, revision: number, text: string): Promise<void> {
    if (this.running) await this.running;
    if (draft !== this.told.draft || this.revision === null || revision <= this.revision || this.told.conflict) return;
    this.around.say({ key: "editor.other_tab" });
    if (await this.join(text, { revision, version: null, by: "" })) this.settle();
  }

  /** Take the text that was made of both, unless mine went on meanwhile: then the conflict is shown anew. */
  async resolve(text: string): Promise<boolean> {
    const conflict = this.told.conflict;
    if (!conflict) return true;
    if (this.around.document.text() !== conflict.mine) {
      await this.refreshConflict();
      return false;
    }
    this.around.document.put(text, labelOf(conflict.version));
    this.accept(conflict.theirs, conflict);
    this.set({ conflict: null });
    return this.flush();
  }

  /** Compare again with what is here now; called before a conflict is shown. */
  async refreshConflict(): Promise<void> {
    const conflict = this.told.conflict;
    if (!conflict || this.around.document.text() === conflict.mine) return;
    const { theirs, base, revision, version, by } = conflict;
    if (!(await this.join(theirs, { revision, version, by }, base))) return;
    this.set({ conflict: null });
    this.settle();
  }

  /** Make a version of what is here. Conflicts that join by themselves are joined; others are left to `told`. */
  async save(wish: SaveWish): Promise<{ saved: Saved } | { problem: ProblemError | Unreachable } | { state: SyncState }> {
    for (let round = 0; round < 4; round++) {
      if (!(await this.flush({ draft: true }))) return this.told.problem ? { problem: this.told.problem } : { state: this.told.state };
      const { draft, baseVersion } = this.told;
      if (draft === null || this.revision === null) return { state: this.told.state };
      const text = this.acked;
      try {
        const saved = await this.around.server.save(
          draft, { ...wish, revision: this.revision, ...(baseVersion === null ? {} : { base_version: baseVersion }) }, this.newKey(),
        );
        this.revision = saved.revision;
        this.around.announce(draft, saved.revision, text);
        this.set({ blueprint: saved.blueprint, baseVersion: saved.number, name: saved.blueprint.name, savedAt: this.around.now() });
        return { saved };
      } catch (error) {
        const problem = await this.overtaken(error);
        if (problem) return { problem };
      }
    }
    return { state: this.told.state };
  }

  /** Write the copy now; called when the page is left. */
  keepCopy(): void {
    if (this.copying !== null) clearTimeout(this.copying);
    this.copying = null;
    const key = this.copyKey(this.place.page);
    if (this.dirty) {
      this.around.copies.put(key, { text: this.around.document.text(), base: this.acked, at: this.around.now(), name: this.told.name });
    } else this.around.copies.remove(key);
  }

  // --- what is behind it -------------------------------------------------------------------------------------

  private set(told: Partial<Told>): void {
    this.told = { ...this.told, ...told };
    if (!this.stopped) this.around.tell(told);
  }

  private tellFiles(): void {
    if (this.stored === null) return;
    const files = new Set([...this.stored.filter((path) => !this.detached.has(path)), ...Object.keys(this.attached)]);
    this.set({ files: [...files].sort() });
  }

  /** A design that nobody has drawn on yet has the files of the version that is shown. */
  private async lookBeside(): Promise<void> {
    const { blueprint, version } = this.place;
    if (blueprint === null || version === null) return;
    const files = await this.around.server.files(blueprint.id, version).catch(() => null);
    if (files === null || this.stored !== null) return;
    this.stored = files;
    this.tellFiles();
  }

  private clearTimers(): void {
    if (this.quiet !== null) clearTimeout(this.quiet);
    if (this.latest !== null) clearTimeout(this.latest);
    this.quiet = this.latest = null;
  }

  private schedule(): void {
    // While the portal is away, retries have their own pace, which typing does not hasten.
    if (this.failures > 0 && this.quiet !== null) return;
    const now = () => {
      this.clearTimers();
      void this.send();
    };
    if (this.quiet !== null) clearTimeout(this.quiet);
    this.quiet = setTimeout(now, QUIET_MS);
    this.latest ??= setTimeout(now, LONGEST_MS);
  }

  private retryLater(): void {
    this.clearTimers();
    if (this.stopped) return;
    const wait = RETRIES_MS[Math.min(this.failures, RETRIES_MS.length - 1)] ?? 30_000;
    this.failures++;
    this.quiet = setTimeout(() => {
      this.quiet = null;
      void this.send();
    }, wait);
  }

  /** After something arrived: tell the state, and go on when there is more. */
  private settle(): void {
    if (this.told.conflict) return;
    if (this.dirty) {
      this.set({ state: "dirty", problem: null });
      this.schedule();
    } else {
      this.set({ state: "saved", problem: null, savedAt: this.around.now() });
    }
    this.keepCopy();
  }

  private send({ keepalive = false, evenUnchanged = false } = {}): Promise<void> {
    this.running ??= this.once(keepalive, evenUnchanged).finally(() => (this.running = null));
    return this.running;
  }

  private async once(keepalive: boolean, evenUnchanged: boolean): Promise<void> {
    if (this.told.conflict || this.stopped) return;
    const text = this.around.document.text();
    if (this.dirty && bytesOf(text) > MAX_BYTES) {
      this.keepCopy();
      this.set({ state: "too_large", problem: null });
      return;
    }
    const known = this.told.draft === null || this.revision !== null;
    if (known && !this.dirty && !(evenUnchanged && this.told.draft === null)) return this.settle();
    if (this.dirty || evenUnchanged) this.set({ state: "saving" });
    try {
      if (this.told.draft === null) await this.begin(text);
      else if (this.revision === null) await this.look(this.told.draft);
      else await this.write(this.told.draft, this.revision, text, keepalive);
      this.failures = 0;
      this.settle();
    } catch (error) {
      await this.mishap(error);
    }
  }

  private async mishap(error: unknown): Promise<void> {
    if (error instanceof ProblemError && error.code === "draft.conflict") {
      const failure = await this.overtaken(error);
      if (failure) return this.failed(failure); // joining needs the worker, and that may have stopped
      this.failures = 0;
      return this.settle();
    }
    if (error instanceof ProblemError && error.status === 404 && this.told.draft !== null && !this.lost) {
      // The draft was thrown away elsewhere; what is drawn here goes on in a new one.
      this.lost = true;
      this.keepCopy();
      this.around.copies.remove(this.copyKey(this.place.page));
      this.set({ draft: null, state: "dirty" });
      this.revision = null;
      if (this.dirty) this.schedule();
      return;
    }
    this.failed(error);
  }

  private failed(error: unknown): void {
    this.keepCopy();
    if (error instanceof ProblemError && error.status < 500 && error.status !== 429) {
      if (endsSession(error)) {
        this.set({ state: "signed_out", problem: null });
        this.retryLater();
      } else {
        this.failures = 0;
        this.set(error.status === 413 ? { state: "too_large", problem: error } : { state: "refused", problem: error });
      }
      return;
    }
    this.set({ state: "offline", problem: null });
    this.retryLater();
  }

  private async begin(text: string): Promise<void> {
    const { blueprint, name } = this.told;
    // A design's draft begins with its latest version, so that what somebody saved meanwhile is joined, not undone.
    const body = this.creation?.body ?? {
      project: this.place.project,
      ...(blueprint ? { blueprint: blueprint.id } : { name }),
      ...(blueprint && !this.lost ? {} : { compose: text }),
    };
    this.creation ??= { key: this.newKey(), body };
    let draft: Draft;
    try {
      draft = await this.around.server.create(body, this.creation.key);
    } catch (error) {
      if (error instanceof ProblemError && error.status < 500) this.creation = null;
      throw error;
    }
    this.creation = null;
    const before = this.copyKey(this.place.page);
    if (body.compose !== undefined) this.acked = body.compose;
    if (name === draft.name) this.renamed = false;
    this.set({ draft: draft.id, blueprint: draft.blueprint, baseVersion: this.lost ? this.told.baseVersion : draft.base_version });
    this.keepCopy();
    this.around.copies.remove(before);
    await this.compareWith(draft);
  }

  private async look(id: string): Promise<void> {
    const draft = await this.around.server.read(id);
    this.set({
      blueprint: draft.blueprint, baseVersion: draft.base_version, ...(this.renamed ? {} : { name: draft.name }),
    });
    await this.compareWith(draft);
  }

  private async compareWith(draft: Draft): Promise<void> {
    this.stored = draft.files;
    this.tellFiles();
    if (draft.compose === this.acked) this.revision = draft.revision;
    else await this.join(draft.compose, { revision: draft.revision, version: null, by: "" });
  }

  private async write(id: string, revision: number, text: string, keepalive: boolean): Promise<void> {
    const name = this.renamed ? { name: this.told.name } : {};
    const attached = this.attached;
    const detached = new Set(this.detached);
    const kept = (this.stored ?? []).filter((path) => !detached.has(path));
    const files = Object.keys(attached).length + detached.size > 0
      ? { files: { ...Object.fromEntries(kept.map((path) => [path, null])), ...attached } }
      : {};
    const draft = await this.around.server.write(id, { revision, compose: text, ...name, ...files }, keepalive);
    this.stored = draft.files;
    this.attached = Object.fromEntries(Object.entries(this.attached).filter(([path, content]) => attached[path] !== content));
    this.detached = new Set([...this.detached].filter((path) => !detached.has(path)));
    if ("files" in files) this.tellFiles();
    this.acked = text;
    this.revision = draft.revision;
    if (!("name" in name) || name.name === this.told.name) this.renamed = false;
    this.around.announce(id, draft.revision, text);
  }

  /** Join what was saved first; answers what cannot be mended so, also when the connection breaks on the way. */
  private async overtaken(error: unknown): Promise<ProblemError | Unreachable | null> {
    try {
      if (!(error instanceof ProblemError)) throw error;
      if (error.code === "draft.conflict") await this.elsewhere(error);
      else if (error.code === "blueprint.version_conflict") await this.newer(error);
      else throw error;
      return null;
    } catch (failure) {
      if (!(failure instanceof ProblemError)) return failure instanceof Unreachable ? failure : new Unreachable(null);
      if (endsSession(failure)) this.failed(failure);
      return failure;
    }
  }

  private async elsewhere(problem: ProblemError): Promise<void> {
    const { compose, revision } = problem.members;
    if (typeof compose !== "string" || typeof revision !== "number") throw problem;
    await this.join(compose, { revision, version: null, by: "" });
  }

  /** A newer version of the design is there: join it with what is here, from the version that both came from. */
  private async newer(problem: ProblemError): Promise<void> {
    const { compose, latest_version: version, base_version: base, saved_by: by } = problem.members;
    const blueprint = this.told.blueprint;
    if (typeof compose !== "string" || typeof version !== "number" || !blueprint) throw problem;
    const common = typeof base === "number" ? await this.around.server.version(blueprint.id, base) : "";
    await this.join(compose, { revision: null, version, by: typeof by === "string" ? by : "" }, common);
  }

  /** Join a text from elsewhere with the one here; false: they conflict, and a person decides. */
  private async join(
    theirs: string, from: { revision: number | null; version: number | null; by: string }, base = this.acked,
  ): Promise<boolean> {
    for (;;) {
      const mine = this.around.document.text();
      const label = labelOf(from.version);
      let text = theirs;
      if (mine !== base && mine !== theirs) {
        const merged = await this.around.merge(base, mine, theirs);
        if (this.around.document.text() !== mine) continue; // typed meanwhile
        if (merged.conflicts.length > 0) {
          this.set({ state: "conflict", conflict: { base, mine, theirs, conflicts: merged.conflicts, ...from } });
          this.keepCopy();
          return false;
        }
        text = merged.text;
      }
      this.accept(theirs, from);
      if (text !== mine) {
        this.around.document.put(text, label);
        this.around.say(label);
      }
      return true;
    }
  }

  /** A version stands beside the draft: only a draft's text is what the server has of ours. */
  private accept(theirs: string, from: { revision: number | null; version: number | null }): void {
    if (from.version !== null) this.set({ baseVersion: from.version });
    else {
      this.acked = theirs;
      if (from.revision !== null) this.revision = from.revision;
    }
  }

  private prefix(): string {
    const { user, project } = this.place;
    if (this.told.draft !== null) return `${user}/draft:${this.told.draft}:`;
    if (this.told.blueprint) return `${user}/design:${this.told.blueprint.id}:`;
    return `${user}/new:${project}:`;
  }

  private copyKey(page: string): string {
    return this.prefix() + page;
  }

  private async restore(): Promise<void> {
    const prefix = this.prefix();
    const alive = await this.around.others();
    const found: { key: string; at: number }[] = [];
    for (const key of await this.around.copies.keys(prefix)) {
      const copy = alive.has(key.slice(prefix.length)) ? null : await this.around.copies.get(key);
      if (copy) found.push({ key, at: copy.at });
    }
    for (const { key } of found.sort((a, b) => a.at - b.at)) {
      const copy = await this.around.copies.get(key);
      if (!copy || this.stopped || this.told.conflict) return;
      const here = this.around.document.text();
      // A copy of a new drawing belongs to the same beginning; otherwise it is another drawing's.
      if (this.told.draft === null && !this.told.blueprint && copy.base !== here) continue;
      if (copy.text !== here) {
        const merged = copy.base === here ? { text: copy.text, conflicts: [] } : await this.around.merge(copy.base, copy.text, here);
        if (this.around.document.text() !== here) return this.restore();
        if (merged.conflicts.length > 0) {
          // What was kept is mine, and what the page came with is theirs.
          this.around.document.put(copy.text, { key: "editor.restored" });
          this.set({
            state: "conflict",
            conflict: { base: copy.base, mine: copy.text, theirs: here, conflicts: merged.conflicts, revision: null, version: null, by: "" },
          });
        } else this.around.document.put(merged.text, { key: "editor.restored" });
        this.around.say({ key: "editor.restored" });
      }
      this.keepCopy();
      if (key !== this.copyKey(this.place.page)) this.around.copies.remove(key);
    }
    if (this.dirty) this.changed();
  }
}

function labelOf(version: number | null): Message {
  return version === null ? { key: "editor.merged" } : { key: "editor.merged_version", params: { version } };
}
