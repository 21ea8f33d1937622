/**
 * Notes on partition values that other readers interpret differently or refuse. The notes are no differences between
 * log and catalog.
 */
import { partitionCheck } from '../../delta/fsck/partitions.ts'
import type { Finding } from '../../delta/fsck/finding.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { shellQuote } from '../../shared/shell.ts'
import { emptyAsNull } from './checks.ts'
import { logActiveAt } from './replay-sql.ts'
import type { Report } from './report.ts'
import { mapOf, schemaAtVersion } from './equal-by-type.ts'

const PAGE_ROWS = 2000

/** Selects each map of partition values once, because a partition may have millions of files. */
const valuesAt = (version: number): string => `
SELECT partition_values, count(*), min(path) FROM (
  SELECT a.partition_values, a.path FROM (${logActiveAt(version)}) e JOIN log_add a USING (version, source, line))
GROUP BY partition_values ORDER BY min(path)`

type Noted = { files: number; readonly first: Finding }

const DOUBLED = `
SELECT count(*), min(first) FROM (
  SELECT min(text) AS first FROM (
    SELECT text, list_sort(map_entries(json_transform(CASE WHEN json_valid(text) THEN text ELSE '{}' END, '"MAP(VARCHAR,VARCHAR)"'))) AS sorted
    FROM (SELECT ${emptyAsNull('partition_values')} AS text FROM cat_partitions))
  GROUP BY sorted HAVING count(*) > 1)`

/** Adds a note if the catalog has several rows for one partition: counts by partition are then split. */
export async function noteDoubled(scratch: SqlDatabase, report: Report, tableId: string): Promise<void> {
  const [row] = await scratch.all(DOUBLED)
  const count = Number(row?.[0] ?? 0)
  if (count === 0) return
  const some = count === 1 ? 'one partition has' : `${count} partitions have`
  report.notes.push(
    `${some} several rows in delta_partitions, such as ${String(row?.[1])}: views count each separately; sluice import TABLE --table-id ${shellQuote(tableId)} merges them`,
  )
}

/** Adds a note for each kind of `fsck` finding on partition values, with the number of files and the first of them. */
export async function notePartitions(scratch: SqlDatabase, report: Report, version: number): Promise<void> {
  const table = await schemaAtVersion(scratch, version)
  if (table === null || table.partitionColumns.length === 0) return
  const check = partitionCheck(table.schema, table.partitionColumns)
  const noted = new Map<Finding['kind'], Noted>()
  for await (const page of scratch.pages(valuesAt(version), [], PAGE_ROWS)) {
    for (const [values, files, path] of page) {
      const found = check(String(path), mapOf(String(values)) ?? {})
      for (const kind of new Set(found.map((one) => one.kind))) {
        const known = noted.get(kind)
        const first = found.find((one) => one.kind === kind) as Finding
        if (known === undefined) noted.set(kind, { files: Number(files), first })
        else known.files += Number(files)
      }
    }
  }
  for (const { files, first } of noted.values()) {
    const others = files === 2 ? 'another file' : `${files - 1} other files`
    const more = files === 1 ? '' : `; the same holds for values of ${others}`
    report.notes.push(`${first.path ?? ''}: ${first.detail}${more}; sluice fsck TABLE names each file`)
  }
}
