import { ConflictDialog } from "../versions/ConflictDialog";
import { ExportDialog } from "../versions/ExportDialog";
import { ImportDialog } from "../versions/ImportDialog";
import { SaveDialog } from "../versions/SaveDialog";
import { ShareDialog } from "../versions/ShareDialog";
import { ConnectDialog } from "../outline/ConnectDialog";
import { TemplatesDialog } from "../palette/TemplatesDialog";
import type { Boot } from "./boot";
import { CommandPalette } from "./CommandPalette";
import { GroupDialog } from "./GroupDialog";
import { RemoveDialog } from "./RemoveDialog";
import { RenameDialog } from "./RenameDialog";
import { Shortcuts } from "./Shortcuts";
import { Tour } from "./Tour";

/** All dialogs; each shows itself when the view asks for it. */
export function Dialogs({ boot }: { boot: Boot }) {
  return (
    <>
      <CommandPalette />
      <Shortcuts />
      <RemoveDialog />
      <RenameDialog />
      <GroupDialog />
      <ConnectDialog />
      <TemplatesDialog />
      <SaveDialog boot={boot} />
      <ConflictDialog />
      <ShareDialog boot={boot} />
      <ImportDialog />
      <ExportDialog boot={boot} />
      <Tour />
    </>
  );
}
