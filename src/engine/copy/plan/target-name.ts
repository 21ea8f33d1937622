/** Where a table of the source goes in the target. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

/**
 * The name of a table in the target, and behind it a second one that a ledger may have it under: the older version, or the same command without `schema=` in the URL, took the other schema.
 * Between two systems that keep schemas a table keeps its own, whatever the search_path of either login. The schema that the URL of the target names takes those of the source's own schema.
 * Tables of other systems go where the target puts tables.
 * @param wanted with the schema that was asked for, where one was
 */
export function namesInTarget(
  wanted: TableName,
  source: TableName,
  from: Pick<CopyStore, 'can' | 'schema'>,
  to: Pick<CopyStore, 'can' | 'schema' | 'namesSchema'>,
): readonly [TableName, ...TableName[]] {
  if (wanted.schema !== undefined || to.schema === null) return [wanted]
  const there = { ...wanted, schema: to.schema }
  const keeps = from.can.keepsSchemas === true && to.can.keepsSchemas === true
  if (!keeps || source.schema === undefined || source.schema === to.schema) return [there]
  const kept = { ...wanted, schema: source.schema }
  if (source.schema !== from.schema) return [kept]
  return to.namesSchema === true ? [there, kept] : [kept, there]
}
