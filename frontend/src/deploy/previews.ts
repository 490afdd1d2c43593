import { create } from "zustand";

import { api, type ProblemError, type Schemas, take, type Unreachable } from "../api/client";

export type Preview = Schemas["Preview"];

export interface PreviewOf {
  preview: Preview | null;
  /** Why there is none: the cloud does not answer, the role does not suffice. */
  error: ProblemError | Unreachable | null;
  /** The text that it tells of. */
  text: string;
}

interface PreviewsState {
  byRegion: Record<string, PreviewOf>;
  loading: boolean;
}

/** What the present text would become, by region; kept while the next one is asked for, so that nothing flickers. */
export const usePreviews = create<PreviewsState>()(() => ({ byRegion: {}, loading: false }));

export interface PreviewWish {
  project: string;
  compose: string;
  cloud: string; // "": those that the text names
  region: string;
  deployment: string;
  images: Record<string, string>;
  draft: string | null;
  blueprint: string | null;
}

export function askPreview(wish: PreviewWish, signal: AbortSignal): Promise<Preview> {
  const { project, compose, cloud, region, deployment, images, draft, blueprint } = wish;
  const body = {
    project, compose, ...(cloud ? { cloud } : {}),
    ...(region ? { region } : {}),
    ...(deployment ? { deployment } : {}),
    ...(Object.keys(images).length ? { images } : {}),
    ...(draft ? { draft } : blueprint ? { blueprint } : {}),
  };
  return take(api.POST("/api/v1/plans/preview/", { body, signal }));
}
