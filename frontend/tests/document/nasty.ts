/** Files that are written in every way but the usual one. */
export const nasty: Record<string, string> = {
  "four columns and flush lists": `# head
services:
    web:
        image: "nginx:1"   # front
        ports:
        - "80:80"
        depends_on:
        - db
        - cache  # fast
    db:
        image: 'postgres'

    # the cache
    cache:
        image: redis
        volumes:
        - data:/data
volumes:
    data:
`,
  "all in flow style": `{services: {web: {image: nginx, depends_on: [db, cache], ports: ["80:80"]}, db: {image: postgres, volumes: [data:/d]}, cache: {image: redis}}, volumes: {data: }}\n`,
  "JSON": `{
  "services": {
    "web": {
      "image": "nginx",
      "depends_on": ["db"]
    },
    "db": {
      "image": "postgres",
      "volumes": [
        "data:/var/lib"
      ]
    }
  },
  "volumes": {
    "data": {}
  }
}
`,
  "anchors and merges": `x-common: &common
  restart: always
  depends_on: [db]
  environment: &env
    A: 1
    B: two
x-deps: &deps
  - db
  - cache
services:
  web:
    <<: *common
    image: nginx
  api:
    <<: [*common, { cpus: 2 }]
    image: api
    environment: *env
    depends_on: *deps
  worker: &worker
    image: worker
    depends_on: *deps
    networks: &nets
      back:
      front:
  worker2:
    <<: *worker
    command: run
    networks: *nets
  db: &db
    image: postgres
    volumes:
      - type: volume
        source: data
        target: /data
  cache:
    image: redis
networks:
  back: {}
  front:
volumes:
  data: &vol
  more: *vol
`,
  "comments everywhere": `# top

# about services
services: # all of them
  # first
  web: # the web
    # its image
    image: nginx # pinned soon
    # its ports
    ports: # two
      # plain
      - "80:80" # http
      # safe
      - "443:443" # https
      # nothing more
    depends_on:
      # data
      db: # wait
        condition: service_healthy # really
      # speed
      cache:
        condition: service_started
    # end of web

    # after a blank

  # second
  db:
    image: postgres
    # commented: out

  cache: { image: redis } # small
# between
volumes: # none used
  data: # keep
  # last
# very last
`,
  "long forms": `name: shop
services:
  web:
    build: { context: ., secrets: [token] }
    links:
      - db:database
      - "cache"
    network_mode: service:proxy
    volumes_from:
      - db:ro
      - container:other
    x-escale: { machine: front, uses: [db], affinity: { services: [cache] }, anti_affinity: [ { services: [db, cache], mode: soft } ] }
  proxy:
    image: envoy
    networks:
      back:
        aliases: [edge, door]
      front:
  db:
    image: postgres
    configs:
      - source: settings
        target: /etc/settings
      - plain
    secrets: [ token ]
    volumes:
      - data:/data:ro
      - ./local:/x
      - type: volume
        source: more
        target: /more
    x-escale:
      region: paris
  cache:
    extends: db
    pid: "service:db"
  copy:
    extends:
      service: db
networks: { back: , front: { internal: true } }
volumes:
  data:
    x-escale: { size: 20GiB }
  more: { external: true }
configs:
  settings:
    file: ./settings
  plain: { content: "a: b" }
secrets:
  token: { environment: TOKEN }
x-escale:
  regions:
    paris: { cloud: paris, title: Paris }
    backup:
  machines:
    front: { region: paris, cpus: 2, memory: 4GiB }
    workers: { region: backup, count: 3 }
  canvas:
    services: { web: [10, 20], db: [30, 40] }
    machines:
      front: [0, 0, 300, 200]
    collapsed: [machine:front]
    comments:
      - { on: "service:db", text: "why?", by: alice, at: 2026-01-31T12:00:00Z, resolved: false }
      - { on: "", text: "all", by: bob, at: 2026-01-31T12:00:00Z, resolved: true }
`,
  "emoji and odd names": `services:
  "web":
    image: nginx # 🚀 café
    labels:
      - "emoji=🎉🎉"
      - 'it''s: fine'
  'd.b-1_x':
    image: postgres
    depends_on: ["web"]
  123:
    image: 5
    depends_on:
      - web
  yes:
    image: true
    environment:
      KEY: |
        several
          lines

      OTHER: >-
        folded
        text
      "quoted key": "x # not a comment"
volumes:
  1.50:
`,
  "a start, an end and another document": `%YAML 1.2
---
# first
services:
  web:
    image: nginx
  db:
    image: postgres
    depends_on: [web]
...
---
services:
  other: {image: x}
`,
  "blocks at the end without a newline": `services:
  web:
    image: nginx
    command: >
      run
      it
  db:
    image: postgres
    command: |-
      one
      two`,
  "trailing blanks": "services:   \n  web:  \n    image: nginx   \n    ports:   \n      - 80:80   \n   \n  db:\n    image: postgres\n    depends_on: [web]   \n\t\n   \n",
  "nulls and wrong types": `services:
  web:
  db: text
  list: [1, 2]
  real:
    image: nginx
    ports: 80
    volumes: {a: b}
    depends_on: web
    networks: 5
    environment:
    deploy: []
    healthcheck: off
    x-escale: [front]
volumes: [data]
networks: text
x-escale:
  canvas:
    services: [1]
    comments: {a: b}
    collapsed: all
`,
};
