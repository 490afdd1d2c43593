import { Icon } from "../app/controls";
import type { Schemas } from "../api/client";
import { number, t } from "../i18n";
import { moment, money } from "../i18n/time";

type CapacityData = Schemas["Capacity"];
type PriceData = Schemas["Price"];

const CHANGES = ["create", "update", "replace", "delete"] as const;
export const CHANGE_ICONS: Record<string, string> = { create: "plus", update: "pencil", replace: "refresh", delete: "trash", keep: "equal" };

/** How many things are made, changed, replaced and removed. */
export function Counts({ counts }: { counts: Record<string, number> }) {
  const shown = CHANGES.filter((change) => (counts[change] ?? 0) > 0);
  if (shown.length === 0) return <p className="d-counts"><Icon name="circle-check" /> {t("deploy.nothing_to_do")}</p>;
  return (
    <ul className="d-counts">
      {shown.map((change) => (
        <li key={change} className={`d-tally is-${change}`}><Icon name={CHANGE_ICONS[change] ?? "equal"} small /> {t(`deploy.count.${change}`, { count: counts[change] ?? 0 })}</li>
      ))}
    </ul>
  );
}

interface Need {
  key: string;
  wanted: number;
  used: number;
  total: number;
  unit: string;
}

/** What is wanted against the room of the cloud, in cores and GiB, as its last inventory has it. */
export function needsOf(wanted: Record<string, number>, room: CapacityData | null): Need[] {
  const cores = room?.cpus ?? 0;
  const mhz = room?.cpu_mhz ?? 0;
  const memory = (room?.memory_mib ?? 0) / 1024;
  const storage = room?.storage_gib ?? 0;
  return [
    { key: "cpu", wanted: wanted.cpus ?? 0, used: mhz > 0 ? (cores * (mhz - (room?.cpu_free_mhz ?? 0))) / mhz : 0, total: cores, unit: t("deploy.cores") },
    { key: "memory", wanted: (wanted.memory_mib ?? 0) / 1024, used: memory - (room?.memory_free_mib ?? 0) / 1024, total: memory, unit: "GiB" },
    { key: "disk", wanted: wanted.disk_gib ?? 0, used: storage - (room?.storage_free_gib ?? 0), total: storage, unit: "GiB" },
  ];
}

export function Capacity({ wanted, room, machines }: { wanted: Record<string, number>; room: CapacityData | null; machines: number }) {
  return (
    <div className="d-capacity">
      <p className="d-capacity-head"><Icon name="server" small /> {t("deploy.machines", { count: machines })}</p>
      {needsOf(wanted, room).map(({ key, wanted: want, used, total, unit }) => {
        const over = total > 0 && used + want > total;
        const label = t(`deploy.need.${key}`);
        return (
          <div key={key} className="d-need">
            <span>{label}</span>
            <span className={over ? "num d-too-much" : "num"}>
              {over ? <Icon name="alert-triangle" small label={t("deploy.too_much")} /> : null}
              {total > 0
                ? t("deploy.want_of", { wanted: number(want, 1), free: number(Math.max(0, total - used), 0), unit })
                : t("deploy.want", { wanted: number(want, 1), unit })}
            </span>
            {total > 0 ? (
              <svg className="d-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                <rect className="is-used" width={Math.min(100, (100 * used) / total)} height="6" />
                <rect className={over ? "is-over" : "is-want"} x={Math.min(99, (100 * used) / total)} width={Math.max(0.8, Math.min(100 - (100 * used) / total, (100 * want) / total))} height="6" />
              </svg>
            ) : null}
          </div>
        );
      })}
      {room ? <p className="quiet small">{t("deploy.room_read", { when: moment(room.read_at) })}</p> : <p className="quiet small">{t("deploy.no_room")}</p>}
    </div>
  );
}

/** What it costs a month, and how that differs from what runs. */
export function Price({ price }: { price: PriceData | null }) {
  if (!price) return <p className="quiet small">{t("deploy.no_prices")}</p>;
  const difference = price.monthly_before === null ? null : Number(price.monthly) - Number(price.monthly_before);
  return (
    <details className="d-price">
      <summary>
        <span>{t("deploy.monthly")}</span>
        <strong className="num">{money(price.monthly, price.currency)}</strong>
        {difference === null || Math.abs(difference) < 0.005 ? null : (
          <span className={difference > 0 ? "num d-more-cost" : "num d-less-cost"}>{difference > 0 ? "+" : "−"}{money(String(Math.abs(difference)), price.currency)}</span>
        )}
      </summary>
      <table>
        <tbody>
          {price.lines.map(({ what, quantity, unit, rate, monthly }) => (
            <tr key={what}>
              <th scope="row">{t(`deploy.priced.${what}`)}</th>
              <td className="num">{t("deploy.priced_quantity", { quantity: number(quantity, 1), unit, rate: money(rate, price.currency, 4) })}</td>
              <td className="num">{money(monthly, price.currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {price.note ? <p className="quiet small">{price.note}</p> : null}
    </details>
  );
}

/** How the keys of the file fare on the target. */
export function LedgerCounts({ ledger }: { ledger: readonly { verdict: string }[] }) {
  const counts = { honoured: 0, approximated: 0, dropped: 0 };
  for (const { verdict } of ledger) if (verdict in counts) counts[verdict as keyof typeof counts]++;
  if (ledger.length === 0) return null;
  return (
    <p className="d-ledger">
      <span><Icon name="circle-check" small /> {t("deploy.honoured", { count: counts.honoured })}</span>
      <span><Icon name="circle-dashed" small /> {t("deploy.approximated", { count: counts.approximated })}</span>
      <span className={counts.dropped ? "d-dropped" : ""}><Icon name="circle-minus" small /> {t("deploy.dropped", { count: counts.dropped })}</span>
    </p>
  );
}
