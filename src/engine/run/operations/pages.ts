/**
 * Text of `sluice --help` for every command that starts an operation, in its order. In its own file so that the page
 * loads nothing else.
 */

export const GROUPS = ['Lakes', 'Copies', 'Lifecycle', 'Archive', 'Operate'] as const
export type CommandGroup = (typeof GROUPS)[number]

export type CommandPage = {
  readonly name: string
  /** The operands after the name, in the syntax of yargs: `<table>`, `[path]`. */
  readonly operands: string
  readonly group: CommandGroup
  /** One line of `sluice --help`. */
  readonly summary: string
}

export const PAGES = {
  discover: {
    name: 'discover',
    operands: '<path>',
    group: 'Lakes',
    summary: 'find Delta tables below a folder, or tables by URL',
  },
  import: {
    name: 'import',
    operands: '<table>',
    group: 'Lakes',
    summary: "bring one table's log into the SQL catalog",
  },
  'batch-import': {
    name: 'batch-import',
    operands: '<path>',
    group: 'Lakes',
    summary: 'bring the logs of all tables below a folder',
  },
  sync: {
    name: 'sync',
    operands: '[table..]',
    group: 'Lakes',
    summary: 'bring what is new in the logs of imported tables',
  },
  validate: {
    name: 'validate',
    operands: '<table>',
    group: 'Lakes',
    summary: 'prove that the catalog says what the log says',
  },
  fsck: { name: 'fsck', operands: '<table>', group: 'Lakes', summary: 'check data files and vectors against the log' },
  'performance-compare': {
    name: 'performance-compare',
    operands: '<table>',
    group: 'Lakes',
    summary: 'ask files and SQL the same questions, with times',
  },
  history: {
    name: 'history',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list the commits of a table, newest first',
  },
  files: {
    name: 'files',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list the active files of a version, with filters',
  },
  changes: { name: 'changes', operands: '<table>', group: 'Lakes', summary: 'list what happened between two versions' },
  'verify-rollback': {
    name: 'verify-rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check that a table can go back to its own log',
  },
  rollback: {
    name: 'rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'take a table out of the catalog, and not its log',
  },
  'export-log': {
    name: 'export-log',
    operands: '<table>',
    group: 'Lakes',
    summary: 'write the log of a table again from the catalog',
  },
  prune: {
    name: 'prune',
    operands: '[table]',
    group: 'Lakes',
    summary: 'give up old versions of tables in the catalog',
  },
  index: {
    name: 'index',
    operands: '<table> <column..>',
    group: 'Lakes',
    summary: 'prepare columns for conditions over many files',
  },
  copy: { name: 'copy', operands: '', group: 'Copies', summary: 'copy tables between databases in proved chunks' },
  follow: {
    name: 'follow',
    operands: '<run>',
    group: 'Copies',
    summary: 'go on with a copy that is followed, or end it',
  },
  'sign-off': {
    name: 'sign-off',
    operands: '<run>',
    group: 'Copies',
    summary: 'compare a followed copy, and write down what is so',
  },
  cutover: {
    name: 'cutover',
    operands: '<run>',
    group: 'Copies',
    summary: 'switch to the table of a stream, or back',
  },
  diff: { name: 'diff', operands: '', group: 'Copies', summary: 'name the rows in which tables differ, or fix them' },
  quarantine: {
    name: 'quarantine',
    operands: '<action> [run]',
    group: 'Copies',
    summary: 'quarantined rows: list, retry',
  },
  'retry-quarantine': {
    name: 'retry-quarantine',
    operands: '[run]',
    group: 'Copies',
    summary: 'the same as quarantine retry',
  },
  slots: {
    name: 'slots',
    operands: '',
    group: 'Copies',
    summary: 'list replication slots of a source, or remove one',
  },
  tokens: {
    name: 'tokens',
    operands: '<table..>',
    group: 'Copies',
    summary: 'show how rows lie on the ring of a Cassandra table',
  },
  partition: {
    name: 'partition',
    operands: '<action>',
    group: 'Lifecycle',
    summary: 'partitions of a live table: plan, make, keep',
  },
  lifecycle: {
    name: 'lifecycle',
    operands: '<action>',
    group: 'Lifecycle',
    summary: 'all phases of a table: write them down, see them',
  },
  archive: {
    name: 'archive',
    operands: '<action>',
    group: 'Archive',
    summary: 'old partitions to Parquet: plan, run, list, verify',
  },
  restore: {
    name: 'restore',
    operands: '',
    group: 'Archive',
    summary: 'bring archived partitions back into their table',
  },
  query: {
    name: 'query',
    operands: '<table> <query>',
    group: 'Archive',
    summary: 'ask a table and its archive in SQL as one',
  },
  sql: {
    name: 'sql',
    operands: '<query>',
    group: 'Operate',
    summary: 'ask the catalog in SQL; nothing can be changed',
  },
  'migration-status': {
    name: 'migration-status',
    operands: '',
    group: 'Operate',
    summary: 'list the imports of a catalog and how far they are',
  },
  runs: { name: 'runs', operands: '', group: 'Operate', summary: 'list what ran on a catalog, or into a database' },
  report: {
    name: 'report',
    operands: '<run>',
    group: 'Operate',
    summary: 'report one run in one document, with pictures',
  },
  schedule: {
    name: 'schedule',
    operands: '<action> [name] [command..]',
    group: 'Operate',
    summary: 'commands that come again, by a calendar',
  },
  worker: {
    name: 'worker',
    operands: '',
    group: 'Operate',
    summary: 'work on runs of a queue, on any number of hosts',
  },
  workers: {
    name: 'workers',
    operands: '',
    group: 'Operate',
    summary: 'list the workers of a queue, and what they do',
  },
  grants: {
    name: 'grants',
    operands: '',
    group: 'Operate',
    summary: 'print the rights that a login needs, or give them',
  },
  doctor: {
    name: 'doctor',
    operands: '[path]',
    group: 'Operate',
    summary: 'say what is wrong with a setup, and what to do',
  },
} as const satisfies Readonly<Record<string, CommandPage>>
