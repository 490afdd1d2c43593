export const inspector: Record<string, string> = {};
