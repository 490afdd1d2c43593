import { type ButtonHTMLAttributes, type InputHTMLAttributes, type ReactNode, useId, useState } from "react";

import "./controls.css";
import { t } from "../i18n";
import { Icon } from "./Icon";
import { type Commit, useCommit } from "./useCommit";

export { Dialog } from "./Dialog";
export { Icon } from "./Icon";
export { Menu, type MenuItem } from "./Menu";
export { type Commit, useCommit } from "./useCommit";

export type Tone = "plain" | "primary" | "danger" | "danger-fill" | "outline";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: Tone;
  icon?: string;
  small?: boolean;
}

export function Button({ tone = "outline", icon, small = false, className = "", children, ...rest }: ButtonProps) {
  const names = `button${tone === "outline" ? "" : ` ${tone}`}${small ? " small" : ""} ${className}`.trim();
  return (
    <button type="button" className={names} {...rest}>
      {icon ? <Icon name={icon} /> : null}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> {
  icon: string;
  /** Name and tooltip. */
  label: string;
  pressed?: boolean;
  small?: boolean;
}

export function IconButton({ icon, label, pressed, small = false, className = "", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`d-icon-button${small ? " d-small" : ""} ${className}`.trim()}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}

export interface FieldIds {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

interface FieldProps {
  label: string;
  /** The specification's words: heard always, seen when asked for. */
  help?: string;
  hint?: ReactNode;
  error?: string | null;
  hideLabel?: boolean;
  /** The children are several controls with names of their own. */
  asGroup?: boolean;
  /** Beside the label: a button that takes the key away, a count, … */
  aside?: ReactNode;
  children: (ids: FieldIds) => ReactNode;
}

/** Give a control its label, help and error; the control takes the ids that belong together. */
export function Field({ label, help, hint, error, hideLabel = false, asGroup = false, aside, children }: FieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const described = [help ? `${id}-help` : "", hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return (
    <div className="d-field">
      <div className={hideLabel ? "visually-hidden" : "d-label-row"}>
        {asGroup ? <span className="d-label">{label}</span> : <label htmlFor={id}>{label}</label>}
        {help && !hideLabel ? (
          <IconButton
            small
            icon="info-circle"
            label={t("inspector.help_for", { field: label })}
            aria-expanded={shown}
            onClick={() => setShown(!shown)}
          />
        ) : null}
        {aside ? <span className="end row">{aside}</span> : null}
      </div>
      {help ? (
        <div id={`${id}-help`} className="d-hint" hidden={!shown}>
          {help}
        </div>
      ) : null}
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? true : undefined })}
      {hint ? (
        <div id={`${id}-hint`} className="d-hint">
          {hint}
        </div>
      ) : null}
      <FieldError id={`${id}-error`} error={error} />
    </div>
  );
}

export function FieldError({ id, error }: { id?: string; error: string | null | undefined }) {
  if (!error) return null;
  return (
    <div id={id} className="d-error" role="alert">
      <Icon name="alert-triangle" small />
      <span>{error}</span>
    </div>
  );
}

type Given = Omit<InputHTMLAttributes<HTMLInputElement>, "value" | "onChange" | "onBlur" | "list" | "onError" | "min" | "max">;

interface TextInputProps extends Given {
  value: string;
  /** Called on Enter and on leaving the field. */
  onCommit: Commit;
  mono?: boolean;
  /** Values to choose from; others may be typed. */
  suggestions?: readonly string[];
  "data-first"?: boolean;
}

/** A line of text that is committed on Enter or when the field is left, and reverted by Escape. */
export function TextInput({ value, onCommit, mono = false, suggestions, className = "", ...rest }: TextInputProps) {
  const typing = useCommit(value, onCommit);
  const id = useId();
  const errorId = `${id}-error`;
  return (
    <>
      <input
        type="text"
        autoComplete="off"
        spellCheck={false}
        {...rest}
        className={`input${mono ? " mono" : ""} ${className}`.trim()}
        value={typing.draft}
        list={suggestions ? `${id}-list` : undefined}
        aria-invalid={typing.error ? true : rest["aria-invalid"]}
        aria-describedby={[rest["aria-describedby"], typing.error ? errorId : ""].filter(Boolean).join(" ") || undefined}
        onChange={(event) => typing.change(event.target.value)}
        onBlur={typing.blur}
        onKeyDown={(event) => {
          rest.onKeyDown?.(event);
          if (!event.defaultPrevented) typing.key(event);
        }}
      />
      {suggestions ? (
        <datalist id={`${id}-list`}>
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      ) : null}
      <FieldError id={errorId} error={typing.error} />
    </>
  );
}

interface NumberInputProps extends Omit<TextInputProps, "mono"> {
  min?: number;
  max?: number;
  whole?: boolean;
  /** False: words such as `${REPLICAS}` or `2g` are taken as well. */
  strict?: boolean;
}

/** A number, checked before it is committed. The field stays a text: `${VARIABLE}` is a number here, too. */
export function NumberInput({ onCommit, min, max, whole = false, strict = true, ...rest }: NumberInputProps) {
  const checked: Commit = (text) => numberError(text, { min, max, whole, strict }) ?? onCommit(text.trim());
  return <TextInput {...rest} inputMode={whole ? "numeric" : "decimal"} onCommit={checked} />;
}

/** Return why a text is no such number, or null; an empty one takes the key away and is always good. */
export function numberError(
  text: string,
  { min, max, whole, strict }: { min?: number; max?: number; whole?: boolean; strict?: boolean },
): string | null {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const value = Number(trimmed);
  if (!Number.isFinite(value)) return strict ? t("inspector.error.number") : null;
  if (whole && !Number.isInteger(value)) return t("inspector.error.whole");
  if (min !== undefined && value < min) return t("inspector.error.least", { least: min });
  if (max !== undefined && value > max) return t("inspector.error.most", { most: max });
  return null;
}

interface TextAreaProps {
  value: string;
  onCommit: Commit;
  mono?: boolean;
  rows?: number;
  id?: string;
  "aria-label"?: string;
  "aria-describedby"?: string;
  readOnly?: boolean;
  placeholder?: string;
}

/** Several lines: Enter makes a new one, Ctrl-Enter or leaving the field commits. */
export function TextArea({ value, onCommit, mono = false, rows, ...rest }: TextAreaProps) {
  const typing = useCommit(value, onCommit, true);
  const lines = Math.min(14, Math.max(2, typing.draft.split("\n").length));
  return (
    <>
      <textarea
        spellCheck={false}
        {...rest}
        className={`textarea${mono ? " mono" : ""}`}
        rows={rows ?? lines}
        value={typing.draft}
        aria-invalid={typing.error ? true : undefined}
        onChange={(event) => typing.change(event.target.value)}
        onBlur={typing.blur}
        onKeyDown={typing.key}
      />
      <FieldError error={typing.error} />
    </>
  );
}

export interface Option {
  value: string;
  label: string;
}

interface SelectProps {
  value: string;
  options: readonly Option[];
  onChange: (value: string) => void;
  id?: string;
  "aria-label"?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: true | undefined;
  disabled?: boolean;
  "data-first"?: boolean;
}

/** A choice; a value that the options do not know is kept and shown as it is. */
export function Select({ value, options, onChange, ...rest }: SelectProps) {
  const known = options.some((option) => option.value === value);
  return (
    <select {...rest} className="select" value={value} onChange={(event) => onChange(event.target.value)}>
      {known ? null : <option value={value}>{value}</option>}
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}

interface ToggleProps {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  help?: string;
  disabled?: boolean;
}

export function Toggle({ label, checked, onChange, help, disabled = false }: ToggleProps) {
  const id = useId();
  return (
    <div className="d-toggle">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={help ? `${id}-help` : undefined}
        onChange={(event) => onChange(event.target.checked)}
      />
      <label htmlFor={id} title={help}>
        {label}
      </label>
      {help ? (
        <span id={`${id}-help`} hidden>
          {help}
        </span>
      ) : null}
    </div>
  );
}

export interface Tab {
  id: string;
  label: string;
  icon?: string;
  count?: number;
}

interface TabsProps {
  label: string;
  tabs: readonly Tab[];
  current: string;
  onChange: (id: string) => void;
  /** The id of the element that the tabs fill. */
  panelId?: string;
}

/** Tabs: arrows move between them, and the chosen one is the only stop. */
export function Tabs({ label, tabs, current, onChange, panelId }: TabsProps) {
  const id = useId();
  const key = (event: React.KeyboardEvent): void => {
    const at = tabs.findIndex((tab) => tab.id === current);
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const to = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : (at + step + tabs.length) % tabs.length;
    if (!step && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const wanted = tabs[to];
    if (!wanted) return;
    onChange(wanted.id);
    document.getElementById(`${id}-${wanted.id}`)?.focus();
  };
  return (
    <div className="d-tabs" role="tablist" aria-label={label} onKeyDown={key}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          id={`${id}-${tab.id}`}
          type="button"
          role="tab"
          className="d-tab"
          aria-selected={tab.id === current}
          aria-controls={panelId}
          tabIndex={tab.id === current ? 0 : -1}
          onClick={() => onChange(tab.id)}
        >
          {tab.icon ? <Icon name={tab.icon} small /> : null}
          {tab.label}
          {tab.count ? <span className="d-count">{tab.count}</span> : null}
        </button>
      ))}
    </div>
  );
}

interface EmptyStateProps {
  icon: string;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

export function EmptyState({ icon, title, children, actions }: EmptyStateProps) {
  return (
    <div className="empty empty-s">
      <Icon name={icon} />
      <h3>{title}</h3>
      {children ? <p>{children}</p> : null}
      {actions ? <div className="row row-wrap actions">{actions}</div> : null}
    </div>
  );
}

export type BannerTone = "plain" | "good" | "warning" | "danger" | "busy";
const BANNER_ICONS: Record<BannerTone, string> = {
  plain: "info-circle", good: "circle-check", warning: "alert-triangle", danger: "alert-octagon", busy: "progress",
};

interface BannerProps {
  tone?: BannerTone;
  children: ReactNode;
  actions?: ReactNode;
  role?: "alert" | "status";
}

/** Say what happened, why and what now; the shape says what the colour says. */
export function Banner({ tone = "plain", children, actions, role }: BannerProps) {
  return (
    <div className={`callout d-banner${tone === "plain" ? "" : ` callout-${tone}`}`} role={role}>
      <Icon name={BANNER_ICONS[tone]} />
      <div className="callout-body">
        {children}
        {actions ? <div className="d-banner-actions">{actions}</div> : null}
      </div>
    </div>
  );
}

/** The shape of what is being loaded; shown after 200 ms by its style. */
export function Skeleton({ lines = 6 }: { lines?: number }) {
  return (
    <div className="skeleton" role="status" aria-label={t("app.loading")}>
      {Array.from({ length: lines }, (_, at) => (
        <span key={at} />
      ))}
    </div>
  );
}
