interface Props {
  /** A name of the portal's sprite (assets/icons.txt). */
  name: string;
  /** What it says to those who do not see it; without it the icon is decoration. */
  label?: string;
  small?: boolean;
  className?: string;
}

/** Draw an icon of the portal's sprite. */
export function Icon({ name, label, small = false, className = "" }: Props) {
  const names = `icon${small ? " icon-s" : ""}${className ? ` ${className}` : ""}`;
  return (
    <svg className={names} {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}>
      <use href={`${document.documentElement.dataset.icons ?? "/static/icons.svg"}#${name}`} />
    </svg>
  );
}
