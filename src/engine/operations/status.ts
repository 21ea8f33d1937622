/** `migration-status` and `runs`: what was imported, how far behind each table is, and which commands changed the catalog. */
import { readAudit } from '../../catalog/audit.ts'
import { readHead } from '../../catalog/import/head.ts'
import { readStatus } from '../../catalog/status.ts'
import { listLog } from '../../delta/listing.ts'
import { dec } from '../../model/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlReader } from '../../stores/port.ts'
import { withCatalog } from '../catalog-session.ts'
import type { Operation } from '../operation.ts'
import { openLake } from '../registry.ts'
import { pathOfLocation } from '../resolve.ts'
import type { Ending, Run } from '../run-context.ts'

type Status = Extract<Operation, { kind: 'migration-status' }>
type Runs = Extract<Operation, { kind: 'runs' }>

export async function migrationStatus(operation: Status, run: Run): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const rows = await readStatus(database, operation.tableId)
    if (rows.length === 0 && operation.tableId !== undefined) {
      throw new SluiceError('NO_SUCH_TABLE', `no import of ${operation.tableId} is recorded`, {
        hint: 'sluice migration-status without --table-id lists all',
      })
    }
    const behind = new Map<string, number | null>()
    for (const row of rows) {
      if (!behind.has(row.tableId))
        behind.set(row.tableId, await commitsBehind(database, row.tableId, run.interrupt.abort))
      const lag = behind.get(row.tableId) ?? null
      run.emit({
        type: 'run',
        run: row.importId,
        table: row.tableId,
        command: 'import',
        status: row.status,
        ...(row.version === null ? {} : { version: dec(row.version) }),
        ...(lag === null ? {} : { behind: dec(lag) }),
        filesProcessed: dec(row.filesProcessed),
        startedAt: row.startedAt,
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

export async function recordedRuns(operation: Runs, run: Run): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const rows = await readAudit(database, operation.limit)
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

/** Commits that the log has and the catalog has not; null when the log cannot be listed. */
export async function commitsBehind(reader: SqlReader, tableId: string, signal: AbortSignal): Promise<number | null> {
  const head = await readHead(reader, { tableId })
  if (head === null) return null
  try {
    const log = await openLake(pathOfLocation(head.location))
    const from = head.currentVersion ?? 0
    const listing = await listLog(log, { signal, from, attributes: false })
    return listing.latest === null ? null : Math.max(0, listing.latest - (head.currentVersion ?? -1))
  } catch {
    return null
  }
}
