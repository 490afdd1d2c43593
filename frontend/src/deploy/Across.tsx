import { Icon } from "../app/controls";
import type { Schemas } from "../api/client";
import { t } from "../i18n";
import { money } from "../i18n/time";
import { Capacity, Price } from "./figures";

type CapacityData = Schemas["Capacity"];
type PriceData = Schemas["Price"];

interface Props {
  parts: readonly Schemas["Part"][];
  machines: readonly { cloud?: string }[];
  /** Of all clouds together; null where prices are in several currencies, or a cloud has none. */
  price: PriceData | null;
  roomOf: (part: Schemas["Part"]) => CapacityData | null;
}

/** What is wanted of each cloud, against its own room and at its own prices. */
export function CloudFigures({ parts, machines, price, roomOf }: Props) {
  if (parts.length <= 1) {
    const [part] = parts;
    return part ? <><Capacity wanted={part.requirements} room={roomOf(part)} machines={machines.length} /><Price price={price} /></> : null;
  }
  return (
    <>
      {parts.map((part) => (
        <section key={part.cloud.id} className="d-part" aria-label={part.cloud.name}>
          <h4><Icon name="cloud" small /> {part.cloud.name}</h4>
          {part.services.length > 0 ? <p className="quiet small">{part.services.join(", ")}</p> : null}
          <Capacity wanted={part.requirements} room={roomOf(part)} machines={machines.filter(({ cloud }) => cloud === part.cloud.name).length} />
          <Price price={part.price} />
        </section>
      ))}
      {price ? (
        <p className="d-price-all"><span>{t("deploy.monthly_all")}</span> <strong className="num">{money(price.monthly, price.currency)}</strong></p>
      ) : parts.every((part) => part.price !== null) ? (
        <p className="quiet small">{t("deploy.not_added_up")}</p>
      ) : null}
    </>
  );
}

/** The calls between services on different clouds, and the addresses that they need. */
export function Crossings({ crossings }: { crossings: readonly Schemas["Crossing"][] }) {
  if (crossings.length === 0) return null;
  return (
    <section className="d-crossings" aria-label={t("deploy.crossings")}>
      <h4><Icon name="world" small /> {t("deploy.crossings")}</h4>
      <table>
        <thead>
          <tr>{["from", "to", "port", "address"].map((column) => <th key={column} scope="col">{t(`deploy.crossing.${column}`)}</th>)}</tr>
        </thead>
        <tbody>
          {crossings.map(({ caller, caller_cloud, called, called_cloud, port, protocol, addresses, machines, waits }) => (
            <tr key={`${caller}>${called}:${port}/${protocol}`}>
              <td><strong>{caller}</strong><span className="quiet small">{caller_cloud}</span></td>
              <td>
                <strong>{called}</strong>
                <span className="quiet small">{called_cloud}</span>
                {waits ? <span className="quiet small">{t("deploy.crossing.first")}</span> : null}
              </td>
              <td className="num">{port}/{protocol}</td>
              <td>{addresses.length > 0 ? <span className="mono">{addresses.join(", ")}</span> : <span className="quiet small">{t("deploy.crossing.later", { machines: machines.join(", ") })}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
