import type { IconName } from "../types";

// The first that matches wins; images are asked before names.
const SIGNS: [IconName, RegExp][] = [
  ["search", /elastic|opensearch|solr|meili|typesense|sphinx/],
  ["db", /postgres|postgis|mysql|maria|mongo|mssql|sql-?(server|edge)|azure-sql|cockroach|cassandra|couch|timescale|clickhouse|influx|neo4j|oracle|percona|^db\b|[-_]db\b|database/],
  ["cache", /redis|valkey|memcache|keydb|dragonfly|varnish|cache/],
  ["queue", /rabbit|kafka|redpanda|nats|activemq|mosquitto|pulsar|zookeeper|queue|broker/],
  ["monitor", /prometheus|grafana|loki|jaeger|zipkin|kibana|logstash|fluent|exporter|alertmanager|portainer|netdata|uptime|telegraf|otel|cadvisor|monitor/],
  ["storage", /minio|nextcloud|seaweed|ceph|registry|storage|\bs3\b|backup|samba|nfs/],
  ["worker", /worker|celery|sidekiq|beat|cron|scheduler|consumer|job/],
  ["web", /nginx|httpd|apache|caddy|traefik|haproxy|envoy|proxy|front|wordpress|ghost|drupal|\bweb|-web|www|gateway|angular|react|vue|\bui\b/],
  ["api", /api|back-?end|server|rest|graphql|flask|django|express|spring|node|golang|\bapp\b|auth|service/],
];

/** Choose an icon by the last part of the image's path, then by the service's name. */
export function iconOf(name: string, image: string): IconName {
  const last = (image.split("/").at(-1) ?? "").split(/[:@]/)[0] ?? "";
  for (const text of [last.toLowerCase(), name.toLowerCase()]) {
    if (text === "") continue;
    for (const [icon, sign] of SIGNS) if (sign.test(text)) return icon;
  }
  return "box";
}
