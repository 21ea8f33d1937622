/** `quarantine list`: rows that copies into a database quarantined and that are not retried yet. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import { knowsRun, readLedger } from '../../ledger/other-ledgers.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { refuseUnknownTable, tablesCalled } from '../../ledger/refuse-unknown.ts'
import { tableOfKey } from '../../ledger/owner.ts'
import { waitingRows } from '../../ledger/quarantine.ts'
import { openCopyStore } from '../../open-stores.ts'
import { onSide } from '../../sides.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { quarantineList, QuarantineListOperation } from './declaration.ts'

type QuarantineListRun = RunOf<typeof quarantineList>

export async function performQuarantineList(
  { to, runId, table, limit }: QuarantineListOperation,
  run: QuarantineListRun,
): Promise<Ending> {
  await using store = await onSide('target', () => openCopyStore(to, { mode: 'read' }))
  await using read = await readLedger(store, knowsRun(runId === undefined ? null : BigInt(runId)), run)
  const ledger = read.database
  if (!(await hasLedger(ledger))) {
    run.emit({ type: 'log', level: 'note', message: `nothing was copied into ${store.label} yet` })
    return { totals: { rows: dec(0) } }
  }
  const of = { runId: runId === undefined ? null : BigInt(runId), table: table ?? null }
  const tables = table === undefined ? null : await tablesCalled(ledger, table)
  if (tables?.length === 0) await refuseUnknownTable(ledger, of, store.label)
  const { rows, count } = await waitingRows(ledger, { runId: of.runId, tables }, limit)
  if (count === 0n) await refuseUnknownTable(ledger, of, store.label)
  for (const { runId: id, table: where, key, stage, code, message, row, createdMs } of rows) {
    run.emit({
      type: 'quarantine.row',
      run: id.toString(),
      table: tableText(tableOfKey(where)),
      key,
      stage,
      code,
      message,
      row,
      at: new Date(createdMs).toISOString(),
    })
  }
  if (count > BigInt(rows.length)) {
    run.emit({ type: 'log', level: 'note', message: `${rows.length} of ${count} rows are shown; --limit shows more` })
  }
  return { totals: { rows: dec(count) } }
}
