import { apply, bodyOf, compare, copy, derive, merge, valueOf } from "../document";
import type { NodeId } from "../document/types";
import type { Answers, Request } from "./protocol";

/** Answer one request; the worker does this, and so do tests and browsers that refuse workers. */
export function answer(request: Request): Answers[Request["ask"]] {
  switch (request.ask) {
    case "derive":
      return derive(request.text);
    case "apply":
      return apply(request.text, request.command);
    case "compare":
      return compare(request.before, request.after);
    case "merge": {
      const { text, conflicts } = merge(request.base, request.mine, request.theirs);
      return { text, conflicts };
    }
    case "copy":
      return copy(request.text, request.nodes as NodeId[]);
    case "read":
      return request.paths.map((path) => ({ value: valueOf(request.text, path), yaml: bodyOf(request.text, path) }));
  }
}
