/** Makes the target equal to the source, key by key. The old row is recorded in the same transaction, or before it. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Row, WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { comparedColumns, writtenCells } from '../table/context.ts'
import {
  correctedStatement,
  removeNoteStatement,
  notedStatement,
  packedRow,
  repairStatement,
} from '../ledger/repairs.ts'
import {
  change,
  changeAsOne,
  changeTogether,
  isEqualRow,
  kindsOf,
  NEVER,
  EqualKey,
  storedOtherwise,
  storesAnother,
  type Change,
  type ChangeResult,
  type Notes,
  type TableRepair,
} from './change.ts'
import { expiryOfRow } from './expiry.ts'
import { latestExpiry, isExpiring } from './expiring-rows.ts'
import { removalOfOlderSpelling, respelledError, rowsUnderEqualKeys } from './respelled.ts'
import { byBound, type DiffSides } from './sides.ts'
import { differingLifetimes, repairOf, isEqualCell, type Timed, type TimeOptions } from './times.ts'

export type RepairOptions = {
  /** True to remove rows that the source does not have; otherwise they stay. */
  readonly deleteExtra: boolean
  /** True to replace a row that the target holds under another spelling of its key; otherwise the row is refused. */
  readonly replaceRespelled: boolean
  readonly only?: 'missing' | 'different'
  /** Set to write missing counter rows by increments. */
  readonly counters?: true
  readonly overwriteNewer?: true
  readonly times?: TimeOptions
}

/**
 * `left`: the options exclude the repair, or the target has newer values. `equal`: the row no longer differs.
 * `changed`: another program changed the row between read and write, and nothing was written.
 */
export type RepairResult = ChangeResult | 'left' | 'equal'

/**
 * Reads the rows again, in the target before the source, and writes the source's values.
 * @returns the result per key, by its JSON text; also of keys whose row was replaced under another spelling
 */
export async function repairKeys(
  sides: DiffSides,
  keys: readonly RowKey[],
  repair: TableRepair,
  options: RepairOptions,
): Promise<ReadonlyMap<string, RepairResult>> {
  const { plan } = sides
  const begunMs = Date.now()
  const target = await byBound(sides, 'target', keys)
  const source = await byBound(sides, 'source', keys)
  const until = await latestExpiry(sides, begunMs, [...source.values(), ...target.values()])
  const outcome = new Map<string, RepairResult>()
  const changes: Change[] = []
  for (const key of keys) {
    const text = JSON.stringify(key)
    const [here, there] = [source.get(text), target.get(text)]
    const wanted = isExpiring(plan, here, there, until)
      ? 'equal'
      : changeOf(sides, key, here ?? null, there ?? null, options)
    if (typeof wanted === 'string') outcome.set(text, wanted)
    else changes.push(wanted)
  }
  const taken = [...(await rowsUnderEqualKeys(sides, changes.filter(isNew)))]
  // A target that commits by batch cannot read rows before it writes them, so find equal keys now.
  const mixed =
    repair.to.can.atomic === 'batch'
      ? await rowsUnderEqualKeys(
          sides,
          changes.filter((one) => !isNew(one)),
        )
      : []
  for (const [{ text }, others] of mixed) outcome.set(text, new EqualKey(others))
  const apart = new Set([...taken, ...mixed].map(([one]) => one))
  const free = changes.filter((one) => !apart.has(one))
  const notes = new Map<Change, string[]>()
  const notesOf = (some: readonly Change[]): Notes => repairNotes(plan, some, repair, notes)
  const make = async (some: readonly Change[]): Promise<void> => {
    for (const [one, result] of await changeTogether(plan, some, notesOf, repair)) {
      if (result instanceof EqualKey && isNew(one)) taken.push([one, result.others])
      else outcome.set(one.text, result)
    }
  }
  for (const some of kindsOf(free.filter(({ after }) => after !== null))) await make(some)
  const replaced = new Map<string, Change>()
  for (const [one, others] of taken) {
    const old = await removalOfOlderSpelling(sides, others)
    if (old === null || replaced.has(old.text)) outcome.set(one.text, new EqualKey(others))
    else if (!options.replaceRespelled) outcome.set(one.text, respelledError(old))
    else {
      const both = [one, old]
      const result = await changeAsOne(plan, both, notesOf(both), repair)
      for (const { text } of both) outcome.set(text, result)
      replaced.set(old.text, old)
    }
  }
  await make(free.filter(({ text, after }) => after === null && !replaced.has(text)))
  const { atomic } = repair.to.can
  if (atomic === 'chunk') return outcome
  const stored = await readAgain(sides, [...changes, ...replaced.values()], repair, options, outcome)
  if (atomic === 'batch') await correctNotes(plan, notes, outcome, stored, repair)
  return outcome
}

function isNew({ before, after }: Change): boolean {
  return before === null && after !== null
}

/** @param ids receives the ids of the notes of each change */
function repairNotes(
  plan: TablePlan,
  changes: readonly Change[],
  { to, database, runId, key: table }: TableRepair,
  ids: Map<Change, string[]>,
): Notes {
  const statements = changes.map((one) => {
    const { key, before, after, expiry = null } = one
    const note = repairStatement(database, runId, {
      table,
      key,
      before: before === null ? null : writtenCells(plan, before),
      after: after === null ? null : writtenCells(plan, after),
      expiry: before === null ? null : (expiry?.slice(0, plan.columns.length) ?? null),
    })
    ids.set(one, [...(ids.get(one) ?? []), String(note.parameters[0])])
    return note
  })
  // Notes that are stored before the rows do not show whether the rows were written.
  return { statements, storedGuard: to.can.atomic === 'chunk' ? notedStatement(statements) : NEVER }
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
  const expiry = target === null ? null : expiryOfRow(target)
  if (source === null) {
    if (target === null) return 'equal'
    if (!options.deleteExtra) return 'left'
    return { text, key, before: target.row, after: null, stamp: target.stamp ?? undefined, expiry, source }
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
  const before = target?.row ?? null
  return { text, key, before, after: row, stamp: isCounting(plan) ? undefined : stamp, expiry, source }
}

/**
 * Reads repaired rows again, in targets where the transaction of the repair cannot read them. In some targets a recent
 * removal hides a write with an older write time, and a trigger may change or ignore a write. So only a read shows
 * whether a row is repaired.
 * @returns for each change whose row differs in the target now: the target's row, or null if it has none
 */
async function readAgain(
  sides: DiffSides,
  changes: readonly Change[],
  repair: TableRepair,
  options: RepairOptions,
  outcome: Map<string, RepairResult>,
): Promise<ReadonlyMap<Change, Row | null>> {
  const done = changes.filter(({ text }) => outcome.get(text) === 'fixed')
  if (done.length === 0) return new Map()
  const { plan } = sides
  const byRow = repair.to.can.atomic === 'row'
  const unlike = async (): Promise<ReadonlyMap<Change, Row | null>> => {
    // Open a new read view: an older one may return the rows as before the write.
    await using target = await repair.to.source(repair.signal)
    const keys = done.map(({ key }) => key)
    const found = await byBound({ ...sides, target }, 'target', keys)
    const others = done.filter(({ text, after, source }) => {
      const now = found.get(text) ?? null
      if (after === null || now === null || source === null) return (now === null) !== (after === null)
      return differing(sides, { ...source, row: after }, now).length > 0
    })
    return new Map(others.map((one) => [one, found.get(one.text)?.row ?? null]))
  }
  let left = await unlike()
  const again = [...left.keys()].filter(({ after }) => after !== null)
  if (byRow && options.overwriteNewer === true && again.length > 0) {
    const later = again.map((one) => ({ ...one, stamp: withCurrentTime(one.stamp) }))
    await change(plan, later, { statements: [], storedGuard: NEVER }, repair)
    left = await unlike()
  }
  for (const [{ text, before, after }, now] of left) {
    if (byRow && after === null && now !== null && before !== null && !isEqualRow(before, now)) {
      outcome.set(text, 'changed')
      continue
    }
    const stored = after === null || now === null ? storesAnother() : storedOtherwise(plan, after, now)
    const isComputed = after !== null && now !== null && isEqualRow(writtenCells(plan, after), now)
    if (byRow && !isComputed) outcome.set(text, after === null ? notRemoved() : 'left')
    else outcome.set(text, stored)
  }
  return left
}

/**
 * Corrects notes that were recorded before their repairs. Removes the notes of rows that were not written; other notes
 * get the row that the target stored.
 * @param notes ids of the notes by change; the last id belongs to the last attempt
 */
async function correctNotes(
  plan: TablePlan,
  notes: ReadonlyMap<Change, readonly string[]>,
  outcome: ReadonlyMap<string, RepairResult>,
  stored: ReadonlyMap<Change, Row | null>,
  { database }: TableRepair,
): Promise<void> {
  const statements = [...notes].flatMap(([one, ids]) => {
    const now = stored.get(one)
    const isWritten =
      outcome.get(one.text) === 'fixed' || (now !== undefined && packedRow(now) !== packedRow(one.before))
    const wrong = (isWritten ? ids.slice(0, -1) : ids).map((id) => removeNoteStatement(id))
    if (!isWritten || now === undefined) return wrong
    return [...wrong, correctedStatement(ids.at(-1) ?? '', now === null ? null : writtenCells(plan, now))]
  })
  if (statements.length > 0) await database.batch(statements)
}

/**
 * Write times and TTLs for a row: the current time, which is later than earlier removals, and the TTLs of the source.
 */
function withCurrentTime(stamp: WriteTimes | undefined): WriteTimes | undefined {
  if (stamp === undefined) return undefined
  const now = BigInt(Date.now()) * 1000n
  return { ...stamp, times: stamp.times.map((time) => (time === null ? null : now)) }
}

function notRemoved(): SluiceError {
  return new SluiceError('ROW_REFUSED', 'some columns of the row were not removed', {
    reason:
      'they were written after the row was read; or their write time cannot be read, and they may be less than ten minutes old',
    hint: 'run the same diff again after ten minutes',
  })
}

/** Source names of columns whose values differ, or whose expiry differs if that is compared. */
function differing({ plan, lifetimes }: DiffSides, a: Timed, b: Timed): readonly string[] {
  const values = comparedColumns(plan).flatMap(({ from }, at) =>
    isEqualCell(a.row[at] ?? null, b.row[at] ?? null) ? [] : [from],
  )
  if (lifetimes !== true) return values
  return [...new Set([...values, ...differingLifetimes(plan, a, b).map(({ column }) => column)])]
}

/** True for counter tables: counters are incremented, never set. */
function isCounting({ columns }: TablePlan): boolean {
  return columns.some(({ target }) => target.native === 'counter')
}
