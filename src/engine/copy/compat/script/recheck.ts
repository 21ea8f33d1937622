/** Checks rows written only at level ONE: reads them at the requested level, and writes missing ones again. */
import { equalDigests, type Row, type WriteTimes } from '../../../../model/copy/rows.ts'
import { RowChecksum } from '../../../../model/copy/row-hash.ts'
import { keyTextOf } from '../../../../model/copy/key-text.ts'
import { rowKeyOf } from '../../../../model/copy/row-key.ts'
import type { TablePlan } from '../../../../model/copy/plan.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter } from '../../../../model/copy/target-port.ts'
import type { Closing, LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import type { ReplayContext } from '../../quarantine/replay.ts'
import {
  keyPositions,
  plannedReadColumns,
  targetKeyPositions,
  keyedTargetTable,
  writeColumns,
} from '../../table/context.ts'
import { recheckedStatement, type Recheck } from '../../ledger/rechecks.ts'
import { withWriter } from '../../../../stores/common/with-writer.ts'

type Key = readonly string[]

const BATCH = { rows: 500, bytes: 4 * 1024 * 1024 }

/**
 * Checks the rows of one list, and marks the list as done.
 * @param plan plan of the copy that wrote the rows, changed to overwrite rows with equal keys
 * @returns `found`: number of rows that the target had as in the source; `brought`: number of rows written again
 * @throws SluiceError PROOF_FAILED if the rows written are not in the target
 */
export async function recheck(
  list: Recheck,
  plan: TablePlan,
  recheckContext: ReplayContext,
): Promise<{ readonly found: number; readonly brought: number }> {
  const { to, view, database, signal } = recheckContext
  const keys = sourceKeys(plan, list.keys)
  const rows: Row[] = []
  const stamps: WriteTimes[] = []
  const stamped = plan.source.ring !== undefined && plan.target.ring !== undefined
  const request = {
    table: plan.source,
    columns: plannedReadColumns(plan),
    range: { by: 'keys', keys } as const,
    where: plan.where ?? null,
    ordered: false,
    ...(stamped ? { stamps: true as const } : {}),
  }
  for await (const batch of view.read(request, BATCH, signal)) {
    rows.push(...batch.rows)
    stamps.push(...(batch.stamps ?? []))
  }
  const positions = targetKeyPositions(plan)
  const options: ChunkRequest = {
    table: keyedTargetTable(plan),
    columns: writeColumns(plan),
    range: { by: 'keys', keys: rows.map((row) => rowKeyOf(row, positions)) },
    onExisting: 'upsert',
    careful: false,
    cursor: null,
    signal,
  }
  const isThere = async (writer: ChunkWriter): Promise<boolean> => {
    const sum = new RowChecksum()
    for (const row of rows) sum.add(row)
    const only = new Set(rows.map((row) => keyTextOf(row, positions)))
    return equalDigests(sum.digest(), await writer.digest({ scheme: 'canonical', only }))
  }
  // Rows that the source no longer has are ignored.
  let brought = 0
  await withWriter(to.target(), options, async (writer) => {
    if (rows.length > 0 && !(await isThere(writer))) {
      await writer.write(rows, undefined, stamps.length === rows.length ? stamps : undefined)
      brought = rows.length
      if (!(await isThere(writer))) {
        throw new SluiceError(
          'PROOF_FAILED',
          `rows of ${list.table.name} in the target differ from the rows that were read`,
          {
            hint: 'run sluice diff while no program writes to the table: it names the rows that differ',
          },
        )
      }
    }
    await writer.commit(closingOf(database, list))
  })
  return { found: rows.length - brought, brought }
}

/** The target's keys in the order of the source's key columns. @throws SluiceError UNSUPPORTED_KEY */
function sourceKeys(plan: TablePlan, keys: readonly Key[]): readonly Key[] {
  const inRow = plan.target.key.map((name) => plan.columns.findIndex(({ to }) => to === name))
  const at = keyPositions(plan).map((position) => inRow.indexOf(position))
  if (at.length > 0 && !at.includes(-1)) return keys.map((key) => at.map((index) => key[index] ?? ''))
  throw new SluiceError('UNSUPPORTED_KEY', `rows of ${plan.source.table.name} cannot be found by the target's key`, {
    hint: 'run sluice diff --fix instead: it compares the whole table',
  })
}

function closingOf(database: LedgerDatabase, { id }: Recheck): Closing {
  const open = 'SELECT 1 FROM migration_rechecks WHERE recheck_id = ? AND rechecked_ms IS'
  return {
    statements: [recheckedStatement(database, id)],
    guard: { sql: `${open} NULL`, parameters: [id] },
    landed: { sql: `${open} NOT NULL`, parameters: [id] },
  }
}
