/** `performance-compare`: the same questions, answered from the files and from the catalog. */
import { cpus, platform } from 'node:os'
import { open } from 'node:fs/promises'
import { readableTable } from '../../catalog/catalog.ts'
import { dec } from '../../model/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { withCatalog } from '../catalog-session.ts'
import { compareTable } from '../compare/index.ts'
import { compareReport } from '../compare/report.ts'
import type { Operation } from '../operation.ts'
import { openLake, parquetRows } from '../registry.ts'
import { resolveTable } from '../resolve.ts'
import type { Ending, Run } from '../run.ts'

type Compare = Extract<Operation, { kind: 'performance-compare' }>

export async function compare(operation: Compare, run: Run): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const ref = await resolveTable(operation.table, database)
    const log = await openLake(ref.path)
    const table = await readableTable(database, ref.by === 'id' ? { tableId: ref.tableId } : { location: log.root })
    const summary = await compareTable({
      log,
      parquet: parquetRows,
      catalog: database,
      catalogUrl: operation.catalog,
      tableId: table.tableId,
      table: operation.table,
      runs: operation.runs,
      cold: operation.cold,
      ...(operation.questions === undefined ? {} : { questions: operation.questions }),
      interrupt: run.interrupt,
      emit: run.emit,
      path: ref.path,
    })
    const wrote: string[] = []
    if (operation.report !== undefined) {
      const text = compareReport(summary, {
        tool: run.tool,
        node: process.version,
        cores: cpus().length,
        platform: platform(),
        catalog: database.label,
      })
      const file = await open(operation.report, 'w')
      try {
        await file.writeFile(text)
      } finally {
        await file.close()
      }
      wrote.push(operation.report)
    }
    const { questions, same, sqlFaster, filesFaster } = summary
    const totals = {
      version: dec(summary.version),
      questions: dec(questions.length),
      runs: dec(operation.runs),
      same: dec(same),
      sqlFaster: dec(sqlFaster),
      filesFaster: dec(filesFaster),
    }
    const written = wrote.length === 0 ? {} : { wrote }
    if (same === questions.length) return { totals, ...written, proof: 'equal answers' }
    return {
      totals,
      ...written,
      error: new SluiceError('DIFFERENCES', `${questions.length - same} of ${questions.length} questions got different answers`, {
        hint: `run: sluice validate ${operation.table}`,
      }),
    }
  })
}
