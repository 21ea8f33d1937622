/** Name of a source table in the target. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

/**
 * Name of a table in the target. A second name may follow, under which a ledger may have it: an older version, or the
 * same command without `schema=` in the URL, used the other schema.
 * Between two systems that keep schemas a table keeps its own, whatever the search_path of either login. If the URL of
 * the target names a schema, tables of the source's own schema go there. Tables of other systems go to the target's
 * default schema.
 * @param wanted with the requested schema, if any
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
