/** Commands recorded in the catalog, for lists. A command about a folder has a result for each table. */
import { realpathSync } from 'node:fs'
import { readAudit, type AuditRow } from '../../../catalog/audit.ts'
import { readStatus, type StatusRow } from '../../../catalog/status.ts'
import { thisProcess } from '../../../shared/owner.ts'
import { dec, type RunEvent } from '../../../model/run/event.ts'
import { parseLakeUrl, pathOfLocation, s3Path } from '../../../model/lake/lake-url.ts'
import type { SqlReader } from '../../../model/run/sql-port.ts'
import type { RecordedCommand, TableRow } from '../../../model/lake/answers.ts'
import type { Located } from './located.ts'

/** Number of newest commands that are searched for commands about one table. */
const SEARCHED_COMMANDS = 200
/** Maximum number of runs of a table that are shown. */
const SHOWN = 5

/** Commands recorded in the catalog, newest first; commands about one table have the table's name in the list. */
export async function recentRuns(
  reader: SqlReader,
  count: number,
  tables: readonly TableRow[],
): Promise<readonly RecordedCommand[]> {
  const rows = await readAudit(reader, count, thisProcess())
  const names = new Map(tables.map(({ key, name }) => [pathOfLocation(key), name]))
  const byId = new Map(tables.flatMap(({ tableId, name }) => (tableId === null ? [] : [[tableId, name] as const])))
  const nameOf = ({ subject }: AuditRow): string | undefined =>
    subject === null ? undefined : names.get(placeOf(subject))
  const oldest = rows.filter((row) => nameOf(row) === undefined && isImport(row)).at(-1)
  const imports = oldest === undefined ? [] : await readStatus(reader, undefined, oldest.runId)
  return rows.map((row) => {
    const name = nameOf(row)
    if (name !== undefined) return { ...runEvent(row), table: name }
    const parts = isImport(row) ? imports.filter((one) => isWithin(one, row)) : []
    const reported = parts.flatMap((one) => {
      const table = byId.get(one.tableId)
      return table === undefined ? [] : [importEvent(row, one, table)]
    })
    return { ...runEvent(row), ...(reported.length === 0 ? {} : { parts: reported }) }
  })
}

/**
 * The newest runs of one table: commands about this table alone, and imports of this table by commands about a folder.
 */
export async function runsOf(table: TableRow, located: Located, reader: SqlReader): Promise<readonly RunEvent[]> {
  const rows = await readAudit(reader, SEARCHED_COMMANDS, thisProcess())
  const isAlone = ({ subject }: AuditRow): boolean =>
    subject !== null && (subject === table.tableId || placeOf(subject) === located.path)
  const folders = rows.filter((row) => !isAlone(row) && isImport(row))
  const oldest = folders.at(-1)
  const imports =
    oldest === undefined || table.tableId === null ? [] : await readStatus(reader, table.tableId, oldest.runId)
  return rows
    .flatMap((row): RunEvent[] => {
      if (isAlone(row)) return [{ ...runEvent(row), table: table.name }]
      if (!isImport(row)) return []
      return imports.filter((one) => isWithin(one, row)).map((one) => importEvent(row, one, table.name))
    })
    .slice(0, SHOWN)
}

/** True if an import began while a command ran: then it is part of the command. */
function isWithin({ startedAt }: StatusRow, { startedAt: from, completedAt: to }: AuditRow): boolean {
  return startedAt !== null && startedAt >= from && (to === null || startedAt <= to)
}

function importEvent(row: AuditRow, one: StatusRow, table: string): RunEvent {
  return {
    type: 'run',
    run: row.runId,
    table,
    command: 'import',
    status: one.status === 'completed' ? 'ok' : one.status,
    ...(one.startedAt === null ? {} : { startedAt: one.startedAt }),
    ...(one.version === null ? {} : { version: dec(one.version) }),
    ...(one.completedAt === null ? {} : { completedAt: one.completedAt }),
    ...(one.errorMessage === null ? {} : { error: one.errorMessage }),
  }
}

const isImport = ({ command }: AuditRow): boolean => IMPORTS.has(verbOf(command))
const IMPORTS: ReadonlySet<string> = new Set(['import', 'batch-import', 'sync'])

const verbOf = (command: string): string => VERB.exec(command)?.[1] ?? command

/** Returns a path or URL as locations spell it, with links resolved; other texts and missing paths unchanged. */
function placeOf(subject: string): string {
  try {
    const place = parseLakeUrl(subject)
    return place.kind === 'bucket' ? s3Path(place.bucket, place.prefix) : realpathSync(place.path)
  } catch {
    return subject
  }
}

/** Matches the verb of a recorded command line. */
const VERB = /\s(import|batch-import|sync|validate|rollback)(?:\s|$)/

function runEvent(row: AuditRow): RunEvent {
  return {
    type: 'run',
    run: row.runId,
    table: row.subject ?? '',
    command: verbOf(row.command),
    status: row.status,
    startedAt: row.startedAt,
    ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
    ...(row.errorCode === null ? {} : { error: `${row.errorCode}: ${row.detail ?? ''}` }),
  }
}
