/** What failed of a table is tried again while the run goes on. */
import type { SteeredWish } from '../../run/operation.ts'
import type { TableContext } from '../table/context.ts'
import type { TableRun } from '../table/table-run.ts'

export async function retryFailed(
  table: TableRun,
  context: TableContext,
  { chunk, shared }: SteeredWish,
): Promise<void> {
  const { emit, ledger, name } = context
  const reopened = await ledger.reopenFailed(chunk ?? null)
  // Another program of the run may have reopened them already.
  const isElsewhere = shared === true && table.ended !== undefined && table.ended.error !== null
  if (reopened > 0 || isElsewhere || (chunk === undefined && table.error !== null)) {
    // Of a table that was given up, or told of as failed, nobody takes a chunk otherwise.
    table.done = false
    table.error = null
    table.aside = 0
    delete table.ended
    return
  }
  const what = chunk === undefined ? `of ${name} no chunk has failed` : `chunk ${chunk} of ${name} has not failed`
  emit({
    type: 'log',
    level: 'note',
    table: name,
    message: `${what}: there is nothing to try again`,
    hint: 'rows that were set aside are tried again with sluice quarantine retry',
  })
}
