import { create } from "zustand";

import { api, ProblemError, take, Unreachable } from "../api/client";
import type { Boot } from "../app/boot";
import { askPreview, type Preview, type PreviewOf, usePreviews } from "../deploy/previews";
import { loadTargets, regionsOf, targetOf, useTargets } from "../deploy/targets";
import { smallestSplice } from "../document/edits";
import type { NodeId, Problem } from "../document/types";
import { bytesOf, MAX_BYTES } from "./autosave";
import { useDocument } from "./document";
import { usePaint } from "./paint";
import { against, arrange, problemOfFinding, problemOfLedger, shift } from "./problems";
import { useSync } from "./sync";
import { useView } from "./view";

const QUIET_MS = 400;

interface FindingsState {
  /** The server is looking through the present text. */
  checking: boolean;
  /** The server could not look through it; what is shown is our own. */
  unavailable: boolean;
}

export const useFindings = create<FindingsState>()(() => ({ checking: false, unavailable: false }));

/** What the server said last, and the text that it said it of. */
let told: { text: string; problems: Problem[] } = { text: "", problems: [] };

/** Paint the problems of the text as it is now: syntax, drawing, server, ledger. */
function paint(): void {
  const { text, drawing, broken } = useDocument.getState();
  const ours = broken.length > 0 ? broken : drawing.problems;
  // While the text is broken the server would only repeat so; what it said before is about another text.
  const theirs = broken.length > 0 ? [] : shift(told.problems, smallestSplice(told.text, text));
  usePaint.getState().set(arrange([...ours, ...theirs], drawing));
}

/** Look through the text while it is drawn: validation, and what the chosen targets would make of it. */
export function startFindings(boot: Boot): () => void {
  told = { text: "", problems: [] };
  let timer: ReturnType<typeof setTimeout> | null = null;
  let asking: AbortController | null = null;
  let asked = "";
  const mayPlan = boot.mode === "draft" && boot.may.deploy;

  let files = useSync.getState().files;
  let filesSent = 0;

  const run = async (): Promise<void> => {
    const { text, broken, ready, drawnText } = useDocument.getState();
    const wishes = mayPlan ? wishesOf(boot, text) : [];
    const question = JSON.stringify([text, wishes, filesSent]);
    if (!ready || question === asked) return;
    asking?.abort();
    if (broken.length > 0 || drawnText !== text) {
      // The drawing follows, and calls again. What was being asked stays without an answer, and may come back as it was.
      if (!useFindings.getState().checking) return;
      asked = "";
      useFindings.setState({ checking: false });
      usePreviews.setState({ loading: false });
      return;
    }
    asked = question;
    if (bytesOf(text) > MAX_BYTES) {
      told = { text, problems: [tooLarge()] };
      return paint();
    }
    const mine = (asking = new AbortController());
    useFindings.setState({ checking: true });
    usePreviews.setState({ loading: wishes.length > 0 });
    try {
      const [findings, ...previews] = await Promise.all([
        validate(boot, text, mine.signal),
        ...wishes.map((wish) => previewOf(wish, mine.signal)),
      ]);
      if (asking !== mine) return;
      const where = against(text, useDocument.getState().drawing);
      const problems = findings.map((finding) => problemOfFinding(finding, where));
      for (const { preview } of previews) {
        if (!preview) continue;
        problems.push(...preview.findings.map((finding) => problemOfFinding(finding, where, "plan")));
        for (const entry of preview.ledger) {
          const problem = problemOfLedger(entry, where);
          if (problem) problems.push(problem);
        }
      }
      told = { text, problems };
      useFindings.setState({ checking: false, unavailable: false });
      usePreviews.setState({
        byRegion: Object.fromEntries(wishes.map((wish, at) => [wish.region, previews[at] as PreviewOf])), loading: false,
      });
      usePaint.getState().set({ packed: packedOf(previews.map(({ preview }) => preview)) });
      paint();
    } catch (error) {
      if (asking !== mine || mine.signal.aborted) return;
      asked = ""; // the next edit, or the next look, asks again
      useFindings.setState({ checking: false, unavailable: error instanceof Unreachable || error instanceof ProblemError });
      usePreviews.setState({ loading: false });
    }
  };
  const soon = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => void run(), QUIET_MS);
  };

  const stops = [
    useDocument.subscribe((now, before) => {
      if (now.drawing !== before.drawing || now.broken !== before.broken) paint();
      if (now.text !== before.text || now.drawing !== before.drawing || now.ready !== before.ready) soon();
    }),
    useTargets.subscribe(soon),
    useSync.subscribe((now, before) => {
      // A file that has arrived beside the text mends what was found about it, though the text is the same.
      if (now.state === "saved" && now.files !== files) {
        if (files !== null) filesSent++;
        files = now.files;
        soon();
      }
      if (now.draft !== before.draft && now.draft === null) soon();
    }),
    useView.subscribe((now, before) => {
      if (now.panel !== before.panel && now.panel === "plan") soon();
    }),
  ];
  const online = () => soon();
  if (typeof window !== "undefined") window.addEventListener("online", online);
  if (mayPlan) void loadTargets(boot.blueprint?.id ?? null);
  paint();
  soon();

  return () => {
    if (timer !== null) clearTimeout(timer);
    asking?.abort();
    asking = null;
    if (typeof window !== "undefined") window.removeEventListener("online", online);
    stops.forEach((stop) => stop());
  };
}

async function validate(boot: Boot, compose: string, signal: AbortSignal) {
  if (compose.trim() === "") return []; // an empty drawing is a beginning, not a mistake
  const { draft, blueprint } = useSync.getState();
  // A shared drawing's own files are not for us: what stands beside it is not looked at.
  const beside = boot.mode === "shared" ? {} : draft ? { draft } : blueprint ? { blueprint: blueprint.id } : {};
  const answer = await take(api.POST("/api/v1/blueprints/validate/", { body: { compose, ...beside }, signal }));
  return answer.findings;
}

type Wish = Parameters<typeof askPreview>[0];

function wishesOf(boot: Boot, compose: string): Wish[] {
  if (compose.trim() === "") return [];
  const { drawing } = useDocument.getState();
  const targets = useTargets.getState();
  const { draft, blueprint } = useSync.getState();
  const planning = useView.getState().panel === "plan";
  return regionsOf(drawing).flatMap((region) => {
    const { cloud, deployment, drawn, images } = targetOf(region, targets, boot.deployment);
    if (!cloud) return [];
    // Comparing with what runs sends the portal to the cloud: only for those who look at the plan.
    return [{
      project: boot.project.id, compose, cloud: drawn ? "" : cloud, region: region.name, deployment: planning ? deployment : "", images,
      draft, blueprint: blueprint?.id ?? null,
    }];
  });
}

async function previewOf(wish: Wish, signal: AbortSignal): Promise<PreviewOf> {
  try {
    return { preview: await askPreview(wish, signal), error: null, text: wish.compose };
  } catch (error) {
    if (signal.aborted || !(error instanceof ProblemError || error instanceof Unreachable)) throw error;
    return { preview: null, error, text: wish.compose };
  }
}

/** Services on machines that nobody has drawn, with the names of these machines. */
export function packedOf(previews: readonly (Preview | null)[]): Record<NodeId, string[]> {
  const packed: Record<NodeId, string[]> = {};
  const { nodes } = useDocument.getState().drawing;
  const placed = new Set(nodes.filter((node) => node.parent?.startsWith("machine:")).map(({ id }) => id));
  for (const preview of previews) {
    for (const machine of preview?.machines ?? []) {
      for (const service of new Set(machine.workloads.map((workload) => workload.service))) {
        const id: NodeId = `service:${service}`;
        if (!placed.has(id)) (packed[id] ??= []).push(machine.name);
      }
    }
  }
  return packed;
}

function tooLarge(): Problem {
  return { severity: "error", code: "draft.too_large", text: { key: "editor.too_large" }, path: [], source: "drawing" };
}
