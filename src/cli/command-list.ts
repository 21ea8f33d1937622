/** Names of all commands in the order of the help, without their options: light enough for `sluice --help`. */

export type CommandGroup = 'Lakes' | 'Copies' | 'Lifecycle' | 'Archive' | 'Operate'

export const GROUPS: readonly CommandGroup[] = ['Lakes', 'Copies', 'Lifecycle', 'Archive', 'Operate']

/** The file below `commands/` that knows the options of a command. */
export type CommandFile =
  | ('lake' | 'sync' | 'prune' | 'prove' | 'read' | 'catalog' | 'demo' | 'grants' | 'doctor' | 'sql' | 'index')
  | ('copy' | 'diff' | 'ctl' | 'tokens' | 'archive' | 'query' | 'fsck')

export type CommandEntry = {
  readonly name: string
  /** What stands behind the name, in the words of yargs: `<table>`, `[path]`. */
  readonly operands: string
  readonly group: CommandGroup
  readonly summary: string
  readonly file: CommandFile
}

export const COMMANDS = [
  {
    name: 'discover',
    operands: '<path>',
    group: 'Lakes',
    summary: 'find Delta tables below a folder, or tables by URL',
    file: 'lake',
  },
  {
    name: 'import',
    operands: '<table>',
    group: 'Lakes',
    summary: "bring one table's log into the SQL catalog",
    file: 'lake',
  },
  {
    name: 'batch-import',
    operands: '<path>',
    group: 'Lakes',
    summary: 'bring the logs of all tables below a folder',
    file: 'lake',
  },
  {
    name: 'sync',
    operands: '[table..]',
    group: 'Lakes',
    summary: 'bring what is new in the logs of imported tables',
    file: 'sync',
  },
  {
    name: 'validate',
    operands: '<table>',
    group: 'Lakes',
    summary: 'prove that the catalog says what the log says',
    file: 'prove',
  },
  {
    name: 'fsck',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check data files and vectors against the log',
    file: 'fsck',
  },
  {
    name: 'performance-compare',
    operands: '<table>',
    group: 'Lakes',
    summary: 'ask files and SQL the same questions, with times',
    file: 'prove',
  },
  {
    name: 'history',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list the commits of a table, newest first',
    file: 'read',
  },
  {
    name: 'files',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list the active files of a version, with filters',
    file: 'read',
  },
  {
    name: 'changes',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list what happened between two versions',
    file: 'read',
  },
  {
    name: 'verify-rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'check that a table can go back to its own log',
    file: 'catalog',
  },
  {
    name: 'rollback',
    operands: '<table>',
    group: 'Lakes',
    summary: 'take a table out of the catalog, and not its log',
    file: 'catalog',
  },
  {
    name: 'export-log',
    operands: '<table>',
    group: 'Lakes',
    summary: 'write the log of a table again from the catalog',
    file: 'catalog',
  },
  {
    name: 'prune',
    operands: '[table]',
    group: 'Lakes',
    summary: 'give up old versions of tables in the catalog',
    file: 'prune',
  },
  {
    name: 'index',
    operands: '<table> <column..>',
    group: 'Lakes',
    summary: 'prepare columns for conditions over many files',
    file: 'index',
  },
  {
    name: 'copy',
    operands: '',
    group: 'Copies',
    summary: 'copy tables between databases in proved chunks',
    file: 'copy',
  },
  {
    name: 'diff',
    operands: '',
    group: 'Copies',
    summary: 'name the rows in which tables differ, or fix them',
    file: 'diff',
  },
  {
    name: 'retry-quarantine',
    operands: '[run]',
    group: 'Copies',
    summary: 'copy rows again that were set aside',
    file: 'diff',
  },
  {
    name: 'tokens',
    operands: '<table..>',
    group: 'Copies',
    summary: 'show how rows lie on the ring of a Cassandra table',
    file: 'tokens',
  },
  {
    name: 'ctl',
    operands: '[run] [setting..]',
    group: 'Copies',
    summary: 'look at running copies, or steer one',
    file: 'ctl',
  },
  {
    name: 'archive',
    operands: '<action>',
    group: 'Archive',
    summary: 'old partitions to Parquet: plan, run, list, verify',
    file: 'archive',
  },
  {
    name: 'restore',
    operands: '',
    group: 'Archive',
    summary: 'bring archived partitions back into their table',
    file: 'archive',
  },
  {
    name: 'query',
    operands: '<table> <query>',
    group: 'Archive',
    summary: 'ask a table and its archive in SQL as one',
    file: 'query',
  },
  {
    name: 'sql',
    operands: '<query>',
    group: 'Operate',
    summary: 'ask the catalog in SQL; nothing can be changed',
    file: 'sql',
  },
  {
    name: 'migration-status',
    operands: '',
    group: 'Operate',
    summary: 'list the imports of a catalog and how far they are',
    file: 'catalog',
  },
  {
    name: 'runs',
    operands: '',
    group: 'Operate',
    summary: 'list what ran on a catalog, or into a database',
    file: 'catalog',
  },
  {
    name: 'grants',
    operands: '',
    group: 'Operate',
    summary: 'print the rights that a login needs, or give them',
    file: 'grants',
  },
  {
    name: 'doctor',
    operands: '[path]',
    group: 'Operate',
    summary: 'say what is wrong with a setup, and what to do',
    file: 'doctor',
  },
  {
    name: 'demo',
    operands: '[path]',
    group: 'Operate',
    summary: 'import, prove and compare a small lake, or yours',
    file: 'demo',
  },
] as const satisfies readonly CommandEntry[]

/** The entry of a command, or null when there is none of that name. */
export function commandEntry(name: string): (typeof COMMANDS)[number] | null {
  return COMMANDS.find((command) => command.name === name) ?? null
}
