import { useEffect, useMemo, useState } from "react";

import { Banner, Icon, IconButton, Skeleton, TextInput } from "../app/controls";
import { ICONS } from "../app/kinds";
import type { DrawingNode, Problem } from "../document/types";
import { say, t } from "../i18n";
import { useDocument } from "../store/document";
import { usePaint } from "../store/paint";
import { useView } from "../store/view";
import { Comments } from "./Comments";
import { EdgeForm } from "./EdgeForm";
import { Section } from "./Fields";
import { Findings } from "./Findings";
import { FileForm, MachineForm, NetworkForm, RegionForm, VolumeForm } from "./OtherForms";
import { Overview } from "./Overview";
import { inspectorSections } from "./registry";
import { COVERED, ServiceForm } from "./ServiceForm";
import { Several } from "./Several";
import { useRead } from "./useRead";
import { bodyOf, isMap } from "./write";
import { YamlBody } from "./YamlBody";
import "./inspector.css";

export { inspectorSections, registerInspectorSection, type InspectorSection } from "./registry";

const NONE: readonly Problem[] = [];

/** Show and change what is selected: nothing (the drawing), one node, one edge, or several. */
export function Inspector() {
  const selection = useView((state) => state.selection);
  const edges = useView((state) => state.selectedEdges);
  const drawing = useDocument((state) => state.drawing);
  const nodes = useMemo(() => {
    const selected = new Set(selection);
    return drawing.nodes.filter((node) => selected.has(node.id));
  }, [drawing, selection]);
  const edge = useMemo(() => drawing.edges.find((each) => each.id === edges[0]), [drawing, edges]);
  const [first] = nodes;
  if (nodes.length + edges.length > 1) return <Several nodes={nodes} edges={edges} />;
  if (first) return <NodeInspector key={first.id} node={first} />;
  if (edge) return <EdgeForm key={edge.id} edge={edge} />;
  return <Overview />;
}

function NodeInspector({ node }: { node: DrawingNode }) {
  const readOnly = useDocument((state) => state.readOnly);
  const broken = useDocument((state) => state.broken.length > 0);
  const problems = usePaint((paint) => paint.problems[node.id]) ?? NONE;
  const read = useRead([node.path]);
  const here = read?.[0];
  // While the text is broken nothing can be spliced into it; the forms say what was there last.
  const body = useMemo(() => bodyOf(node.path, here?.value, readOnly || broken), [node.path, here, readOnly, broken]);
  const sections = (position: "top" | "bottom") =>
    inspectorSections
      .filter((section) => section.position === position && section.kinds.includes(node.kind))
      .map(({ id, Component }) => <Component key={id} node={node} />);
  return (
    <div className="d-inspector">
      <Head node={node} readOnly={readOnly} />
      {broken ? <Banner tone="warning">{t("inspector.broken")}</Banner> : null}
      <Findings problems={problems} />
      {sections("top")}
      {here ? <Form node={node} body={body} /> : <Skeleton />}
      {sections("bottom")}
      <Section title={t("inspector.section.comments")} count={node.comments.length} open={node.comments.some((comment) => !comment.resolved)}>
        <Comments on={node.id} comments={node.comments} />
      </Section>
      {here ? <YamlBody node={node} yaml={here.yaml} readOnly={body.readOnly} others={othersIn(node, here.value)} /> : null}
    </div>
  );
}

/** The keys of a node that no control shows. */
function othersIn(node: DrawingNode, value: unknown): string[] {
  if (node.kind !== "service" || !isMap(value)) return [];
  return Object.keys(value).filter((key) => !COVERED.includes(key));
}

function Form({ node, body }: { node: DrawingNode; body: ReturnType<typeof bodyOf> }) {
  switch (node.kind) {
    case "service":
      return <ServiceForm node={node} body={body} />;
    case "volume":
      return <VolumeForm node={node} body={body} />;
    case "network":
      return <NetworkForm node={node} body={body} />;
    case "machine":
      return <MachineForm node={node} body={body} />;
    case "region":
      return <RegionForm node={node} body={body} />;
    default:
      return <FileForm node={node} body={body} />;
  }
}

/** The name, which is renamed everywhere, and what can be done with the node. */
function Head({ node, readOnly }: { node: DrawingNode; readOnly: boolean }) {
  const [renaming, setRenaming] = useState(false);
  useEffect(() => setRenaming(false), [node.id]);
  const rename = async (to: string): Promise<string | null> => {
    const wanted = to.trim();
    if (wanted === "" || wanted === node.name) {
      setRenaming(false);
      return null;
    }
    const applied = await useDocument.getState().run({ do: "rename", id: node.id, to: wanted });
    if (!applied.ok) return say(applied.refused);
    setRenaming(false);
    useView.getState().say(applied.label);
    // Renamed is another id: what was selected stays so.
    useView.getState().select([applied.created[0] ?? `${node.kind}:${wanted}`]);
    return null;
  };
  const implicit = node.kind === "network" && node.implicit;
  return (
    <header className="d-inspector-head">
      <Icon name={ICONS[node.kind]} />
      <div className="grow">
        {renaming ? (
          <TextInput autoFocus mono value={node.name} aria-label={t("inspector.name")} onCommit={rename} />
        ) : (
          <h2 className="clip" title={node.name}>{node.name}</h2>
        )}
        <p className="d-hint">{t(`kind.${node.kind === "machine" && node.count > 1 ? "pool" : node.kind === "machine" && node.plain ? "plain" : node.kind}`)}</p>
      </div>
      {readOnly || implicit ? null : (
        <>
          <IconButton icon="pencil" label={t("inspector.rename")} pressed={renaming} onClick={() => setRenaming(!renaming)} />
          <RemoveIcon />
        </>
      )}
      <IconButton
        icon="code" label={t("inspector.show_in_text")}
        onClick={() => {
          useView.getState().goTo(node.span);
          useView.getState().set({ phoneTab: "yaml" });
        }}
      />
    </header>
  );
}

function RemoveIcon() {
  return <IconButton icon="trash" label={t("inspector.delete")} onClick={() => useView.getState().set({ dialog: "remove" })} />;
}
