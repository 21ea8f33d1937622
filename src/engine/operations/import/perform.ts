/** `import`: one table into the catalog; with `--dry-run` only its plan. */
import { dec } from '../../../model/event.ts'
import { withWritableCatalog } from '../../catalog-session.ts'
import { importAndTell } from '../../lake/import-one.ts'
import { planTables, tellPlan } from '../../lake/plan.ts'
import { resolveForWriting } from '../../resolve.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import type { importOne as declared, ImportOperation } from './declaration.ts'

type ImportOneRun = RunOf<typeof declared>

export async function importOne(operation: ImportOperation, run: ImportOneRun): Promise<Ending> {
  const { catalog: url, batchSize, allowRefused, waitMs } = operation
  const path = await resolveForWriting(operation.table, url)
  const target = {
    name: operation.table,
    path,
    worker: 1,
    ...(operation.tableId === undefined ? {} : { tableId: operation.tableId }),
  }
  const plan = await planTables([target], url, run, operation.dryRun)
  tellPlan(plan, [], run, operation.dryRun)
  if (operation.dryRun) {
    const failed = plan.lines.find((line) => line.error !== undefined)
    return {
      totals: { tables: '1' },
      ...(failed === undefined ? {} : { error: plan.errors.get(failed.table) as never }),
    }
  }
  return withWritableCatalog(url, run, path, async (catalog) => {
    const { result, error } = await importAndTell(
      catalog,
      { ...target, log: plan.logs.get(path) },
      { batchSize, allowRefused, waitMs },
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
  })
}
