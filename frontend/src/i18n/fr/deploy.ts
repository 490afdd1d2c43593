export const deploy: Record<string, string> = {};
