/**
 * Refuses to remove rows that other tables refer to. D1 always enforces foreign keys: a removal may fail, or delete and
 * change rows of other tables.
 */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { cascadeRefused } from '../../common/refusals.ts'
import type { D1Client, D1Statement } from '../client.ts'
import { isFenced, isForeignKey } from './statements.ts'

type Named = Pick<TableSpec, 'table'>

/** Tables whose rows are deleted or changed with those of a table. D1 refuses pragmas on the tables of Cloudflare. */
const CASCADING_TABLES = `SELECT DISTINCT s.name FROM sqlite_schema AS s JOIN pragma_foreign_key_list(s.name) AS k
  WHERE s.type = 'table' AND lower(substr(s.name, 1, 4)) <> '_cf_' AND lower(k."table") = lower(?)
    AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY 1`

/** Fails its batch if rows of other tables would be deleted or changed by the deletes of the batch. */
export function cascadeGuard({ table }: Named): D1Statement {
  return { sql: `SELECT CASE WHEN EXISTS(${CASCADING_TABLES}) THEN json('followed') ELSE 1 END`, params: [table.name] }
}

/**
 * Finds out whether `cascadeGuard` failed a batch: broken JSON in a row gives the same error.
 * @throws SluiceError TABLE_REFUSED
 */
export async function refuseCascades(client: D1Client, { table }: Named, signal: AbortSignal): Promise<void> {
  const [found] = await client.read([{ sql: CASCADING_TABLES, params: [table.name] }], { signal })
  const names = (found?.rows ?? []).map(([name]) => String(name))
  if (names.length > 0) throw cascadeRefused(names, tableText(table))
}

/**
 * Finds out whether a foreign key refused the removals of a batch, or one of its new rows. It runs only the removals,
 * in a request that is always rolled back.
 * @throws SluiceError TABLE_REFUSED
 */
export async function refuseReferred(
  client: D1Client,
  { table }: Named,
  removals: readonly D1Statement[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.read([...removals, { sql: "SELECT json('undone')", params: [] }], { signal })
  } catch (error) {
    if (isFenced(error)) return
    if (!isForeignKey(error)) throw error
    throw new SluiceError('TABLE_REFUSED', `existing rows of ${tableText(table)} cannot be removed`, {
      where: client.settings.label,
      reason: 'foreign keys of other tables refer to them',
      hint: 'copy with --on-existing upsert, or drop these foreign keys first',
      cause: error,
    })
  }
}
