/** Makes the target equal to the source, key by key. The old row is recorded in the same transaction, or before it. */
import { randomUUID } from 'node:crypto'
import type { ColumnPlan, TablePlan } from '../../../model/copy/plan.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Row, Stamp } from '../../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { BatchStep, Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { comparedColumns, keyedTargetTable, writeColumns, writtenCells } from '../table/context.ts'
import type { TableKey } from '../ledger/owner.ts'
import { batchOnce, forgetBatches } from '../ledger/once.ts'
import { notedStatement, repairStatement, undoneStatement, wasUndone } from '../ledger/repairs.ts'
import { endingUntil, isEnding } from './ending-rows.ts'
import { rowBound, sourceRequest, targetRange, targetRequest, timedByKey, type DiffSides } from './sides.ts'
import { differingLifetimes, repairOf, isEqualCell, type Timed, type TimeOptions } from './times.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'

export type Repairing = {
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly key: TableKey
  readonly runId: bigint
  readonly signal: AbortSignal
  readonly hold?: RepairHold
}

/** Lease that a process must hold while it repairs; a write without it changes nothing. */
export type RepairHold = {
  /** Updates one row while the process holds the lease. */
  readonly renew: Statement
  /** Gives a row while the process holds the lease. */
  readonly guard: Statement
}

export type RepairOptions = {
  /** Remove rows that the source does not have; otherwise they stay. */
  readonly deleteExtra: boolean
  readonly only?: 'missing' | 'different'
  /** Write missing counter rows by counting up. */
  readonly counters?: true
  readonly overwriteNewer?: true
  readonly times?: TimeOptions
}

/** `left`: nothing to do, or the target wrote it later. `equal`: it no longer differs. */
export type RepairResult = 'fixed' | 'left' | 'equal' | SluiceError

const TRUE: Statement = { sql: 'SELECT 1', parameters: [] }
/** Statements for writes that may be repeated: a write whose reply was lost is done again. */
const NEVER: Statement = { sql: 'SELECT 1 WHERE 1 = 0', parameters: [] }
const FREELY: BatchStep = { guard: TRUE, advance: TRUE, landed: NEVER }

/** A row to write, or to remove if `after` is null. */
type Change = {
  readonly text: string
  readonly key: RowKey
  readonly before: Row | null
  /** Including values that the target computes itself. */
  readonly after: Row | null
  readonly stamp: Stamp | undefined
  /** The source row as read; null if the source has none. */
  readonly source: Timed | null
}

/** Reads the rows again on both sides and writes the source's values. @returns the result per key, by its JSON text */
export async function repairKeys(
  sides: DiffSides,
  keys: readonly RowKey[],
  around: Repairing,
  options: RepairOptions,
): Promise<ReadonlyMap<string, RepairResult>> {
  const { plan } = sides
  const begunMs = Date.now()
  const [source, target] = await Promise.all([byBound(sides, 'source', keys), byBound(sides, 'target', keys)])
  const until = await endingUntil(sides, begunMs, [...source.values(), ...target.values()])
  const outcome = new Map<string, RepairResult>()
  const changes: Change[] = []
  for (const key of keys) {
    const text = JSON.stringify(key)
    const [here, there] = [source.get(text), target.get(text)]
    const wanted = isEnding(plan, here, there, until)
      ? 'equal'
      : changeOf(sides, key, here ?? null, there ?? null, options)
    if (typeof wanted === 'string') outcome.set(text, wanted)
    else changes.push(wanted)
  }
  const taken = await heldOtherwise(
    sides,
    changes.flatMap(({ key, before, after }) => (before === null && after !== null ? [key] : [])),
  )
  for (const text of taken) outcome.set(text, oneKey())
  const free = changes.filter(({ text }) => !taken.has(text))
  for (const some of grouped(free, around.to.can.atomic === 'row')) await applied(plan, some, around, outcome)
  if (around.to.can.atomic === 'row' || plan.checked !== undefined)
    await readAgain(sides, free, around, options, outcome)
  return outcome
}

/** Keys for which the target returns a row with another key (collation): a write would overwrite that row. */
async function heldOtherwise(sides: DiffSides, keys: readonly RowKey[]): Promise<ReadonlySet<string>> {
  if (keys.length === 0) return new Set()
  const asked = new Set(keys.map((key) => JSON.stringify(key)))
  const found = [...(await byBound(sides, 'target', keys)).keys()]
  if (found.every((text) => asked.has(text))) return new Set()
  if (keys.length === 1) return asked
  const half = keys.length >> 1
  const first = await heldOtherwise(sides, keys.slice(0, half))
  return new Set([...first, ...(await heldOtherwise(sides, keys.slice(half)))])
}

function oneKey(): SluiceError {
  return new SluiceError('ROW_REFUSED', 'the target holds another row under this key', {
    reason: 'both keys are equal in the target',
    hint: 'give one of the two rows another key at the source',
  })
}

function changeOf(
  sides: DiffSides,
  key: RowKey,
  source: Timed | null,
  target: Timed | null,
  options: RepairOptions,
): Change | 'left' | 'equal' {
  const { plan } = sides
  const lifetimes = sides.lifetimes === true
  const text = JSON.stringify(key)
  if (source === null) {
    if (target === null) return 'equal'
    return options.deleteExtra ? { text, key, before: target.row, after: null, stamp: undefined, source } : 'left'
  }
  if (target === null) {
    if (options.only === 'different' || (isCounting(plan) && options.counters !== true)) return 'left'
  } else {
    if (differing(sides, source, target).length === 0) return 'equal'
    if (options.only === 'missing') return 'left'
  }
  const { row, stamp, newer } = repairOf(
    plan,
    source,
    target,
    options.times ?? {},
    options.overwriteNewer === true,
    lifetimes,
  )
  if (target !== null && differing(sides, source, target).every((name) => newer.includes(name))) return 'left'
  return { text, key, before: target?.row ?? null, after: row, stamp: isCounting(plan) ? undefined : stamp, source }
}

/** Separates new rows, existing rows and removals: with `byRow`, NULLs are written only over existing rows. */
function grouped<C extends Change>(changes: readonly C[], byRow: boolean): readonly (readonly C[])[] {
  const kinds: ((change: C) => boolean)[] = byRow
    ? [
        ({ before, after }) => before === null && after !== null,
        ({ before, after }) => before !== null && after !== null,
        ({ after }) => after === null,
      ]
    : [({ after }) => after !== null, ({ after }) => after === null]
  return kinds.map((kind) => changes.filter(kind)).filter(({ length }) => length > 0)
}

/** Applies all changes together; if one is refused, each alone. */
async function applied(
  plan: TablePlan,
  changes: readonly Change[],
  around: Repairing,
  outcome: Map<string, RepairResult>,
): Promise<void> {
  try {
    const notes = changes.map(({ key, before, after }) =>
      repairStatement(around.database, around.runId, {
        table: around.key,
        key,
        before: before === null ? null : writtenCells(plan, before),
        after: after === null ? null : writtenCells(plan, after),
      }),
    )
    await change(plan, changes, notes, notedStatement(notes), around)
    for (const { text } of changes) outcome.set(text, 'fixed')
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'ROW_REFUSED' && error.code !== 'VALUE_REFUSED') throw thrown
    const [only] = changes
    if (only !== undefined && changes.length === 1) outcome.set(only.text, error)
    else for (const one of changes) await applied(plan, [one], around, outcome)
  }
}

/**
 * Reads repaired rows again. In some targets a recent removal hides a write with an older time, and a target may
 * compute another value, so only a read shows whether a row is repaired.
 */
async function readAgain(
  sides: DiffSides,
  changes: readonly Change[],
  around: Repairing,
  options: RepairOptions,
  outcome: Map<string, RepairResult>,
): Promise<void> {
  const done = changes.filter(({ text }) => outcome.get(text) === 'fixed')
  if (done.length === 0) return
  const { checked } = sides.plan
  const byRow = around.to.can.atomic === 'row'
  const unlike = async (): Promise<readonly Change[]> => {
    // New view: an open one may show the rows as before the write.
    await using target = await around.to.source(around.signal)
    const found = await byBound(
      { ...sides, target },
      'target',
      done.map(({ key }) => key),
    )
    return done.filter(({ text, after, source }) => {
      const now = found.get(text) ?? null
      if (!byRow) return after !== null && now !== null && isComputedOtherwise(sides.plan, after, now.row)
      if (after === null || now === null || source === null) return (now === null) !== (after === null)
      return differing(sides, { ...source, row: after }, now).length > 0
    })
  }
  let left = await unlike()
  const again = left.filter(({ after }) => after !== null).map((one) => ({ ...one, stamp: writtenNow(one.stamp) }))
  if (byRow && options.overwriteNewer === true && again.length > 0) {
    await change(sides.plan, again, [], NEVER, around)
    left = await unlike()
  }
  for (const { text, after } of left) {
    const error = checked === undefined ? 'left' : computedOtherwise(checked)
    outcome.set(text, !byRow ? error : after === null ? notRemoved() : 'left')
  }
}

/** Later than any removal until now, with the TTLs of the source. */
function writtenNow(stamp: Stamp | undefined): Stamp | undefined {
  if (stamp === undefined) return undefined
  const now = BigInt(Date.now()) * 1000n
  return { ...stamp, times: stamp.times.map((time) => (time === null ? null : now)) }
}

function notRemoved(): SluiceError {
  return new SluiceError('ROW_REFUSED', 'a part of the row was not removed', {
    reason: 'it was written meanwhile, or no more than ten minutes ago without a readable write time',
    hint: 'run the diff again later',
  })
}

/** True if the target computes another value from these values. False if another writer changed the row since. */
function isComputedOtherwise({ columns }: TablePlan, given: Row, now: Row): boolean {
  const isSame = (cell: Row[number], at: number): boolean => isEqualCell(cell ?? null, now[at] ?? null)
  return given.slice(0, columns.length).every(isSame) && !given.every(isSame)
}

/** Error for rows that were written and still differ. */
function computedOtherwise(checked: readonly ColumnPlan[]): SluiceError {
  const names = checked.map(({ to }) => to).join(', ')
  return new SluiceError('ROW_REFUSED', `the target computes ${names} itself and gets another value`, {
    hint: 'give the columns of the target the expressions of the source',
  })
}

/** A row changed by repairs of one run: as it was before the first one, and as the last one left it. */
export type Undoing = {
  readonly ids: readonly string[]
  readonly key: RowKey
  readonly before: Row | null
  readonly after: Row | null
}

/**
 * Restores rows as they were before a repair; the rows of one call together. Only a target with transactions notes that
 * they are undone: in others `noteUndone` has to follow, because an undo that breaks off before is repeated.
 */
export async function undoRepairs(plan: TablePlan, undone: readonly Undoing[], around: Repairing): Promise<void> {
  const back = undone.map(({ ids, key, before, after }) => {
    return { ids, text: '', key, before: after, after: before, stamp: undefined, source: null }
  })
  for (const some of grouped(back, around.to.can.atomic === 'row')) {
    const ids = some.flatMap((one) => one.ids)
    const isNoted = around.to.can.atomic === 'chunk'
    const notes = isNoted ? ids.map((id) => undoneStatement(around.database, id)) : []
    await change(plan, some, notes, isNoted ? wasUndone(ids[0] ?? '') : NEVER, around)
  }
}

/** Notes that rows are as before their repairs; nothing in a target with transactions, which has noted it. */
export async function noteUndone(
  undone: readonly Undoing[],
  { to, database }: Pick<Repairing, 'to' | 'database'>,
): Promise<void> {
  if (to.can.atomic === 'chunk' || undone.length === 0) return
  await database.batch(undone.flatMap(({ ids }) => ids.map((id) => undoneStatement(database, id))))
}

/**
 * Overwrites the rows with these keys, or removes them where there is no new row.
 * @param landed gives a row once the notes are stored, if notes and rows share a transaction
 * @throws SluiceError LEASE_LOST if another process holds the lease
 */
async function change(
  plan: TablePlan,
  changes: readonly Change[],
  notes: readonly Statement[],
  landed: Statement,
  { to, database, signal, hold }: Repairing,
): Promise<void> {
  const { atomic } = to.can
  const rows = changes.flatMap(({ after }) => (after === null ? [] : [writtenCells(plan, after)]))
  const stamps = changes.flatMap(({ stamp }) => stamp ?? [])
  const isNew = atomic === 'row' && changes.every(({ before }) => before === null)
  // Without one transaction for all of it, record the old rows before changing them.
  if (atomic !== 'chunk' && notes.length > 0) {
    const owner = randomUUID()
    await batchOnce(database, owner, notes)
    // The notes need no tokens any more: each has its own key, so a repeat would be refused.
    await database.batch([forgetBatches(owner)])
  }
  await withWriter(
    to.target(),
    {
      table: keyedTargetTable(plan),
      columns: writeColumns(plan),
      range: targetRange({ plan }, { by: 'keys', keys: changes.map(({ key }) => key) }),
      // Over existing rows NULLs are written too; a new row needs none.
      onExisting: rows.length === 0 ? 'replace-range' : isNew ? 'refuse' : 'upsert',
      careful: false,
      cursor: null,
      signal,
    },
    async (writer) => {
      if (rows.length > 0) {
        const step = atomic === 'batch' ? { ...FREELY, guard: hold?.guard ?? TRUE } : undefined
        await (stamps.length === rows.length ? writer.write(rows, step, stamps) : writer.write(rows, step))
      }
      const closing: Closing = {
        statements: [...(hold === undefined ? [] : [hold.renew]), ...(atomic === 'chunk' ? notes : [])],
        guard: hold?.guard ?? TRUE,
        landed,
      }
      if ((await writer.commit(closing)) === 'fenced') {
        throw new SluiceError('LEASE_LOST', `another program repairs ${plan.target.table.name} now`)
      }
    },
  )
}

async function byBound(
  sides: DiffSides,
  side: 'source' | 'target',
  keys: readonly RowKey[],
): Promise<ReadonlyMap<string, Timed>> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const request = side === 'source' ? sourceRequest(sides, range) : targetRequest(sides, range)
  const rows = await timedByKey(sides[side], request, plan, signal)
  return new Map([...rows.values()].map((one) => [JSON.stringify(rowBound(plan, one.row)), one]))
}

/** Source names of columns whose values differ, or whose expiry differs if that is compared. */
function differing({ plan, lifetimes }: DiffSides, a: Timed, b: Timed): readonly string[] {
  const values = comparedColumns(plan).flatMap(({ from }, at) =>
    isEqualCell(a.row[at] ?? null, b.row[at] ?? null) ? [] : [from],
  )
  if (lifetimes !== true) return values
  return [...new Set([...values, ...differingLifetimes(plan, a, b).map(({ column }) => column)])]
}

/** True for counter tables: values are added to, never set. */
function isCounting({ columns }: TablePlan): boolean {
  return columns.some(({ target }) => target.native === 'counter')
}
