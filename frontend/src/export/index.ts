export { currentSvg, download, fileName, toPng, type Format } from "./downloads";
export { PrintDrawing } from "./Print";
export { toSvg, type SvgOptions } from "./svg";
