export const document: Record<string, string> = {};
