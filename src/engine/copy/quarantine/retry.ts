/** Every run of a copy retries the rows that earlier runs quarantined, before it reports the end of their table. */
import { failureKind } from '../workers/failure.ts'
import type { TableContext } from '../table/context.ts'
import { quarantined, type QuarantinedRow } from '../ledger/quarantine.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { replay } from './replay.ts'

/** @throws SluiceError if a side does not answer */
export async function retryQuarantined(context: TableContext, stop: AbortSignal): Promise<void> {
  const { database, key, name, owner, plan, store, views, signal, emit } = context
  // Without a unique key in the target it is unknown which row would be overwritten.
  const { rangeKey, target } = plan
  const isUnique = target.key.length > 0 && target.key.toSorted().join('\0') === rangeKey.toSorted().join('\0')
  if (plan.cut !== 'key' || !isUnique) return
  const rows = (await quarantined(database, null, key)).filter(({ runId }) => runId !== owner.runId)
  let written = 0
  let gone = 0
  let left = rows.filter((row) => row.key.length > 0)
  const refused = new Map<QuarantinedRow, SluiceError>()
  // Repeat while rows succeed: a unique value may block one row until a later row is written.
  for (let before = left.length + 1; left.length > 0 && left.length < before && !stop.aborted;) {
    before = left.length
    const still: QuarantinedRow[] = []
    for (const row of left) {
      if (stop.aborted) break
      try {
        const outcome = await views.ask((view) => replay(row, plan, { to: store, view, database, signal }))
        if (outcome === 'written') written++
        else gone++
      } catch (thrown) {
        const { kind, error } = failureKind(thrown)
        if (kind !== 'row') throw thrown
        refused.set(row, error)
        still.push(row)
      }
    }
    left = still
  }
  for (const row of left) {
    const error = refused.get(row)
    if (error !== undefined) emit({ type: 'row.aside', table: name, chunk: '', key: row.key, error: error.info() })
  }
  if (written + gone === 0) return
  const more = gone === 0 ? '' : `, and ${gone} no longer exist in the source`
  emit({
    type: 'log',
    level: 'note',
    table: name,
    message: `${written} of ${rows.length} rows that earlier runs quarantined are in the target now${more}`,
  })
}
