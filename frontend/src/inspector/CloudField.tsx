import { Field, TextInput } from "../app/controls";
import { useTargets } from "../deploy/targets";
import { helpOf, labelOf, type Place } from "./schema";
import { asText, at, type Body, inner, isMap } from "./write";

/** The cloud that something stands on (`place`); one that asks for a label besides keeps that. */
export function CloudField({ place, body }: { place: Place; body: Body }) {
  const clouds = useTargets((targets) => targets.clouds);
  const here = inner(body, isMap(at(body.value, ["place"])) ? ["place", "cloud"] : ["place"]);
  return (
    <Field label={labelOf(place, "place")} help={helpOf(place, "place")}>
      {(ids) => (
        <TextInput
          {...ids} mono={false} value={asText(here.value)} readOnly={body.readOnly} suggestions={clouds?.map(({ name }) => name)}
          onCommit={(now) => here.set([], now === "" ? undefined : now)}
        />
      )}
    </Field>
  );
}
