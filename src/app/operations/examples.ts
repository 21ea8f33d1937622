/** Examples for the help and the manual, of each command and action. A test parses each as the program does. */

const PG = '--from postgresql://app@db/shop'
const BOTH = '--from postgresql://app@old/app --to postgresql://app@new/app'
const CATALOG = '--database-url sqlite:///lake.db'
const STREAM = '1795299297523649216'

/** Words after the program name, by command, or by command and action. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  discover: [
    'discover ./lake --recursive',
    'discover s3://bucket/lake --recursive --exclude _tmp',
    'discover sqlite:///app.db',
  ],
  import: [
    `import ./lake/sales/orders ${CATALOG} --dry-run`,
    `import ./lake/sales/orders ${CATALOG}`,
    'import s3://bucket/lake/orders --database-url postgresql://app@db/catalog',
  ],
  'batch-import': [
    `batch-import ./lake --recursive ${CATALOG}`,
    `batch-import ./lake --recursive --parallel 4 --exclude _tmp ${CATALOG}`,
  ],
  sync: [`sync --all ${CATALOG}`, `sync sales/orders ${CATALOG}`, `sync --all --watch --interval 30s ${CATALOG}`],
  validate: [`validate ./lake/sales/orders ${CATALOG}`, `validate sales/orders --samples 8 ${CATALOG}`],
  fsck: ['fsck ./lake/sales/orders', `fsck sales/orders ${CATALOG}`],
  'performance-compare': [
    `performance-compare sales/orders ${CATALOG}`,
    `performance-compare sales/orders --runs 3 --report report.md ${CATALOG}`,
    `performance-compare sales/orders --simulate-latency 30ms ${CATALOG}`,
  ],
  history: ['history ./lake/sales/orders', `history sales/orders --limit 100 ${CATALOG}`],
  files: [
    'files ./lake/sales/orders --where "month = 11"',
    `files sales/orders --version 3 ${CATALOG}`,
    `files sales/orders --timestamp 2030-01-01 ${CATALOG}`,
  ],
  changes: [
    `changes sales/orders --from-version 3 --to-version 5 ${CATALOG}`,
    'changes ./lake/sales/orders --from-version 0 --to-version 9 --json',
  ],
  'verify-rollback': [
    `verify-rollback sales/orders ${CATALOG}`,
    `verify-rollback ./lake/sales/orders --check-files all ${CATALOG}`,
  ],
  rollback: [`rollback sales/orders --dry-run ${CATALOG}`, `rollback sales/orders --confirm=sales/orders ${CATALOG}`],
  'export-log': [
    `export-log sales/orders --to ./orders-log ${CATALOG}`,
    `export-log crm/customers --to ./customers-log --json ${CATALOG}`,
  ],
  prune: [`prune sales/orders --keep-versions 100 --dry-run ${CATALOG}`, `prune --all --older-than 30d ${CATALOG}`],
  index: [`index events/clicks event_id ${CATALOG}`, `index sales/orders customer_id ordered_at ${CATALOG}`],
  copy: [
    'copy --from sqlite:///app.db --to duckdb:///copy.duckdb --tables "*" --dry-run',
    "copy --from postgresql://app@db/shop --to sqlite:///shop.db --tables 'public.*' --workers 4",
    "copy --from postgresql://app@old/app --to postgresql://app@new/app --tables 'public.*' --follow --with all",
  ],
  follow: [`follow ${STREAM} ${BOTH}`, `follow ${STREAM} ${BOTH} --until-equal`, `follow ${STREAM} ${BOTH} --end`],
  'sign-off': [
    `sign-off ${STREAM} ${BOTH} --report sign-off.md`,
    `sign-off ${STREAM} ${BOTH} --table public.orders --by 'Ada Lovelace'`,
  ],
  cutover: [
    `cutover ${STREAM} --to postgresql://app@new/app --dry-run`,
    `cutover ${STREAM} --to postgresql://app@new/app`,
  ],
  diff: [
    'diff --from sqlite:///app.db --to duckdb:///copy.duckdb --tables "*"',
    `diff ${BOTH} --table public.orders --fix`,
    `diff --fix --run ${STREAM} ${BOTH} --table public.orders --key 4711`,
  ],
  'quarantine list': [
    `quarantine list ${STREAM} --to sqlite:///shop.db`,
    `quarantine list ${STREAM} --to sqlite:///shop.db --json`,
  ],
  'quarantine retry': [
    `quarantine retry ${STREAM} ${PG} --to sqlite:///shop.db`,
    `quarantine retry ${STREAM} ${PG} --to sqlite:///shop.db --table public.orders`,
  ],
  'retry-quarantine': [
    `retry-quarantine ${STREAM} ${PG} --to sqlite:///shop.db`,
    `retry-quarantine ${STREAM} ${PG} --to sqlite:///shop.db --table public.orders`,
  ],
  slots: [`slots ${PG}`, `slots ${PG} --drop sluice_${STREAM} --confirm=sluice_${STREAM}`],
  tokens: [
    'tokens customer --from cassandra://10.0.0.1/shop',
    "tokens 'shop.*' --from cassandra://10.0.0.1/shop --splits 16",
  ],
  attach: ['attach', `attach ${STREAM} --json`],
  ctl: ['ctl', `ctl ${STREAM} workers 2`, `ctl ${STREAM} stop`],
  'partition plan': [
    `partition plan ${PG} --table orders --by placed_at`,
    `partition plan ${PG} --table orders --by placed_at --slices month --window 3h`,
  ],
  'partition run': [
    `partition run ${PG} --table orders --by placed_at`,
    `partition run ${PG} --table orders --by placed_at --window 3h`,
  ],
  'partition in-place': [
    `partition in-place ${PG} --table orders --by placed_at --dry-run`,
    `partition in-place ${PG} --table orders --by placed_at --confirm=public.orders`,
  ],
  'partition list': [`partition list ${PG} --table bookings`, `partition list ${PG} --table bookings --count`],
  'partition ensure': [
    `partition ensure ${PG} --table bookings --ahead 2 --dry-run`,
    `partition ensure ${PG} --table bookings --ahead 2`,
  ],
  'partition decommission': [
    `partition decommission ${PG} --table orders --dry-run`,
    `partition decommission ${BOTH} --database --dry-run`,
  ],
  'lifecycle status': ['lifecycle status', 'lifecycle status --table public.bookings'],
  'lifecycle init': [
    `lifecycle init ${PG} --table bookings --by booked_at --write -`,
    `lifecycle init ${PG} --table bookings --by booked_at --archive ./archive --older-than 8q`,
  ],
  'archive plan': [
    `archive plan ${PG} --table bookings --to ./archive --older-than 8q`,
    `archive plan ${PG} --table orders --by-value region --to ./archive`,
  ],
  'archive run': [
    `archive run ${PG} --table bookings --to ./archive --older-than 8q`,
    `archive run ${PG} --table bookings --drop --confirm=bookings`,
  ],
  'archive list': [`archive list ${PG}`, `archive list ${PG} --table bookings --json`],
  'archive verify': [`archive verify ${PG}`, `archive verify ${PG} --table bookings --deep`],
  'archive sweep': [`archive sweep ${PG} --dry-run`, `archive sweep ${PG} --table bookings --confirm=bookings`],
  'archive hold': [
    `archive hold ${PG} --table bookings --partition Q1-FY25 --reason "audit 2026"`,
    `archive hold ${PG} --table bookings --partition Q1-FY25 --partition Q2-FY25 --reason "audit 2026"`,
  ],
  'archive release': [
    `archive release ${PG} --table bookings --partition Q1-FY25`,
    `archive release ${PG} --table bookings --partition Q1-FY25 --partition Q2-FY25`,
  ],
  'archive adopt': [
    `archive adopt ${PG} --table bookings --dry-run`,
    `archive adopt ${PG} --table bookings --confirm=bookings`,
  ],
  'archive erase': [
    `archive erase ${PG} --table bookings --where 'customer_id = 42' --reason T-4711 --dry-run`,
    `archive erase ${PG} --table bookings --where 'customer_id = 42' --reason T-4711 --confirm=bookings`,
  ],
  'archive expire': [
    `archive expire ${PG} --table bookings --older-than 10y --retention 30d --dry-run`,
    `archive expire ${PG} --table bookings --older-than 10y --retention 30d --confirm=bookings`,
  ],
  restore: [
    `restore ${PG} --table bookings --partition Q2-FY25`,
    `restore ${PG} --table bookings --partition Q2-FY25 --into-url sqlite:///look.db`,
  ],
  query: [
    `query bookings "select count(*) from bookings" ${PG}`,
    `query bookings "select * from bookings where id = 42" ${PG} --format csv`,
  ],
  sql: [
    `sql "SELECT table_id, num_files FROM delta_tables" ${CATALOG}`,
    `sql "SELECT * FROM delta_small_files" --format csv --limit 50 ${CATALOG}`,
  ],
  'migration-status': [`migration-status ${CATALOG}`, `migration-status --table-id sales/orders ${CATALOG}`],
  runs: [
    'runs --distributed --connect postgresql://app@db/queue',
    `runs ${CATALOG}`,
    'runs --to sqlite:///shop.db --json',
  ],
  report: [
    `report ${STREAM} --to sqlite:///shop.db`,
    `report ${STREAM} --to sqlite:///shop.db --format html --write run.html`,
    `report ${STREAM} ${CATALOG} --format json`,
  ],
  'schedule add': [
    'schedule add coming --every day --at 01:00 --connect queue -- partition ensure --from shop --table orders --ahead 3',
    'schedule add old-orders --every quarter --first-month 4 --at 02:30 --zone Europe/Berlin --connect queue -- archive run --from shop --table orders --older-than 8q',
  ],
  'schedule list': [
    'schedule list --connect postgresql://app@db/queue',
    'schedule list deep --connect postgresql://app@db/queue --json',
  ],
  'schedule next': [
    'schedule next deep --connect postgresql://app@db/queue',
    'schedule next deep --limit 40 --connect postgresql://app@db/queue',
  ],
  'schedule history': [
    'schedule history deep --connect postgresql://app@db/queue',
    'schedule history deep --output --connect postgresql://app@db/queue',
  ],
  'schedule pause': [
    'schedule pause deep --connect postgresql://app@db/queue',
    'schedule pause deep --connect postgresql://app@db/queue --json',
  ],
  'schedule resume': [
    'schedule resume deep --connect postgresql://app@db/queue',
    'schedule resume deep --connect postgresql://app@db/queue --json',
  ],
  'schedule run-now': [
    'schedule run-now deep --connect postgresql://app@db/queue',
    'schedule run-now deep --connect postgresql://app@db/queue --json',
  ],
  'schedule remove': [
    'schedule remove deep --connect postgresql://app@db/queue',
    'schedule remove deep --connect postgresql://app@db/queue --json',
  ],
  'schedule print': [
    'schedule print nightly --every day --at 03:00 -- fsck ./lake/sales/orders',
    'schedule print nightly --every 6h --as crontab -- fsck ./lake/sales/orders',
  ],
  worker: [
    'worker --connect postgresql://app@db/queue',
    'worker --connect postgresql://app@db/queue --concurrency 4 --queues nightly',
  ],
  workers: [
    'workers --connect postgresql://app@db/queue',
    'workers --connect postgresql://app@db/queue --json',
    'workers --connect postgresql://app@db/queue --drain host7',
  ],
  grants: [
    'grants --database-url postgresql://admin@db/catalog --role reader --to analyst',
    'grants --database-url postgresql://admin@db/catalog --role importer --to nightly --apply',
    'grants --connect postgresql://admin@db/queue --role worker --to host7',
  ],
  doctor: ['doctor', `doctor ./lake ${CATALOG}`, 'doctor --database-url postgresql://app@db/catalog --json'],
  demo: ['demo', 'demo ./lake --dir ./trial'],
  init: ['init --dry-run', "init --lake ./lake --database-url 'sqlite:///lake.db'"],
  trust: ['trust ./lake', 'trust --list', 'trust ./lake --remove'],
  man: ['man', 'man archive', 'man copy | man -l -'],
  completion: ['completion bash >> ~/.bashrc', 'completion fish | source'],
}

/** Examples of a command and its actions, as shell lines. */
export function examplesOf(command: string): readonly string[] {
  return Object.entries(EXAMPLES)
    .filter(([name]) => name === command || name.startsWith(`${command} `))
    .flatMap(([, lines]) => lines.map((line) => `sluice ${line}`))
}
