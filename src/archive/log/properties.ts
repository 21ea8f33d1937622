/**
 * What the ledger knows of an archive and no file says, as properties of its Delta table: calendar, column of time, grace, columns, and which partitions
 * have to stay. A ledger that is lost is made anew from them.
 */
import { createHash } from 'node:crypto'
import { RETENTION, retentionMs, retentionText } from './retention.ts'
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'

export type ArchiveProperties = {
  readonly calendar: string
  /** Null where partitions are the system's own. */
  readonly timeColumn: string | null
  readonly graceMs: number
  /** How long files stay that the newest version does not name; null where nobody has said so. */
  readonly retentionMs: number | null
  readonly stored: StoredTable
  /** Why partitions have to stay, by label. */
  readonly holds: ReadonlyMap<string, string>
  /** Columns of files, by the name that the files' tags have for them; those of the table itself need not be among them. */
  readonly columns: ReadonlyMap<string, readonly StoredColumn[]>
}

/** As the metadata of a table has it. */
type Configuration = Readonly<Record<string, string | null>>

const CALENDAR = 'sluice.calendar'
const TIME_COLUMN = 'sluice.timeColumn'
const GRACE = 'sluice.grace'
const STORED = 'sluice.stored'
const HOLD = 'sluice.hold.'
const COLUMNS = 'sluice.columns.'

/** A short name for columns of files, the same wherever they are the same. */
export function columnsName(columns: readonly StoredColumn[]): string {
  return createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 16)
}

/**
 * The configuration of a table with what the ledger says. Columns stay: files of any version may have them.
 * @returns null where it says all that already
 */
export function withProperties(configuration: Configuration, properties: ArchiveProperties): Configuration | null {
  const said = textsOf(properties)
  const isOurs = (key: string): boolean => [CALENDAR, TIME_COLUMN, GRACE, STORED].includes(key) || key.startsWith(HOLD)
  const others = Object.entries(configuration).filter(([key]) => !isOurs(key))
  const same =
    Object.entries(said).every(([key, text]) => configuration[key] === text) &&
    Object.keys(configuration).every((key) => !isOurs(key) || said[key] !== undefined)
  return same ? null : { ...Object.fromEntries(others), ...said }
}

/** What a table says; members that it lacks are absent: an older program wrote it. Holds are always all that it knows. */
export function readProperties(
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
