/** Name of a source table in the target. */
import type { TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'

/** @throws SluiceError BAD_FLAG if the table would be created and the name in `--to-table` seems to include a schema */
export function refuseSchemaInName(
  found: TableSpec | null,
  { toSchema, toTable = '' }: Pick<CopyOperation, 'toSchema' | 'toTable'>,
  to: Pick<CopyStore, 'can' | 'schema'>,
): void {
  const [schema = '', ...rest] = toTable.split('.')
  if (found !== null || toSchema !== undefined || rest.length === 0 || to.can.keepsSchemas !== true) return
  throw new SluiceError('BAD_FLAG', `--to-table ${toTable} would create a table with a dot in its name`, {
    hint: `name the schema with its own option: --to-schema ${shellQuote(schema)} --to-table ${shellQuote(rest.join('.'))}; if the dot belongs to the name, add --to-schema ${shellQuote(to.schema ?? '')}`,
  })
}

/**
 * Returns one or two names of a table in the target. The ledger may have the copy under the second name, if an older
 * version of sluice began it, or if the URL had no `schema=` then. Between two systems that keep schemas, a table keeps
 * its schema, independent of the search_path of both logins. If the URL of the target names a schema, tables of the
 * source's own schema go there. Tables of other systems go to the target's default schema.
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
