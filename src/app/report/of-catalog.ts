/** Data of one run in the audit of a catalog, with its imports and validations. */
import { readAudit } from '../../catalog/audit.ts'
import { readStatus } from '../../catalog/status.ts'
import { dec } from '../../model/run/event.ts'
import type { CatalogPart, ReportedImport, ReportedValidation } from '../../model/run/report/run-report.ts'
import { isoTime } from '../../shared/clock.ts'
import type { ProcessIdentity } from '../../shared/owner.ts'
import type { SqlReader } from '../../model/run/sql-port.ts'

/** @returns null if the audit has no such run */
export async function catalogPart(
  reader: SqlReader,
  runId: bigint,
  here: ProcessIdentity,
): Promise<CatalogPart | null> {
  // Later runs show whether this run was killed: read all of them, and no earlier ones.
  const [[newer] = []] = await reader.all('SELECT COUNT(*) FROM catalog_audit WHERE run_id >= ?', [runId])
  const runs = await readAudit(reader, Number(newer ?? 0), here)
  const found = runs.find((row) => row.runId === String(runId))
  if (found === undefined) return null
  // The end of a killed run is not recorded. It was before the start of the next run of the same subject.
  const next = runs.findLast((row) => row !== found && row.subject === found.subject)
  const [[tool, host] = []] = await reader.all('SELECT tool, host FROM catalog_audit WHERE run_id = ?', [runId])
  const { command, subject, status, startedAt, completedAt, exitCode, errorCode, detail, actor } = found
  return {
    command,
    subject,
    status,
    startedAt,
    endedAt: completedAt,
    exitCode,
    error: errorCode === null ? detail : `${errorCode}: ${detail ?? ''}`,
    tool: String(tool),
    actor,
    host: String(host),
    imports: await importsOf(reader, startedAt, completedAt ?? next?.startedAt ?? null),
    validations: await validationsOf(reader, runId),
  }
}

/**
 * Imports of any table that began during the run. They are found by time, because imports have ids of their own.
 * @param until end of the run; null if unknown
 */
async function importsOf(reader: SqlReader, from: string, until: string | null): Promise<readonly ReportedImport[]> {
  const rows = await readStatus(reader)
  return rows
    .filter(({ startedAt }) => startedAt !== null && startedAt >= from && (until === null || startedAt <= until))
    .map((row) => ({
      run: row.importId,
      table: row.tableId,
      status: row.status,
      version: row.version,
      files: dec(row.filesProcessed),
      startedAt: row.startedAt,
      endedAt: row.completedAt,
      error: row.errorMessage,
    }))
}

async function validationsOf(reader: SqlReader, runId: bigint): Promise<readonly ReportedValidation[]> {
  const rows = await reader.all(
    'SELECT table_id, version, checks, differences, checked_at FROM catalog_validations WHERE run_id = ? ORDER BY table_id',
    [runId],
  )
  return rows.map(([table, version, checks, differences, at]) => ({
    run: String(runId),
    table: String(table),
    version: Number(version),
    checks: dec(Number(checks)),
    differences: dec(Number(differences)),
    at: isoTime(Number(at)),
  }))
}
