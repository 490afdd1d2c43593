export const COMPOSE: URL;
export const EXTENSION: URL;
export const TARGET: URL;
export function extract(compose: unknown, extension: unknown): string;
export function fresh(): string;
