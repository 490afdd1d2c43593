import { type FormEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef } from "react";

import { t } from "../i18n";
import { IconButton } from "./controls";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons under the body. With `onSubmit` the dialog is a form, so that Enter in a field does what it is for. */
  footer?: ReactNode;
  onSubmit?: () => void;
  wide?: boolean;
  /** Without the head the title is only heard (the command palette). */
  bare?: boolean;
  className?: string;
}

/** Show a modal dialog while it is mounted; Escape and the backdrop close it and the focus goes back. */
export function Dialog({ title, onClose, children, footer, onSubmit, wide = false, bare = false, className = "" }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const close = useRef(onClose);
  const pressed = useRef<EventTarget | null>(null);
  useEffect(() => {
    close.current = onClose;
  });

  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (!dialog) return;
    if (typeof dialog.showModal === "function") dialog.showModal();
    else dialog.setAttribute("open", ""); // documents without a top layer (tests)
    dialog.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      if (typeof dialog.close === "function" && dialog.open) dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSubmit?.();
  };
  const inside = (
    <>
      {bare ? null : (
        <div className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton icon="x" label={t("app.close")} onClick={() => close.current()} />
        </div>
      )}
      {bare ? children : <div className="dialog-body">{children}</div>}
      {footer ? <div className="d-dialog-foot">{footer}</div> : null}
    </>
  );
  return (
    <dialog
      ref={element}
      className={`dialog d-dialog${wide ? " d-wide" : ""} ${className}`}
      {...(bare ? { "aria-label": title } : { "aria-labelledby": titleId })}
      onCancel={(event) => {
        event.preventDefault(); // React takes it away; the browser must not do so first
        close.current();
      }}
      onClose={() => {
        // Told late: the effects of strict mode close it and open it again at once.
        if (!element.current?.open) close.current();
      }}
      onKeyDown={(event) => {
        event.stopPropagation(); // the canvas behind does not hear what is typed here
        // Enter in a text field submits by itself; in a choice browsers disagree about what it does.
        if (event.key === "Enter" && onSubmit && event.target instanceof HTMLSelectElement && !event.defaultPrevented) {
          event.preventDefault();
          onSubmit();
        }
        if (event.key === "Escape" && !event.defaultPrevented) {
          event.preventDefault();
          close.current();
        }
      }}
      onPointerDown={(event) => {
        pressed.current = event.target;
      }}
      onClick={(event) => {
        // Who marks text and lets go outside does not mean the backdrop.
        if (event.target === element.current && pressed.current === element.current) close.current();
      }}
    >
      {onSubmit ? (
        <form onSubmit={submit} noValidate>
          {inside}
        </form>
      ) : (
        inside
      )}
    </dialog>
  );
}
