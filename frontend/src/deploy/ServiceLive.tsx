import "./deploy.css";

import { useState } from "react";

import { Button, Icon, IconButton } from "../app/controls";
import { t } from "../i18n";
import { usePaint } from "../store/paint";
import { copy } from "../versions/copy";
import { STATE_ICONS } from "./icons";
import { logOf, useLive } from "./live";
import type { LogLine } from "./reduce";

/** Where a service runs: its machines with their addresses, its ports, the log of what was done for it. */
export function ServiceLive({ service }: { service: string }) {
  const watched = useLive((live) => live.watched);
  const paint = usePaint((state) => state.live[`service:${service}`]);
  const places = Object.entries(watched).filter(([, { canvas }]) => service in canvas.services);
  if (places.length === 0) return null;
  return (
    <section className="d-service-live" aria-label={t("deploy.runs")}>
      <h3>{t("deploy.runs_where", { service })}</h3>
      {paint ? (
        <p className={`d-service-state is-${paint.state}`}>
          <Icon name={STATE_ICONS[paint.state]} small /> {t(`deploy.live.${paint.state}`)}
          {paint.percent === null ? "" : ` · ${t("deploy.percent", { percent: paint.percent })}`}
          {paint.message ? <span className="quiet small"> {paint.message}</span> : null}
        </p>
      ) : null}
      {places.map(([id, { canvas, operation }]) => {
        const { machines, ports } = canvas.services[service] ?? { machines: [], ports: [] };
        return (
          <div key={id} className="d-place">
            <p className="quiet small">{canvas.deployment.name} · {canvas.deployment.cloud.name}</p>
            <ul className="d-machines">
              {machines.map((machine) => (
                <li key={machine.key}>
                  <Icon name="server" small /> <span>{machine.name}</span>
                  <span className="quiet small">{t(`deploy.live.${machine.state}`)}</span>
                  {machine.addresses.map((address) => (
                    <span key={address} className="d-address">
                      <code>{address}</code>
                      <IconButton small icon="copy" label={t("deploy.copy_address", { address })} onClick={() => void copy(address)} />
                    </span>
                  ))}
                </li>
              ))}
            </ul>
            {ports.length > 0 ? (
              <ul className="d-reach" aria-label={t("deploy.ports")}>
                {ports.map(({ published, target, protocol }, at) => {
                  const address = machines.flatMap(({ addresses }) => addresses)[0];
                  const reach = address ? `${address.includes(":") ? `[${address}]` : address}:${published}` : published;
                  return (
                    <li key={at} className="d-address">
                      <code>{reach}</code> <span className="quiet small">→ {target}/{protocol}</span>
                      <IconButton small icon="copy" label={t("deploy.copy_address", { address: reach })} onClick={() => void copy(reach)} />
                    </li>
                  );
                })}
              </ul>
            ) : null}
            <Log id={id} service={service} />
            {operation ? <a className="small" href={`/operations/${operation.id}/`}>{t("deploy.operation_page")}</a> : null}
          </div>
        );
      })}
    </section>
  );
}

function Log({ id, service }: { id: string; service: string }) {
  const watched = useLive((live) => live.watched[id]);
  const [earlier, setEarlier] = useState<LogLine[] | null>(null);
  const [failed, setFailed] = useState(false);
  const load = async (): Promise<void> => {
    setFailed(false);
    try {
      setEarlier(await logOf(id, service));
    } catch {
      setFailed(true);
    }
  };
  if (earlier === null) {
    return (
      <div className="row">
        <Button small icon="file-code" onClick={() => void load()}>{t("deploy.show_log")}</Button>
        {failed ? <span className="quiet small" role="alert">{t("deploy.unreachable")}</span> : null}
      </div>
    );
  }
  const last = earlier[earlier.length - 1]?.seq ?? 0;
  const since = [...(watched?.logs ?? [])].flatMap(([key, lines]) => (watched?.steps.get(key)?.services.includes(service) ? lines : []));
  const lines = [...earlier, ...since.filter(({ seq }) => seq > last)].sort((a, b) => a.seq - b.seq).slice(-300);
  if (lines.length === 0) return <p className="quiet small">{t("deploy.no_log")}</p>;
  return (
    <ol className="d-log" tabIndex={0} aria-label={t("deploy.log")}>
      {lines.map((line) => <li key={line.seq}><time dateTime={line.at}>{new Date(line.at).toTimeString().slice(0, 8)}</time> {line.line}</li>)}
    </ol>
  );
}
