/** Operations that keys start, with the command lines that do the same without the UI. */
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import { isInCatalog, type TableRow } from '../../model/lake/answers.ts'
import { parseLakeUrl, s3Path } from '../../model/lake/lake-url.ts'
import { redactUrl } from '../../shared/redact.ts'
import { EVERY_TABLE } from '../../engine/copy/operations/discover-database/declaration.ts'
import { SAMPLED_VERSIONS } from '../../engine/lake/operations/validate/declaration.ts'
import { defaultNumber, defaultText } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'

/** Defaults of the command line, so that the printed command does the same. */
const BATCH_SIZE = defaultNumber('import', 'batch-size')
const PARALLEL = defaultNumber('batch-import', 'parallel')
const COMPARE_RUNS = defaultNumber('performance-compare', 'runs')
const COPY_WORKERS = defaultNumber('copy', 'workers')
const MAX_QUARANTINED = defaultNumber('copy', 'max-aside')
const FSCK_SEED = defaultText('fsck', 'seed')
/** Lock wait for interactive use, ms; the command line does not wait by default. */
const LOCK_WAIT_MS = 10_000

/** `catalog` is '' without a catalog; commands that need one are then disabled. */
export type OpenLake = { readonly lake: string | null; readonly catalog: string }
export type TuiJob = { readonly operation: Operation; readonly commandLine: string }

/** An argument quoted for a shell. */
export function shellQuoted(argument: string): string {
  return /^[\w@%+=:,./~-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`
}

const commandOf = (...words: readonly string[]): string => ['sluice', ...words].map(shellQuoted).join(' ')

const command = (words: readonly string[], catalog: string): string => commandOf(...words, '--database-url', catalog)

/** How a command names a table: by its path, or by its id if only a catalog is open. */
export function tableArgument(row: TableRow, place: Pick<OpenLake, 'lake'>): string {
  return place.lake === null ? (row.tableId ?? row.location) : row.location
}

/** Import of the table at a path. */
export function importPath(path: string, place: OpenLake, dryRun: boolean): TuiJob {
  return {
    operation: {
      kind: 'import',
      table: path,
      catalog: place.catalog,
      dryRun,
      resume: true,
      batchSize: BATCH_SIZE,
      verbose: false,
      allowRefused: false,
      waitMs: LOCK_WAIT_MS,
    },
    commandLine: command(['import', path], place.catalog),
  }
}

/** Import of the named tables of the lake; all if `only` is absent. */
export function batchImportJob(
  place: OpenLake,
  lake: string,
  only: readonly string[] | undefined,
  dryRun: boolean,
): TuiJob {
  return {
    operation: {
      kind: 'batch-import',
      path: lake,
      catalog: place.catalog,
      recursive: true,
      exclude: [],
      parallel: PARALLEL,
      batchSize: BATCH_SIZE,
      dryRun,
      resume: true,
      verbose: false,
      ...(only === undefined ? {} : { only }),
    },
    commandLine:
      only === undefined
        ? command(['batch-import', lake, '--recursive', '--parallel', String(PARALLEL)], place.catalog)
        : only.map((name) => command(['import', tableBelow(lake, name)], place.catalog)).join(' && '),
  }
}

/** Path or URL of a table by its name in the list. */
function tableBelow(lake: string, name: string): string {
  const place = parseLakeUrl(lake)
  if (place.kind === 'local') return `${lake.replace(/\/$/, '')}/${name}`
  return s3Path(place.bucket, place.prefix === '' ? name : `${place.prefix}/${name}`)
}

/** Import of the marked rows: one table by its path, several as one batch. */
export function importRows(rows: readonly TableRow[], place: OpenLake, dryRun: boolean): TuiJob | null {
  const first = rows[0]
  if (first === undefined) return null
  if (rows.length === 1 || place.lake === null) return importPath(tableArgument(first, place), place, dryRun)
  return batchImportJob(
    place,
    place.lake,
    rows.map((row) => row.name),
    dryRun,
  )
}

/** Validation of one table. */
export function validateJob(row: TableRow, place: OpenLake): TuiJob {
  const table = tableArgument(row, place)
  return {
    operation: { kind: 'validate', table, catalog: place.catalog, verbose: false, samples: SAMPLED_VERSIONS },
    commandLine: command(['validate', table], place.catalog),
  }
}

/** Check of the files of one table. Findings are stored in the catalog if it has the table. */
export function fsckJob(row: TableRow, place: OpenLake): TuiJob {
  const table = tableArgument(row, place)
  const isKnown = isInCatalog(row)
  return {
    operation: {
      kind: 'fsck',
      table,
      ...(isKnown ? { catalog: place.catalog } : {}),
      asOf: {},
      deep: false,
      seed: FSCK_SEED,
      outside: false,
    },
    commandLine: isKnown ? command(['fsck', table], place.catalog) : commandOf('fsck', table),
  }
}

/** Performance comparison of one table, of all or some questions. */
export function compareJob(table: string, place: OpenLake, questions?: readonly string[], report?: string): TuiJob {
  return {
    operation: {
      kind: 'performance-compare',
      table,
      catalog: place.catalog,
      runs: COMPARE_RUNS,
      cold: true,
      ...(questions === undefined ? {} : { questions }),
      ...(report === undefined ? {} : { report }),
    },
    commandLine: command(
      ['performance-compare', table, ...(report === undefined ? [] : ['--report', report])],
      place.catalog,
    ),
  }
}

/** Roll back of one table whose name was typed. `confirm` must equal `table`. */
export function rollbackJob(row: TableRow, place: OpenLake): TuiJob {
  const table = tableArgument(row, place)
  return {
    operation: { kind: 'rollback', table, catalog: place.catalog, confirm: table, checkFiles: 'sample', dryRun: false },
    commandLine: command(['rollback', table], place.catalog),
  }
}

/** The check that must pass before a roll back. */
export function verifyRollbackJob(row: TableRow, place: OpenLake): TuiJob {
  const table = tableArgument(row, place)
  return {
    operation: { kind: 'verify-rollback', table, catalog: place.catalog, checkFiles: 'sample' },
    commandLine: command(['verify-rollback', table], place.catalog),
  }
}

/**
 * Copy of tables of a database, with the defaults of `sluice copy`.
 * @param from redacted URL of the source
 * @param to URL of the target; may contain a password, which the command line leaves out
 */
export function copyTablesJob(tables: readonly string[], from: string, to: string, dryRun: boolean): TuiJob {
  return {
    operation: {
      kind: 'copy',
      from,
      to,
      tables,
      rename: {},
      onExisting: 'refuse',
      acceptLossy: [],
      verify: 'chunk',
      workers: COPY_WORKERS,
      maxAside: MAX_QUARANTINED,
      restart: false,
      dryRun,
    },
    commandLine: commandOf(
      'copy',
      '--from',
      from,
      '--to',
      redactUrl(to),
      ...tables.flatMap((name) => ['--table', name]),
    ),
  }
}

const RING = {
  splits: defaultNumber('tokens', 'splits'),
  sample: defaultNumber('tokens', 'sample'),
  seed: defaultText('tokens', 'seed'),
}

/** Reads the token ring of one table. */
export function tokensJob(url: string, table: string): TuiJob {
  return {
    operation: { kind: 'tokens', from: url, tables: [table], ...RING },
    commandLine: commandOf('tokens', table, '--from', url),
  }
}

/** Reads the partitions of one table; rows are not counted. */
export function partitionsJob(url: string, table: string): TuiJob {
  const ahead = defaultNumber('partition-list', 'ahead')
  return {
    operation: { kind: 'partition-list', from: url, tables: [table], calendar: {}, ahead, count: false },
    commandLine: commandOf('partition', 'list', '--from', url, '--table', table),
  }
}

/** Reads the archive of one table from the ledger of its database. */
export function archivedOf(url: string, table: string): TuiJob {
  return {
    operation: { kind: 'archive-list', from: url, tables: [table], count: false },
    commandLine: commandOf('archive', 'list', '--from', url, '--table', table),
  }
}

/**
 * Reads the phases of one table.
 * @param asked lifecycle settings of the config file; a table without an entry is inspected as it is
 */
export function lifecycleOf(url: string, table: string, asked: LifecycleStatusOperation | null): TuiJob {
  const entry = asked?.entries.find(
    ({ table: name, from }) => name === table && redactUrl(asked.databases[from] ?? '') === redactUrl(url),
  )
  if (asked !== null && entry !== undefined) {
    return {
      operation: { ...asked, tables: [table], entries: [entry] },
      commandLine: `sluice lifecycle status ${entry.words.table} --table ${shellQuoted(table)}`,
    }
  }
  const words = {
    table: `--from ${shellQuoted(url)}`,
    into: `--to ${shellQuoted(url)}`,
    stream: `--from ${shellQuoted(url)} --to ${shellQuoted(url)}`,
  }
  const ahead = defaultNumber('partition-ensure', 'ahead')
  const bare = { table, from: 0, calendar: {}, ahead, oldTableGraceMs: OLD_TABLE_GRACE_MS, words }
  return {
    operation: { kind: 'lifecycle-status', tables: [table], entries: [bare], databases: [url] },
    commandLine: `sluice lifecycle init --from ${shellQuoted(url)} --table ${shellQuoted(table)}`,
  }
}

/** Same default as `partition decommission`. */
const OLD_TABLE_GRACE_MS = 7 * 86_400_000

/** Lists copies into a database from its ledger, or the chunks of one run. */
export function copyRunsOf(url: string, limit: number, runId?: string): TuiJob {
  const one = runId === undefined ? {} : { runId }
  return {
    operation: { kind: 'copy-runs', to: url, limit, ...one },
    commandLine: commandOf('runs', '--to', url, ...(runId === undefined ? [] : ['--run', runId])),
  }
}

/** Lists the tables of a database. */
export function discoverDatabaseJob(url: string): TuiJob {
  return {
    operation: { kind: 'discover-database', url, tables: EVERY_TABLE },
    commandLine: commandOf('discover', url),
  }
}
