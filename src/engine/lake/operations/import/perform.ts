/** `import`: imports one table into the catalog; with `--dry-run`, it only shows the plan. */
import { readImportHead } from '../../../../catalog/import/head.ts'
import { listLog } from '../../../../delta/listing.ts'
import { dec } from '../../../../model/run/event.ts'
import { pathOfLocation } from '../../../../model/lake/lake-url.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { retryWhileLocked, withCatalog, withWritableCatalog } from '../../catalog-session.ts'
import { importAndReport } from '../../import/import-one.ts'
import { planTables, reportPlan } from '../../import/plan.ts'
import { openLake } from '../../../run/registry.ts'
import { resolveForWriting } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { importOne, ImportOperation } from './declaration.ts'

type ImportOneRun = RunOf<typeof importOne>

export async function performImportOne(operation: ImportOperation, run: ImportOneRun): Promise<Ending> {
  const { catalog: url, batchSize, allowRefused, waitMs } = operation
  const patient = retryWhileLocked(run, waitMs)
  const path = await patient(() => resolveForWriting(operation.table, url))
  const moved = operation.moved === true
  if (moved) await patient(() => refuseCopy(operation, path, run))
  const target = {
    name: operation.table,
    path,
    worker: 1,
    ...(operation.tableId === undefined ? {} : { tableId: operation.tableId }),
  }
  const plan = await patient(() => planTables([{ ...target, moved }], url, run, operation.dryRun))
  reportPlan(plan, [], run, operation.dryRun)
  if (operation.dryRun) {
    const failed = plan.lines.find((line) => line.error !== undefined)
    return {
      totals: { tables: '1' },
      ...(failed === undefined ? {} : { error: plan.errors.get(failed.table) as never }),
    }
  }
  return withWritableCatalog(
    url,
    run,
    path,
    async (catalog) => {
      const { result, error } = await importAndReport(
        catalog,
        { ...target, log: plan.logs.get(path) },
        { batchSize, allowRefused, waitMs, moved },
        run,
      )
      await catalog.indexes.finish()
      if (error !== null) throw error
      return {
        totals: {
          tables: '1',
          actions: dec(result?.actions ?? 0),
          files: dec(result?.files ?? 0),
          bytes: dec(result?.bytes ?? 0),
        },
        stopped: result?.status === 'stopped',
      }
    },
    patient,
  )
}

/**
 * Refuses to move a table if its old location still has a log.
 * @throws SluiceError BAD_FLAG, TABLE_ID_TAKEN; errors of listing the old location
 */
async function refuseCopy({ tableId, catalog }: ImportOperation, path: string, run: ImportOneRun): Promise<void> {
  if (tableId === undefined) {
    throw new SluiceError('BAD_FLAG', '--moved needs the id of the table that was moved', {
      hint: 'add --table-id ID; `sluice migration-status` prints the ids',
    })
  }
  const head = await withCatalog(catalog, (database) => readImportHead(database, { tableId }))
  if (head === null || head.location === (await openLake(path)).root) return
  const old = pathOfLocation(head.location)
  try {
    await listLog(await openLake(old), { signal: run.interrupt.abort })
  } catch (error) {
    if (error instanceof SluiceError && (error.code === 'NO_LOG' || error.code === 'NO_SUCH_PATH')) return
    throw error
  }
  throw new SluiceError(
    'TABLE_ID_TAKEN',
    `${tableId} was not moved: its log is still at the path that the catalog has`,
    {
      where: old,
      hint: 'import a copy under another --table-id; if the table was moved, remove the log at the old path first',
    },
  )
}
