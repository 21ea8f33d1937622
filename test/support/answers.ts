/** All answers of the catalog's read functions about a table, as text: equal texts mean equal answers. */
import { readableTable } from '../../src/catalog/catalog.ts'
import { catalogChanges } from '../../src/catalog/query/changes.ts'
import { countsAt, versionAtTime } from '../../src/catalog/query/counts.ts'
import { activeFiles, partitionTotals } from '../../src/catalog/query/files.ts'
import { commitsUpTo } from '../../src/catalog/query/history.ts'
import { domainsAt, stateAt, txnsAt } from '../../src/catalog/query/state.ts'
import type { SqlReader } from '../../src/model/run/sql-port.ts'

/** @param from first version to query; default: the oldest version that the catalog can answer */
export async function answersOf(reader: SqlReader, tableId: string, from?: number): Promise<string> {
  const table = await readableTable(reader, { tableId })
  const first = from ?? table.historyFrom
  const parts: unknown[] = [table.latest]
  for (let version = first; version <= table.latest; version++) {
    const files: unknown[] = []
    for await (const page of activeFiles(reader, tableId, version)) {
      for (const { fileNo: _, ...file } of page) files.push(file)
    }
    const counts = await countsAt(reader, tableId, version)
    parts.push({
      version,
      files: files.map((file) => JSON.stringify(file)).toSorted(),
      counts,
      state: await stateAt(reader, tableId, version),
      txns: await txnsAt(reader, tableId, version),
      domains: await domainsAt(reader, tableId, version),
      // Partitions of equal size are in the order in which the catalog first saw them.
      partitions: (await partitionTotals(reader, tableId, version, 100, 0)).toSorted((a, b) =>
        a.values < b.values ? -1 : 1,
      ),
      atTime: counts.commitTime === null ? null : await versionAtTime(reader, tableId, counts.commitTime),
    })
  }
  parts.push((await commitsUpTo(reader, tableId, table.latest, 1000)).filter(({ version }) => version >= first))
  for await (const page of catalogChanges(reader, tableId, first, table.latest)) parts.push(...page)
  const [head] = await reader.all(
    'SELECT current_version, metadata_id, num_files, num_bytes, num_records, protocol, "schema", configuration FROM delta_tables WHERE table_id = ?',
    [tableId],
  )
  const active = await reader.all('SELECT path, size FROM delta_active_files WHERE table_id = ?', [tableId])
  parts.push(head, active.map((row) => JSON.stringify(row)).toSorted())
  return JSON.stringify(parts, null, 1)
}
