/** `migration-status` and `runs`: imports, how far behind each table is, and which commands changed the catalog. */
import { readAudit } from '../../../../catalog/audit.ts'
import { endedLogText } from '../../../../catalog/import/same-log.ts'
import { readStatus } from '../../../../catalog/status.ts'
import { listLog, type LogListing } from '../../../../delta/listing.ts'
import { dec } from '../../../../model/run/event.ts'
import type { LogStore } from '../../../../model/lake/log-store.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { SqlReader } from '../../../../model/run/sql-port.ts'
import { withCatalog } from '../../catalog-session.ts'
import { importStatus } from '../../import/known-tables.ts'
import { orderedResults } from '../../in-order.ts'
import { endingIn, similarName, tablePlaces } from '../../table-name.ts'
import { openLake } from '../../../run/registry.ts'
import { pathOfLocation } from '../../../../model/lake/lake-url.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { migrationStatus, MigrationStatusOperation } from './declaration.ts'
import type { runs, RunsOperation } from '../runs/declaration.ts'

export async function performMigrationStatus(
  operation: MigrationStatusOperation,
  run: RunOf<typeof migrationStatus>,
): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const wanted = operation.tableId === undefined ? undefined : await idOf(operation.tableId, database)
    const rows = await readStatus(database, wanted)
    if (rows.length === 0 && wanted !== undefined) {
      const meant = similarName(wanted, await tablePlaces(database))
      throw new SluiceError(
        'NO_SUCH_TABLE',
        `no import of ${wanted} is recorded${meant === null ? '' : ` (${meant}?)`}`,
        { hint: 'sluice migration-status without --table-id lists all' },
      )
    }
    const behind = await commitsBehind(database, wanted, run.interrupt.abort)
    for (const row of rows) {
      // The rows are sorted, newest first: only a table's newest import shows how far behind the table is.
      const lag = behind.get(row.tableId) ?? null
      behind.delete(row.tableId)
      if (lag !== null && 'why' in lag) {
        run.emit({ type: 'log', level: 'warn', table: row.tableId, message: lag.why })
      }
      run.emit({
        type: 'run',
        run: row.importId,
        table: row.tableId,
        command: 'import',
        status: row.status,
        ...(row.version === null ? {} : { version: dec(row.version) }),
        ...(lag === null || 'why' in lag ? {} : { behind: dec(lag.versions) }),
        filesProcessed: dec(row.filesProcessed),
        ...(row.startedAt === null ? {} : { startedAt: row.startedAt }),
        ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
        ...(row.errorMessage === null ? {} : { error: row.errorMessage }),
      })
    }
    const count = (status: string): string => dec(rows.filter((row) => row.status === status).length)
    return {
      totals: {
        imports: dec(rows.length),
        completed: count('completed'),
        in_progress: count('in_progress'),
        stopped: count('stopped'),
        failed: count('failed'),
      },
    }
  })
}

/**
 * Id of a table by its name. A table that is no longer in the catalog may have recorded imports: only its exact id
 * finds them.
 */
async function idOf(name: string, database: SqlReader): Promise<string> {
  const places = await tablePlaces(database)
  const [one, ...others] = places.some(({ tableId }) => tableId === name) ? [] : endingIn(name, places)
  return one === undefined || others.length > 0 ? name : one.tableId
}

export async function performRuns(operation: RunsOperation, run: RunOf<typeof runs>): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const rows = await readAudit(database, operation.limit, run.owner)
    for (const row of rows) {
      run.emit({
        type: 'run',
        run: row.runId,
        table: row.subject ?? '',
        command: row.command,
        status: row.status,
        startedAt: row.startedAt,
        ...(row.completedAt === null ? {} : { completedAt: row.completedAt }),
        ...(row.errorCode === null ? {} : { error: `${row.errorCode}: ${row.detail ?? ''}` }),
      })
    }
    return { totals: { runs: dec(rows.length) } }
  })
}

/** Number of tables inspected at the same time: reads of a remote store mostly wait. */
const PARALLEL_LISTINGS = 8

/** Number of versions by which the log is ahead of the catalog, or why this number is unknown. */
type Lag = { readonly versions: number } | { readonly why: string }

/** Lag by table id. Needs one listing per table, from the known version on. */
async function commitsBehind(
  reader: SqlReader,
  tableId: string | undefined,
  signal: AbortSignal,
): Promise<Map<string, Lag>> {
  const heads = await reader.all(
    `SELECT t.table_id, t.location, t.current_version, c.log_bytes FROM delta_tables t
     LEFT JOIN delta_commits c ON c.table_id = t.table_id AND c.version = t.current_version${tableId === undefined ? '' : ' WHERE t.table_id = ?'}`,
    tableId === undefined ? [] : [tableId],
  )
  const behind = new Map<string, Lag>()
  const lags = orderedResults(
    heads as readonly (readonly [string, string, number | null, number | null])[],
    PARALLEL_LISTINGS,
    async (head) => {
      const [id, location, version, bytes] = head
      const isBroken = (await importStatus(reader, id)) === 'broken'
      if (isBroken) return [id, { why: 'its rows were removed from the catalog: import it again' }] as const
      return [id, await lagOf(location, version, bytes, signal)] as const
    },
  )
  for await (const [id, lag] of lags) behind.set(id, lag)
  return behind
}

/** @param bytes of the commit of that version as it was imported; null if the version came from a checkpoint */
async function lagOf(
  location: string,
  version: number | null,
  bytes: number | null,
  signal: AbortSignal,
): Promise<Lag> {
  try {
    const log = await openLake(pathOfLocation(location))
    const { latest, commits } = await listedFrom(log, version ?? 0, signal)
    const size = commits.find((commit) => commit.version === version)?.size ?? bytes
    if (bytes !== null && size !== bytes)
      return {
        why: `its log is no longer the one that was imported: commit ${String(version)} has ${size} bytes, it had ${bytes}`,
      }
    if (latest === null || version === null || latest >= version) return { versions: (latest ?? -1) - (version ?? -1) }
    return { why: `its log was truncated: ${endedLogText(latest, version)}` }
  } catch (error) {
    if (signal.aborted) throw error
    return { why: `its lag is unknown: ${asSluiceError(error).message}` }
  }
}

/** Listing of a log from `version` on; if there is nothing, of the whole log. @throws errors of listing it */
async function listedFrom(log: LogStore, version: number, signal: AbortSignal): Promise<LogListing> {
  try {
    const listing = await listLog(log, { signal, from: version })
    if (listing.latest !== null) return listing
  } catch (error) {
    if (asSluiceError(error).code !== 'NO_LOG') throw error
  }
  return await listLog(log, { signal })
}
