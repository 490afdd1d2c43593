import { type ReactNode, useEffect, useRef, useState } from "react";

import { Button, IconButton, TextInput } from "../app/controls";
import { t } from "../i18n";
import { readPair, writePair } from "./short";
import { asText, at, type Body, isMap, like, told } from "./write";

/** Rows of something that can be taken away, and the button that begins another one. */
export function Rows({ label, children, onAdd, addLabel }: { label: string; children: ReactNode; onAdd?: (() => void) | null; addLabel?: string }) {
  return (
    <div className="d-rows" role="group" aria-label={label}>
      {children}
      {onAdd ? (
        <Button small tone="plain" icon="plus" className="d-add" onClick={onAdd}>
          {addLabel ?? t("inspector.add")}
        </Button>
      ) : null}
    </div>
  );
}

export function RemoveRow({ what, onClick }: { what: string; onClick: () => void }) {
  return <IconButton small icon="x" label={t("inspector.remove_what", { what })} onClick={onClick} />;
}

interface ListProps {
  label: string;
  body: Body;
  /** The items before this one are not shown: `CMD` of a health check. */
  from?: number;
  suggestions?: readonly string[];
  placeholder?: string;
}

/** A list of lines; a value that is one line stays one. */
export function ListField({ label, body, from = 0, suggestions, placeholder }: ListProps) {
  const [adding, setAdding] = useState(false);
  const list = Array.isArray(body.value) ? (body.value as unknown[]) : body.value == null ? [] : [body.value];
  const whole = !Array.isArray(body.value);
  const last = useFocusOf(adding);
  return (
    <Rows label={label} onAdd={body.readOnly || adding ? null : () => setAdding(true)}>
      {list.slice(from).map((item, offset) => {
        const index = offset + from;
        const text = asText(item);
        return (
          <div className="d-row-field" key={index}>
            <div className="grow">
              <TextInput
                mono
                value={text}
                readOnly={body.readOnly}
                suggestions={suggestions}
                aria-label={t("inspector.item", { field: label, number: offset + 1 })}
                onCommit={(now) => body.set(whole ? [] : [index], now === "" ? undefined : like(item, now))}
              />
            </div>
            {body.readOnly ? null : <RemoveRow what={text} onClick={() => told(body.set(whole ? [] : [index], undefined))} />}
          </div>
        );
      })}
      {adding ? (
        <div className="d-row-field" ref={last} onBlur={(event) => leave(event, () => setAdding(false))}>
          <div className="grow">
            <TextInput
              mono
              value=""
              suggestions={suggestions}
              placeholder={placeholder}
              aria-label={t("inspector.new_item", { field: label })}
              onCommit={async (now) => {
                if (now === "") return null;
                const refused = await (body.value == null ? body.set([], [now]) : whole ? body.set([], [body.value, now]) : body.set([list.length], now));
                if (refused === null) setAdding(false);
                return refused;
              }}
            />
          </div>
          <RemoveRow what={t("inspector.new_item", { field: label })} onClick={() => setAdding(false)} />
        </div>
      ) : null}
    </Rows>
  );
}

/** A map or a list of `KEY=value`; whichever it is, it stays. */
export function MapField({ label, body }: { label: string; body: Body }) {
  const [adding, setAdding] = useState(false);
  const asList = Array.isArray(body.value);
  const pairs: { key: string; value: string | null; raw: unknown }[] = asList
    ? (body.value as unknown[]).map((item) => ({ ...readPair(asText(item)), raw: item }))
    : isMap(body.value)
      ? Object.entries(body.value).map(([key, raw]) => ({ key, value: raw === null ? null : asText(raw), raw }))
      : [];
  const last = useFocusOf(adding);

  const taken = (key: string, but: number): string | null =>
    pairs.some((pair, index) => index !== but && pair.key === key) ? t("inspector.error.twice", { key }) : null;

  return (
    <Rows label={label} onAdd={body.readOnly || adding ? null : () => setAdding(true)}>
      {pairs.map(({ key, value, raw }, index) => (
        <div className="d-pair" key={asList ? index : key}>
          <div>
            <TextInput
              mono
              value={key}
              readOnly={body.readOnly}
              aria-label={t("inspector.pair_key", { field: label, number: index + 1 })}
              onCommit={(now) => {
                const name = now.trim();
                if (name === "") return body.set([asList ? index : key], undefined);
                const twice = taken(name, index);
                if (twice) return twice;
                return asList ? body.set([index], writePair(name, value)) : body.renameKey([key], name);
              }}
            />
          </div>
          <div>
            <TextInput
              mono
              value={value ?? ""}
              readOnly={body.readOnly}
              placeholder={value === null ? t("inspector.from_outside") : undefined}
              aria-label={t("inspector.pair_value", { key })}
              onCommit={(now) => (asList ? body.set([index], writePair(key, now)) : body.set([key], like(raw, now)))}
            />
          </div>
          {body.readOnly ? null : <RemoveRow what={key} onClick={() => told(body.set([asList ? index : key], undefined))} />}
        </div>
      ))}
      {adding ? (
        <div className="d-pair" ref={last} onBlur={(event) => leave(event, () => setAdding(false))}>
          <NewPair
            label={label}
            taken={(key) => taken(key, -1)}
            onDone={async (key, value) => {
              const refused = await (asList ? body.set([pairs.length], writePair(key, value)) : body.set([key], value));
              if (refused === null) setAdding(false);
              return refused;
            }}
          />
          <RemoveRow what={t("inspector.new_item", { field: label })} onClick={() => setAdding(false)} />
        </div>
      ) : null}
    </Rows>
  );
}

function NewPair({ label, taken, onDone }: { label: string; taken: (key: string) => string | null; onDone: (key: string, value: string) => Promise<string | null> }) {
  const [key, setKey] = useState("");
  const value = useRef<HTMLDivElement>(null);
  return (
    <>
      <div>
        <TextInput
          mono
          value={key}
          placeholder={t("inspector.key")}
          aria-label={t("inspector.new_key", { field: label })}
          onCommit={(now) => {
            // A whole line may be pasted.
            const pair = readPair(now.trim());
            const twice = pair.key ? taken(pair.key) : null;
            if (twice) return twice;
            if (pair.key && pair.value !== null) return onDone(pair.key, pair.value);
            setKey(pair.key);
            if (pair.key) value.current?.querySelector("input")?.focus();
            return null;
          }}
        />
      </div>
      <div ref={value}>
        <TextInput
          mono
          value=""
          placeholder={t("inspector.value")}
          aria-label={t("inspector.new_value", { field: label })}
          onCommit={(now) => (key ? onDone(key, now) : t("inspector.error.key_first"))}
        />
      </div>
    </>
  );
}

/** Put the focus into what has just been begun. */
export function useFocusOf(shown: boolean): React.RefObject<HTMLDivElement | null> {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (shown) element.current?.querySelector<HTMLElement>("input, select")?.focus();
  }, [shown]);
  return element;
}

/** Give a row up that was left without anything in it. */
function leave(event: React.FocusEvent<HTMLDivElement>, done: () => void): void {
  const row = event.currentTarget;
  if (row.contains(event.relatedTarget)) return;
  if ([...row.querySelectorAll("input")].every((input) => input.value === "")) done();
}

/** `["CMD-SHELL", line]`, `["CMD", …]`, a line, or nothing: each is edited as what it is. */
export function TestField({ label, body }: { label: string; body: Body }) {
  const first = Array.isArray(body.value) ? at(body.value, [0]) : undefined;
  if (first === "CMD" || (Array.isArray(body.value) && first !== "CMD-SHELL" && first !== "NONE"))
    return <ListField label={label} body={body} from={first === "CMD" ? 1 : 0} />;
  const shell = first === "CMD-SHELL";
  return (
    <TextInput
      mono
      aria-label={label}
      readOnly={body.readOnly}
      value={first === "NONE" ? "NONE" : asText(shell ? at(body.value, [1]) : body.value)}
      placeholder="curl -f http://localhost/ || exit 1"
      onCommit={(now) => {
        if (now === "") return body.set([], undefined);
        if (first === "NONE") return body.set([], now);
        return shell ? body.set([1], now) : body.set([], now);
      }}
    />
  );
}
