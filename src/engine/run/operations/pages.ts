/**
 * Text of `sluice --help` for every command that starts an operation, in the order of that page. This is a separate
 * file so that the page loads nothing else.
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
    summary: 'find Delta tables in a folder, or tables by URL',
  },
  import: {
    name: 'import',
    operands: '<table>',
    group: 'Lakes',
    summary: 'import the log of one table into the SQL catalog',
  },
  'batch-import': {
    name: 'batch-import',
    operands: '<path>',
    group: 'Lakes',
    summary: 'import the logs of all tables below a folder',
  },
  sync: {
    name: 'sync',
    operands: '[table..]',
    group: 'Lakes',
    summary: 'import new commits of imported tables',
  },
  validate: {
    name: 'validate',
    operands: '<table>',
    group: 'Lakes',
    summary: 'prove that the catalog agrees with the log',
  },
  fsck: {
    name: 'fsck',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check files and deletion vectors against the log',
  },
  'performance-compare': {
    name: 'performance-compare',
    operands: '<table>',
    group: 'Lakes',
    summary: 'compare query times of log files and SQL catalog',
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
  changes: { name: 'changes', operands: '<table>', group: 'Lakes', summary: 'list the changes between two versions' },
  'verify-rollback': {
    name: 'verify-rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check that a table can be rolled back to its log',
  },
  rollback: {
    name: 'rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'remove a table from the catalog; its log stays',
  },
  'export-log': {
    name: 'export-log',
    operands: '<table>',
    group: 'Lakes',
    summary: 'write the log of a table from the catalog',
  },
  prune: {
    name: 'prune',
    operands: '[table]',
    group: 'Lakes',
    summary: 'remove old versions from the catalog',
  },
  index: {
    name: 'index',
    operands: '<table> <column..>',
    group: 'Lakes',
    summary: 'prepare columns for conditions over many files',
  },
  copy: {
    name: 'copy',
    operands: '',
    group: 'Copies',
    summary: 'copy tables between databases; compare each chunk',
  },
  follow: {
    name: 'follow',
    operands: '<run>',
    group: 'Copies',
    summary: 'resume or end a replication stream',
  },
  'sign-off': {
    name: 'sign-off',
    operands: '<run>',
    group: 'Copies',
    summary: 'compare a stream and write a sign-off document',
  },
  cutover: {
    name: 'cutover',
    operands: '<run>',
    group: 'Copies',
    summary: 'move users to the table of a stream, or back',
  },
  diff: { name: 'diff', operands: '', group: 'Copies', summary: 'list rows in which tables differ, or fix them' },
  quarantine: {
    name: 'quarantine',
    operands: '<action> [run]',
    group: 'Copies',
    summary: 'list or retry rows that the target refused',
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
    summary: 'show how rows are spread over a token ring',
  },
  partition: {
    name: 'partition',
    operands: '<action>',
    group: 'Lifecycle',
    summary: 'create and maintain partitions of a live table',
  },
  lifecycle: {
    name: 'lifecycle',
    operands: '<action>',
    group: 'Lifecycle',
    summary: 'set up or show all lifecycle phases of a table',
  },
  archive: {
    name: 'archive',
    operands: '<action>',
    group: 'Archive',
    summary: 'archive old partitions as Parquet and verify them',
  },
  restore: {
    name: 'restore',
    operands: '',
    group: 'Archive',
    summary: 'restore archived partitions into their table',
  },
  query: {
    name: 'query',
    operands: '<table> <query>',
    group: 'Archive',
    summary: 'query a table together with its archive in SQL',
  },
  sql: {
    name: 'sql',
    operands: '<query>',
    group: 'Operate',
    summary: 'query the catalog in SQL, read-only',
  },
  'migration-status': {
    name: 'migration-status',
    operands: '',
    group: 'Operate',
    summary: 'list the imports of a catalog and their progress',
  },
  runs: {
    name: 'runs',
    operands: '',
    group: 'Operate',
    summary: 'list runs of a catalog, or copies into a database',
  },
  report: {
    name: 'report',
    operands: '<run>',
    group: 'Operate',
    summary: 'write a report of one run (Markdown, JSON, HTML)',
  },
  schedule: {
    name: 'schedule',
    operands: '<action> [name] [command..]',
    group: 'Operate',
    summary: 'run commands on a calendar',
  },
  worker: {
    name: 'worker',
    operands: '',
    group: 'Operate',
    summary: 'process runs of a queue, on any number of hosts',
  },
  workers: {
    name: 'workers',
    operands: '',
    group: 'Operate',
    summary: 'list the workers of a queue and their tasks',
  },
  grants: {
    name: 'grants',
    operands: '',
    group: 'Operate',
    summary: 'print or grant the rights that a login needs',
  },
  doctor: {
    name: 'doctor',
    operands: '[path]',
    group: 'Operate',
    summary: 'check the setup and suggest fixes',
  },
} as const satisfies Readonly<Record<string, CommandPage>>
