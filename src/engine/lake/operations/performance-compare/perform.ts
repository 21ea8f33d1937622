/** `performance-compare`: answers the same questions from the files and from the catalog, and compares both. */
import { readableTable } from '../../../../catalog/catalog.ts'
import { dec } from '../../../../model/run/event.ts'
import { PARQUET_THREADS } from '../../../../model/lake/parquet-rows.ts'
import { isoTime } from '../../../../shared/clock.ts'
import type { SqlDatabase } from '../../../../model/run/sql-port.ts'
import { withCatalog } from '../../catalog-session.ts'
import { LatencySimulation, latencyOf } from '../../compare/latency.ts'
import { compareFailure, compareTable, type CompareSummary } from '../../compare/index.ts'
import { SqlTrips } from '../../compare/round-trips.ts'
import { compareReport, machineFacts } from '../../compare/report.ts'
import { openLake, parquetRows } from '../../../run/registry.ts'
import { checkReport, writeReport } from '../../../run/report-file.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { performanceCompare as declared, CompareOperation } from './declaration.ts'

type PerformanceCompareRun = RunOf<typeof declared>

export async function performCompare(operation: CompareOperation, run: PerformanceCompareRun): Promise<Ending> {
  if (operation.report !== undefined) await checkReport(operation.report)
  const body = async (database: SqlDatabase): Promise<Ending> => {
    const ref = await resolveTable(operation.table, database)
    const log = await openLake(ref.path)
    const table = await readableTable(database, await tableKey(ref, log))
    const latency = latencyOf(ref.path, database.dialect, operation.latencyMs ?? 0)
    await using distance = await LatencySimulation.start(latency)
    await using far = latency.sql === null ? null : await distance.openCatalog(operation.catalog)
    await using sqlTrips = await SqlTrips.open(operation.catalog)
    const summary = await compareTable({
      sqlTrips,
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
      openLog: () => distance.openLog(ref.path),
      ...(far === null ? {} : { farCatalog: far }),
      latency,
    })
    const text = (): string =>
      compareReport(summary, {
        tool: run.tool,
        at: isoTime(run.clock.now()),
        source: ref.path,
        catalog: database.label,
        machine: machineFacts(),
        commandLine: run.commandLine,
      })
    const wrote = await writeReport(operation.report, text, run.emit)
    const failure = compareFailure(summary)
    return {
      totals: totalsOf(summary, operation.runs),
      ...wrote,
      ...(failure === null ? { proof: summary.results.length === 0 ? 'none' : 'equal answers' } : { error: failure }),
    }
  }
  return withCatalog(operation.catalog, body, { threads: PARQUET_THREADS })
}

function totalsOf(summary: CompareSummary, runs: number): Record<string, string> {
  return {
    questions: dec(summary.results.length),
    skipped: dec(summary.skipped.length),
    runs: dec(runs),
    same: dec(summary.equal),
    different: dec(summary.different),
    sqlFaster: dec(summary.faster.sql),
    filesFaster: dec(summary.faster.files),
    even: dec(summary.faster.even),
  }
}
