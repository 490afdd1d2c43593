/**
 * Copies of what was drawn, kept in this browser until the server has it: a closed tab, a crash or a lost connection
 * loses nothing. localStorage takes them, since it writes at once, also while a page is being closed; what is too
 * large for it goes to IndexedDB.
 */
export interface Copy {
  text: string;
  /** The text that the server had acknowledged when this was drawn. */
  base: string;
  /** ms since 1970. */
  at: number;
  name: string;
}

export interface Copies {
  put: (key: string, copy: Copy) => void;
  get: (key: string) => Promise<Copy | null>;
  remove: (key: string) => void;
  keys: (prefix: string) => Promise<string[]>;
}

const PREFIX = "escale.copy.";
const STORE = "copies";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("escale-designer", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error ?? new Error("IndexedDB is not available"));
  });
}

/** Do one thing in IndexedDB; browsers that have none (private windows of some) answer with undefined. */
async function inDatabase<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  if (typeof indexedDB === "undefined") return undefined;
  try {
    const database = await open();
    return await new Promise<T>((resolve, reject) => {
      const asked = act(database.transaction(STORE, mode).objectStore(STORE));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error ?? new Error("IndexedDB refused"));
    }).finally(() => database.close());
  } catch {
    return undefined;
  }
}

function read(value: string | null): Copy | null {
  try {
    const copy = JSON.parse(value ?? "null") as Partial<Copy> | null;
    return copy && typeof copy.text === "string" && typeof copy.base === "string"
      ? { text: copy.text, base: copy.base, at: Number(copy.at) || 0, name: String(copy.name ?? "") }
      : null;
  } catch {
    return null;
  }
}

/** Keys that are in IndexedDB since localStorage had no room: they are removed there too. */
const large = new Set<string>();

export const browserCopies: Copies = {
  put: (key, copy) => {
    try {
      localStorage.setItem(PREFIX + key, JSON.stringify(copy));
    } catch {
      large.add(key);
      try {
        localStorage.removeItem(PREFIX + key); // an older copy must not win over the one in the database
      } catch {
        // no storage at all: the database is what is left
      }
      void inDatabase("readwrite", (store) => store.put(copy, key));
    }
  },
  get: async (key) => {
    let near: Copy | null = null;
    try {
      near = read(localStorage.getItem(PREFIX + key));
    } catch {
      // no localStorage
    }
    if (near) return near;
    const far = (await inDatabase("readonly", (store) => store.get(key))) as Copy | undefined;
    if (far) large.add(key);
    return far ?? null;
  },
  remove: (key) => {
    try {
      localStorage.removeItem(PREFIX + key);
    } catch {
      // no localStorage
    }
    if (large.delete(key)) void inDatabase("readwrite", (store) => store.delete(key));
  },
  keys: async (prefix) => {
    const found = new Set<string>();
    try {
      for (let index = 0; index < localStorage.length; index++) {
        const key = localStorage.key(index);
        if (key?.startsWith(PREFIX + prefix)) found.add(key.slice(PREFIX.length));
      }
    } catch {
      // no localStorage
    }
    for (const key of (await inDatabase("readonly", (store) => store.getAllKeys())) ?? []) {
      if (String(key).startsWith(prefix)) found.add(String(key));
    }
    return [...found];
  },
};

/** Keep copies in memory alone: for tests. */
export function memoryCopies(): Copies & { held: Map<string, Copy> } {
  const held = new Map<string, Copy>();
  return {
    held,
    put: (key, copy) => void held.set(key, copy),
    get: (key) => Promise.resolve(held.get(key) ?? null),
    remove: (key) => void held.delete(key),
    keys: (prefix) => Promise.resolve([...held.keys()].filter((key) => key.startsWith(prefix))),
  };
}
