/**
 * Facts of the ledger that no data file has, as properties of the archive's Delta table: calendar, time column, grace
 * period, retention, columns, and holds. A lost ledger is rebuilt from them.
 */
import { createHash } from 'node:crypto'
import { RETENTION, retentionMs, retentionText } from './retention.ts'
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'

export type ArchiveProperties = {
  readonly calendar: string
  /** Column that partitions a plain table; null for native partitions. */
  readonly timeColumn: string | null
  readonly graceMs: number
  /** Retention of files that the newest version does not name; null if it was never set. */
  readonly retentionMs: number | null
  readonly stored: StoredTable
  /** Reasons of holds, by label. */
  readonly holds: ReadonlyMap<string, string>
  /** Column sets of files, by their name in the files' tags (`columnsName`); the table's own set may be missing. */
  readonly columns: ReadonlyMap<string, readonly StoredColumn[]>
}

/** Properties as in the metadata of a Delta table. */
type Configuration = Readonly<Record<string, string | null>>

const CALENDAR = 'sluice.calendar'
const TIME_COLUMN = 'sluice.timeColumn'
const GRACE = 'sluice.grace'
const STORED = 'sluice.stored'
const HOLD = 'sluice.hold.'
const COLUMNS = 'sluice.columns.'

/** A short name for a set of columns: equal sets have equal names. */
export function columnsName(columns: readonly StoredColumn[]): string {
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 16)
}

/** The configuration with the ledger's properties; null if up to date. Keeps column sets: files may use them. */
export function withProperties(configuration: Configuration, properties: ArchiveProperties): Configuration | null {
  const said = textsOf(properties)
  const isOurs = (key: string): boolean => [CALENDAR, TIME_COLUMN, GRACE, STORED].includes(key) || key.startsWith(HOLD)
  const others = Object.entries(configuration).filter(([key]) => !isOurs(key))
  const same =
    Object.entries(said).every(([key, text]) => configuration[key] === text) &&
    Object.keys(configuration).every((key) => !isOurs(key) || said[key] !== undefined)
  return same ? null : { ...Object.fromEntries(others), ...said }
}

/** Reads the properties of a table. Members may be missing if an older program wrote it; holds are always complete. */
export function readArchiveProperties(
  configuration: Configuration,
): Partial<ArchiveProperties> & Pick<ArchiveProperties, 'holds' | 'columns'> {
  const { [CALENDAR]: calendar, [TIME_COLUMN]: timeColumn, [GRACE]: grace, [STORED]: stored } = configuration
  const columns = new Map(
    behind(configuration, COLUMNS).map(([name, text]) => [name, JSON.parse(text) as readonly StoredColumn[]] as const),
  )
  const table = stored == null ? null : (JSON.parse(stored) as Omit<StoredTable, 'columns'> & { columns: string })
  const retention = retentionMs(configuration)
  const own = table === null ? undefined : columns.get(table.columns)
  return {
    holds: new Map(behind(configuration, HOLD)),
    columns,
    ...(calendar == null ? {} : { calendar, timeColumn: timeColumn ?? null }),
    ...(retention === null ? {} : { retentionMs: retention }),
    ...(grace == null ? {} : { graceMs: Number(grace) }),
    ...(table === null || own === undefined ? {} : { stored: { ...table, columns: own } }),
  }
}

function textsOf({
  calendar,
  timeColumn,
  graceMs,
  retentionMs: retention,
  stored,
  holds,
  columns,
}: ArchiveProperties): Readonly<Record<string, string>> {
  const own = columnsName(stored.columns)
  return {
    [CALENDAR]: calendar,
    ...(timeColumn === null ? {} : { [TIME_COLUMN]: timeColumn }),
    [GRACE]: String(graceMs),
    ...(retention === null ? {} : { [RETENTION]: retentionText(retention) }),
    [STORED]: JSON.stringify({ ...stored, columns: own }),
    ...Object.fromEntries([...holds].map(([label, reason]) => [`${HOLD}${label}`, reason])),
    ...Object.fromEntries(
      [...columns, [own, stored.columns] as const].map(([name, all]) => [`${COLUMNS}${name}`, JSON.stringify(all)]),
    ),
  }
}

function behind(configuration: Configuration, prefix: string): [string, string][] {
  return Object.entries(configuration).flatMap(([key, text]): [string, string][] =>
    key.startsWith(prefix) && text !== null ? [[key.slice(prefix.length), text]] : [],
  )
}
