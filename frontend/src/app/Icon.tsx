interface Props {
  /** A name of the portal's sprite (assets/icons.txt). */
  name: string;
  /** What it says to those who do not see it; without it the icon is decoration. */
  label?: string;
  small?: boolean;
  /** Edge in pixels, where neither 20 nor 16 fits. */
  size?: number;
  className?: string;
}

/** Draw an icon of the portal's sprite. */
export function Icon({ name, label, small = false, size, className = "" }: Props) {
  const names = `icon${small ? " icon-s" : ""}${className ? ` ${className}` : ""}`;
  return (
    <svg className={names} style={size ? { width: size, height: size } : undefined} {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}>
      <use href={`${document.documentElement.dataset.icons ?? "/static/icons.svg"}#${name}`} />
    </svg>
  );
}
