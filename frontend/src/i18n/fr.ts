import { document } from "./fr/document";
import { canvas } from "./fr/canvas";
import { inspector } from "./fr/inspector";
import { shell } from "./fr/shell";
import { editor } from "./fr/editor";
import { deploy } from "./fr/deploy";

export const fr = { ...document, ...canvas, ...inspector, ...shell, ...editor, ...deploy };
