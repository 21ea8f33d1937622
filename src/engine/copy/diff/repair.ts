/** Makes the target hold what the source holds, key by key; what it held before is written down in the same transaction. */
import { randomUUID } from 'node:crypto'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { keyText } from '../../../model/copy/key-text.ts'
import type { Bound } from '../../../model/copy/range.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { BatchStep, Closing, CopyStore, LedgerDatabase, Statement } from '../../../stores/copy-port.ts'
import { targetTable, writeColumns } from '../context.ts'
import type { TableKey } from '../ledger/chunks.ts'
import { batchOnce, forgetBatches } from '../ledger/once.ts'
import { repairStatement, undoneStatement, type Repair } from '../ledger/repairs.ts'
import { keyPlaces, rowsByKey, sourceRequest, targetRange, targetRequest, type Sides } from './sides.ts'

export type Repairing = {
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly key: TableKey
  readonly runId: bigint
  readonly signal: AbortSignal
}

const TRUE: Statement = { sql: 'SELECT 1', parameters: [] }
const ALWAYS: BatchStep = { guard: TRUE, advance: TRUE, landed: TRUE }

/**
 * Reads the rows again on both sides and brings them over.
 * @param deleteExtra remove rows that the source has not; otherwise they stay
 * @returns how many rows of the target changed
 */
export async function repairKeys(
  sides: Sides,
  keys: readonly Bound[],
  around: Repairing,
  deleteExtra: boolean,
): Promise<number> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const [source, target] = await Promise.all([
    rowsByKey(sides.source, sourceRequest(sides, range), plan, signal),
    rowsByKey(sides.target, targetRequest(sides, range), plan, signal),
  ])
  const repairs: Omit<Repair, 'id'>[] = []
  for (const key of keys) {
    const text = boundKeyText(plan, key, source, target)
    const [after = null, before = null] = [source.get(text), target.get(text)]
    if (after === null && (before === null || !deleteExtra)) continue
    repairs.push({ table: around.key, key, before, after })
  }
  if (repairs.length === 0) return 0
  const rows = repairs.flatMap(({ after }) => (after === null ? [] : [after]))
  const gone = repairs.flatMap(({ key, after }) => (after === null ? [key] : []))
  const written = repairs.flatMap(({ key, after }) => (after === null ? [] : [key]))
  const notes = repairs.map((one) => repairStatement(around.database, around.runId, one))
  if (rows.length > 0)
    await change(
      plan,
      written,
      rows,
      notes.filter((_, i) => repairs[i]?.after !== null),
      around,
    )
  if (gone.length > 0)
    await change(
      plan,
      gone,
      [],
      notes.filter((_, i) => repairs[i]?.after === null),
      around,
    )
  return repairs.length
}

/** Puts one row back as it was before a repair. */
export async function undoRepair(plan: TablePlan, repair: Repair, around: Repairing): Promise<void> {
  const rows = repair.before === null ? [] : [repair.before]
  await change(plan, [repair.key], rows, [undoneStatement(around.database, repair.id)], around)
}

/** Writes rows over what has their keys, or removes what has the keys where there are no rows. */
async function change(
  plan: TablePlan,
  keys: readonly Bound[],
  rows: readonly Row[],
  notes: readonly Statement[],
  { to, database, signal }: Repairing,
): Promise<void> {
  const batchwise = to.can.atomic === 'batch'
  await using writer = await to.target().open({
    table: targetTable(plan),
    columns: writeColumns(plan),
    range: targetRange({ plan }, { by: 'keys', keys }),
    onExisting: rows.length === 0 ? 'replace-range' : 'upsert',
    careful: false,
    cursor: null,
    signal,
  })
  // Without a transaction around all of it, what was there is written down before it is changed.
  if (batchwise) {
    const owner = randomUUID()
    await batchOnce(database, owner, notes)
    // Each note has a key of its own: a second time it would be refused for that.
    await database.batch([forgetBatches(owner)])
  }
  if (rows.length > 0) await writer.write(rows, batchwise ? ALWAYS : undefined)
  const closing: Closing = { statements: batchwise ? [TRUE] : notes, guard: TRUE, landed: TRUE }
  await writer.commit(closing)
}

function boundKeyText(
  plan: TablePlan,
  key: Bound,
  source: ReadonlyMap<string, Row>,
  target: ReadonlyMap<string, Row>,
): string {
  const places = keyPlaces(plan)
  for (const rows of [source, target]) {
    for (const [text, row] of rows) {
      if (places.every((at, i) => String(row[at] ?? '') === key[i])) return text
    }
  }
  return keyText(key)
}
