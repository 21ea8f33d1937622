/**
 * Removes from `difference` pairs of texts that mean the same value in the type of their column: a float that a struct
 * stores as 0.10000000149, `"Infinity"`, `1E+20`, `1.50` and `1.5`, NULL and the empty text of a partition value. Used
 * only for texts from two writers; the catalog's own text is compared byte for byte.
 */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { leafColumns, schemaOf, type StructType } from '../../delta/schema.ts'
import { partitionDifferences, statsComparer, type PartitionMap } from '../../delta/values/same.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { COMPACT } from './compare.ts'
import { logMetadataAt, logProtocolAt } from './replay-sql.ts'
import { runAll } from './scratch.ts'

const PAGE_ROWS = 2000
const COMPARABLE_DIFFERENCES = `
SELECT id, version, field, mode, log, catalog FROM difference
WHERE id > ? AND mode IN ('stats', 'shared', 'spelled') AND field IN ('stats', 'partition_values') AND log IS NOT NULL AND catalog IS NOT NULL
  AND (mode <> 'stats' OR ${COMPACT}) ORDER BY id`

/** True if the two texts of a field mean the same. */
type IsSameText = (field: string, mode: string, log: string, catalog: string) => boolean

/** @param after only differences with a larger id are inspected */
export async function removeEqualByType(scratch: SqlDatabase, after: number): Promise<void> {
  const judges = new Map<number, IsSameText>()
  for await (const page of scratch.pages(COMPARABLE_DIFFERENCES, [after], PAGE_ROWS)) {
    const same: number[] = []
    for (const [id, version, field, mode, log, catalog] of page) {
      const at = Number(version)
      let judge = judges.get(at)
      if (judge === undefined) judges.set(at, (judge = await comparerAt(scratch, at)))
      if (judge(String(field), String(mode), String(log), String(catalog))) same.push(Number(id))
    }
    if (same.length > 0) await runAll(scratch, [`DELETE FROM difference WHERE id IN (${same.join(', ')})`])
  }
}

async function comparerAt(scratch: SqlDatabase, version: number): Promise<IsSameText> {
  const table = await schemaAtVersion(scratch, version)
  if (table === null) return () => false
  const { schema } = table
  const columns = leafColumns(schema)
  const comparers = { stats: statsComparer(columns, 'apart'), shared: statsComparer(columns) }
  return (field, mode, log, catalog) => {
    if (field === 'stats') return comparers[mode === 'stats' ? 'stats' : 'shared'](log, catalog)?.length === 0
    const [one, other] = [mapOf(log), mapOf(catalog)]
    if (one === null || other === null) return false
    const known = (name: string): boolean => Object.hasOwn(one, name) && Object.hasOwn(other, name)
    return partitionDifferences(schema.fields, one, other).every(({ column }) => mode === 'shared' && !known(column))
  }
}

/** Schema and partition columns (logical names) at a version; null if the log has no readable schema. */
export async function schemaAtVersion(
  scratch: SqlDatabase,
  version: number,
): Promise<{ readonly schema: StructType; readonly partitionColumns: readonly string[] } | null> {
  const [metadata] = await scratch.all(logMetadataAt(version))
  const [protocol] = await scratch.all(logProtocolAt(version))
  try {
    const { metaData } = JSON.parse(String(metadata?.[0])) as { metaData: MetadataAction }
    const { protocol: rules } = JSON.parse(String(protocol?.[0])) as { protocol: ProtocolAction }
    return { schema: schemaOf(rules, metaData), partitionColumns: metaData.partitionColumns ?? [] }
  } catch {
    return null
  }
}

/** Partition values by name; null if the text is not JSON. */
export function mapOf(text: string): PartitionMap | null {
  try {
    return JSON.parse(text) as PartitionMap | null
  } catch {
    return null
  }
}
