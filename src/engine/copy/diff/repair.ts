/** Makes the target hold what the source holds, key by key; what it held before is written down in the same transaction, or before it. */
import { randomUUID } from 'node:crypto'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Bound } from '../../../model/copy/range.ts'
import type { Row, Stamp } from '../../../model/copy/rows.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { BatchStep, Closing, CopyStore, LedgerDatabase, Statement } from '../../../stores/copy-port.ts'
import { targetTable, writeColumns } from '../context.ts'
import type { TableKey } from '../ledger/chunks.ts'
import { batchOnce, forgetBatches } from '../ledger/once.ts'
import { repairStatement, undoneStatement, type Repair } from '../ledger/repairs.ts'
import { boundOf, sourceRequest, targetRange, targetRequest, timedByKey, type Sides } from './sides.ts'
import { mendOf, sameCell, type Timed, type TimeWish } from './times.ts'

export type Repairing = {
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly key: TableKey
  readonly runId: bigint
  readonly signal: AbortSignal
}

export type MendWish = {
  /** Remove rows that the source has not; otherwise they stay. */
  readonly deleteExtra: boolean
  readonly only?: 'missing' | 'different'
  /** Count up rows of counters that the target has not. */
  readonly counters?: true
  readonly overwriteNewer?: true
  readonly times?: TimeWish
}

/** `left`: nothing was to be done about it, or the target wrote it later. `equal`: it differs no more. */
export type Mended = 'fixed' | 'left' | 'equal' | SluiceError

const TRUE: Statement = { sql: 'SELECT 1', parameters: [] }
const ALWAYS: BatchStep = { guard: TRUE, advance: TRUE, landed: TRUE }

/** What is going to be written, or removed where there is no row. */
type Change = {
  readonly text: string
  readonly key: Bound
  readonly before: Row | null
  readonly after: Row | null
  readonly stamp: Stamp | undefined
}

/**
 * Reads the rows again on both sides and brings them over.
 * @returns what became of each key, by its JSON text
 */
export async function repairKeys(
  sides: Sides,
  keys: readonly Bound[],
  around: Repairing,
  wish: MendWish,
): Promise<ReadonlyMap<string, Mended>> {
  const { plan } = sides
  const range = { by: 'keys', keys } as const
  const [source, target] = await Promise.all([
    byBound(sides, 'source', range.keys),
    byBound(sides, 'target', range.keys),
  ])
  const outcome = new Map<string, Mended>()
  const changes: Change[] = []
  for (const key of keys) {
    const text = JSON.stringify(key)
    const wanted = changeOf(plan, key, source.get(text) ?? null, target.get(text) ?? null, wish)
    if (typeof wanted === 'string') outcome.set(text, wanted)
    else changes.push(wanted)
  }
  for (const some of grouped(changes, around.to.can.atomic === 'row')) await applied(plan, some, around, outcome)
  if (around.to.can.atomic === 'row') await checked(sides, changes, around, wish, outcome)
  return outcome
}

function changeOf(
  plan: TablePlan,
  key: Bound,
  source: Timed | null,
  target: Timed | null,
  wish: MendWish,
): Change | 'left' | 'equal' {
  const text = JSON.stringify(key)
  if (source === null) {
    if (target === null) return 'equal'
    return wish.deleteExtra ? { text, key, before: target.row, after: null, stamp: undefined } : 'left'
  }
  if (target === null) {
    if (wish.only === 'different' || (isCounting(plan) && wish.counters !== true)) return 'left'
  } else {
    if (differing(plan, source.row, target.row).length === 0) return 'equal'
    if (wish.only === 'missing') return 'left'
  }
  const { row, stamp, newer } = mendOf(plan, source, target, wish.times ?? {}, wish.overwriteNewer === true)
  if (target !== null && differing(plan, source.row, target.row).every((name) => newer.includes(name))) return 'left'
  return { text, key, before: target?.row ?? null, after: row, stamp: isCounting(plan) ? undefined : stamp }
}

/** Rows that are there and rows that are not are written in different ways where nulls have to be written as well. */
function grouped(changes: readonly Change[], byRow: boolean): readonly (readonly Change[])[] {
  const kinds: ((change: Change) => boolean)[] = byRow
    ? [
        ({ before, after }) => before === null && after !== null,
        ({ before, after }) => before !== null && after !== null,
        ({ after }) => after === null,
      ]
    : [({ after }) => after !== null, ({ after }) => after === null]
  return kinds.map((kind) => changes.filter(kind)).filter(({ length }) => length > 0)
}

/** All of them together; where one is refused, each alone. */
async function applied(
  plan: TablePlan,
  changes: readonly Change[],
  around: Repairing,
  outcome: Map<string, Mended>,
): Promise<void> {
  try {
    const notes = changes.map(({ key, before, after }) =>
      repairStatement(around.database, around.runId, { table: around.key, key, before, after }),
    )
    await change(plan, changes, notes, around)
    for (const { text } of changes) outcome.set(text, 'fixed')
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'ROW_REFUSED' && error.code !== 'VALUE_REFUSED') throw thrown
    const [only] = changes
    if (only !== undefined && changes.length === 1) outcome.set(only.text, error)
    else for (const one of changes) await applied(plan, [one], around, outcome)
  }
}

/** What was removed in the target a moment ago hides what is written with an older time: whether a row is mended is seen by reading it. */
async function checked(
  sides: Sides,
  changes: readonly Change[],
  around: Repairing,
  wish: MendWish,
  outcome: Map<string, Mended>,
): Promise<void> {
  const done = changes.filter(({ text }) => outcome.get(text) === 'fixed')
  const unlike = async (): Promise<readonly Change[]> => {
    const found = await byBound(
      sides,
      'target',
      done.map(({ key }) => key),
    )
    return done.filter(({ text, after }) => {
      const row = found.get(text)?.row ?? null
      return after === null || row === null ? row !== after : differing(sides.plan, after, row).length > 0
    })
  }
  let left = await unlike()
  const again = left.filter(({ after }) => after !== null).map((one) => ({ ...one, stamp: undefined }))
  if (wish.overwriteNewer === true && again.length > 0) {
    await change(sides.plan, again, [], around)
    left = await unlike()
  }
  for (const { text } of left) outcome.set(text, 'left')
}

/** Puts one row back as it was before a repair. */
export async function undoRepair(plan: TablePlan, repair: Repair, around: Repairing): Promise<void> {
  const { key, before, after } = repair
  const back = { text: '', key, before: after, after: before, stamp: undefined }
  await change(plan, [back], [undoneStatement(around.database, repair.id)], around)
}

/** Writes rows over what has their keys, or removes what has the keys where there are no rows. */
async function change(
  plan: TablePlan,
  changes: readonly Change[],
  notes: readonly Statement[],
  { to, database, signal }: Repairing,
): Promise<void> {
  const { atomic } = to.can
  const rows = changes.flatMap(({ after }) => (after === null ? [] : [after]))
  const stamps = changes.flatMap(({ stamp }) => stamp ?? [])
  const isNew = atomic === 'row' && changes.every(({ before }) => before === null)
  // Without a transaction around all of it, what was there is written down before it is changed.
  if (atomic !== 'chunk' && notes.length > 0) {
    const owner = randomUUID()
    await batchOnce(database, owner, notes)
    // Each note has a key of its own: a second time it would be refused for that.
    await database.batch([forgetBatches(owner)])
  }
  await using writer = await to.target().open({
    table: targetTable(plan),
    columns: writeColumns(plan),
    range: targetRange({ plan }, { by: 'keys', keys: changes.map(({ key }) => key) }),
    // Over what is there nulls are written too; a row that is not there needs none.
    onExisting: rows.length === 0 ? 'replace-range' : isNew ? 'refuse' : 'upsert',
    careful: false,
    cursor: null,
    signal,
  })
  if (rows.length > 0) {
    const step = atomic === 'batch' ? ALWAYS : undefined
    await (stamps.length === rows.length ? writer.write(rows, step, stamps) : writer.write(rows, step))
  }
  const closing: Closing = { statements: atomic === 'chunk' ? notes : [TRUE], guard: TRUE, landed: TRUE }
  await writer.commit(closing)
}

async function byBound(
  sides: Sides,
  side: 'source' | 'target',
  keys: readonly Bound[],
): Promise<ReadonlyMap<string, Timed>> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const request = side === 'source' ? sourceRequest(sides, range) : targetRequest(sides, range)
  const rows = await timedByKey(sides[side], request, plan, signal)
  return new Map([...rows.values()].map((one) => [JSON.stringify(boundOf(plan, one.row)), one]))
}

/** Names of the source. */
function differing({ columns }: TablePlan, a: Row, b: Row): readonly string[] {
  return columns.flatMap(({ from }, at) => (sameCell(a[at] ?? null, b[at] ?? null) ? [] : [from]))
}

/** Whether its values are added to, and never set. */
function isCounting({ columns }: TablePlan): boolean {
  return columns.some(({ target }) => target.native === 'counter')
}
