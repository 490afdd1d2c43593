import { document } from "./en/document";
import { canvas } from "./en/canvas";
import { inspector } from "./en/inspector";
import { shell } from "./en/shell";
import { editor } from "./en/editor";
import { deploy } from "./en/deploy";

export const en = { ...document, ...canvas, ...inspector, ...shell, ...editor, ...deploy };
