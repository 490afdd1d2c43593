export const editor: Record<string, string> = {};
