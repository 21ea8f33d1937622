/** Sentences for the printed plan: what `--again` is going to do. */
import { tableText } from '../../../model/copy/column-type.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { hasLedger } from '../ledger/schema.ts'
import type { PlannedCopy } from '../plan/plan-copy.ts'
import { MAX_UNCONFIRMED } from './delete-extra.ts'
import { bigintOf } from '../../../stores/common/cells.ts'

/** @returns notes per table, in the order of the plan; none without `--again` */
export async function againPlan(
  { tables }: PlannedCopy,
  operation: CopyOperation,
  database: LedgerDatabase | null,
): Promise<readonly (readonly string[])[]> {
  if (operation.again !== true) return []
  const ledger = database !== null && (await hasLedger(database)) ? database : null
  const notes: (readonly string[])[] = []
  for (const { targetName, plan } of tables) {
    const { chunks, rows } =
      ledger === null ? { chunks: 0n, rows: 0n } : await copiedBefore(ledger, targetName.schema ?? '', targetName.name)
    if (plan === null || chunks === 0n) {
      notes.push(plan === null ? [] : ['no chunk was copied before: there is nothing to compare'])
      continue
    }
    const what = `${chunks === 1n ? 'one chunk' : `${chunks} chunks`} of earlier runs (${rows} rows)`
    const extra =
      operation.deleteExtra === true
        ? `removed; more than ${MAX_UNCONFIRMED} need --confirm=${shellQuote(tableText(plan.target.table))}`
        : 'counted, but not removed'
    notes.push([
      `${what} ${chunks === 1n ? 'is' : 'are'} compared on both sides: rows that are missing or differ are written, rows that the source lacks are ${extra}`,
    ])
  }
  return notes
}

async function copiedBefore(
  database: LedgerDatabase,
  schema: string,
  name: string,
): Promise<{ readonly chunks: bigint; readonly rows: bigint }> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const [row] = await database.all(
    `SELECT COUNT(*), CAST(COALESCE(SUM(rows_read), 0) AS ${text}) FROM migration_checkpoints
     WHERE table_name = ? AND schema_name = ? AND status = 'completed'`,
    [name, schema],
  )
  const [chunks, rows] = row ?? []
  return { chunks: bigintOf(chunks), rows: bigintOf(rows) }
}
