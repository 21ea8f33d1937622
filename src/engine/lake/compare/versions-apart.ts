/** Whether a catalog and a log that began at different versions still differ: a writer or a sync may work beside a comparison. */
import { readableTable } from '../../../catalog/catalog.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import type { FilesSide } from './ask-files.ts'
import type { ComparePlan } from './plan.ts'

/**
 * @returns the difference in words; null where both sides had one version when the comparison began, or the side that was behind has got further since
 * @throws SluiceError of the side that was behind
 */
export async function versionsApart(plan: ComparePlan, files: FilesSide, catalog: SqlDatabase): Promise<string | null> {
  const { logVersion, catalogVersion, version, tableId } = plan
  if (logVersion === catalogVersion) return null
  const isLogBehind = logVersion === version
  const now = isLogBehind
    ? (await DeltaTable.open(files.log, files.parquet, files.signal, 'newest')).latest
    : (await catalog.read((reader) => readableTable(reader, { tableId }))).latest
  return now > version ? null : `the newest version: version is ${logVersion} in the files, ${catalogVersion} in SQL`
}
