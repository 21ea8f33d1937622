/** Writes rows to the target if they have not changed since they were read, and reads the stored rows back. */
import { randomUUID } from 'node:crypto'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { ChunkRequest, ChunkWriter } from '../../../model/copy/target-port.ts'
import type { BatchStep, Closing, LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { ValueTaken } from '../../../stores/common/refusals.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'
import { batchOnce, forgetBatches } from '../ledger/once.ts'
import { comparedColumns, keyedTargetTable, writeColumns, writtenCells } from '../table/context.ts'
import type { TableKey } from '../ledger/owner.ts'
import type { Expiry } from '../ledger/repairs.ts'
import { ByKey, rowBound, targetRange } from './sides.ts'
import { isEqualCell, type Timed } from './times.ts'

/** Context of a repair of one table. */
export type TableRepair = {
  readonly to: CopyStore
  readonly database: LedgerDatabase
  readonly key: TableKey
  readonly runId: bigint
  readonly signal: AbortSignal
  readonly hold?: RepairLease
}

/** Lease that a process must hold while it repairs; a write without it changes nothing. */
export type RepairLease = {
  /** Updates one row while the process holds the lease. */
  readonly renew: Statement
  /** Returns a row while the process has the lease. */
  readonly guard: Statement
}

/** A row to write, or to remove if `after` is null. */
export type Change = {
  /** The key as JSON. */
  readonly text: string
  readonly key: RowKey
  readonly before: Row | null
  /** The new row, including values that the target computes itself. */
  readonly after: Row | null
  /** Write times and TTLs of the new row. For a removal: those of the row as it was read. */
  readonly stamp: WriteTimes | undefined
  /** Expiry times of `before`; null if no value of it expires. */
  readonly expiry?: Expiry | null
  /** The source row as read; null if the source has none. */
  readonly source: Timed | null
  /** Set if the change is also accepted when the target has the row `after` already. */
  readonly mayBeDone?: true
}

/** `changed`: the row in the target has changed since it was read, and nothing was written. */
export type ChangeResult = 'fixed' | 'changed' | SluiceError

/** Statements for the ledger that record changed rows. */
export type Notes = {
  readonly statements: readonly Statement[]
  /** Returns a row once the statements are stored, if they and the rows share a transaction. */
  readonly storedGuard: Statement
}

const TRUE: Statement = { sql: 'SELECT 1', parameters: [] }
/**
 * Returns no row. Used as `landed` or `storedGuard` for a write that may be repeated: if the reply is lost, the write
 * is done again.
 */
export const NEVER: Statement = { sql: 'SELECT 1 WHERE 1 = 0', parameters: [] }
const NO_LEASE: BatchStep = { guard: TRUE, advance: TRUE, landed: NEVER }

/**
 * Applies all changes of one `kindsOf` group in one write, without those that cannot be made. If the target refuses the
 * write, applies the changes one by one, and those that exchange unique values together.
 * @param notesOf the ledger's statements for some of the changes
 * @returns the result per change. 'fixed' rows were read back only if the target's `atomic` is 'chunk'
 * @throws SluiceError LEASE_LOST if another process holds the lease
 */
export async function changeTogether(
  plan: TablePlan,
  changes: readonly Change[],
  notesOf: (some: readonly Change[]) => Notes,
  repair: TableRepair,
): Promise<ReadonlyMap<Change, ChangeResult>> {
  const results = new Map<Change, ChangeResult>()
  let left = changes
  while (left.length > 0) {
    const some = left
    try {
      const { isMade, others } = await change(plan, some, notesOf(some), repair)
      for (const [one, result] of others) results.set(one, result)
      left = some.filter((one) => !results.has(one))
      if (!isMade) continue
      for (const one of left) results.set(one, 'fixed')
      return results
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (error.code !== 'ROW_REFUSED' && error.code !== 'VALUE_REFUSED') throw thrown
      const [only] = some
      if (only !== undefined && some.length === 1)
        return results.set(only, error instanceof ValueTaken ? withTakenHint(error) : error)
      for (const one of some)
        for (const [, result] of await changeTogether(plan, [one], notesOf, repair)) results.set(one, result)
      await replaceTogether(plan, some, results, notesOf, repair)
      return results
    }
  }
  return results
}

/**
 * Deletes rows and inserts them with their new values, in one transaction: rows that exchange values of a unique index
 * cannot be overwritten one after the other. Rows that are refused again keep their error.
 * @param results of the changes one by one; gets the new results
 */
async function replaceTogether(
  plan: TablePlan,
  changes: readonly Change[],
  results: Map<Change, ChangeResult>,
  notesOf: (some: readonly Change[]) => Notes,
  repair: TableRepair,
): Promise<void> {
  const taken = changes.filter((one) => results.get(one) instanceof ValueTaken && one.before !== null)
  // Columns that are not copied would lose their values.
  const isWhole = plan.target.columns.every(
    ({ name, generated }) => generated === true || plan.columns.some(({ to }) => to === name),
  )
  if (taken.length === 0 || !isWhole || repair.to.can.atomic !== 'chunk') return
  try {
    const { isMade, others } = await change(plan, taken, notesOf(taken), repair, 'replace-range')
    if (isMade) for (const one of taken) results.set(one, others.get(one) ?? 'fixed')
  } catch (thrown) {
    if (!ROW_ERRORS.has(asSluiceError(thrown).code)) throw thrown
  }
}

function withTakenHint({ message, where, reason }: ValueTaken): ValueTaken {
  return new ValueTaken(message, {
    where,
    reason,
    hint: 'delete the row of the target that has this value, then run the same command again: it writes that row too, if the source has it',
  })
}

/**
 * Applies changes that belong together in one write: all of them, or none.
 * @returns one result for all of them
 * @throws SluiceError LEASE_LOST if another process holds the lease
 */
export async function changeAsOne(
  plan: TablePlan,
  changes: readonly Change[],
  notes: Notes,
  repair: TableRepair,
): Promise<ChangeResult> {
  try {
    const { others } = await change(plan, changes, notes, repair)
    const [result = 'fixed'] = others.values()
    return result
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (!ROW_ERRORS.has(error.code)) throw thrown
    return error
  }
}

/** Errors that concern this row only; TABLE_REFUSED: other rows refer to it. */
const ROW_ERRORS: ReadonlySet<string> = new Set(['ROW_REFUSED', 'VALUE_REFUSED', 'TABLE_REFUSED'])

/**
 * Separates existing rows, new rows and removals: a write of new rows must not overwrite rows that another program
 * wrote meanwhile. Changed rows come first, because a new row may need a unique value that they free.
 */
export function kindsOf(changes: readonly Change[]): readonly (readonly Change[])[] {
  const kinds = [
    changes.filter(({ before, after }) => before !== null && after !== null),
    changes.filter(({ before, after }) => before === null && after !== null),
    changes.filter(({ after }) => after === null),
  ]
  return kinds.filter(({ length }) => length > 0)
}

/**
 * Overwrites the rows with these keys, or removes them if `after` is null.
 * @throws SluiceError LEASE_LOST if another process holds the lease
 */
export async function change(
  plan: TablePlan,
  changes: readonly Change[],
  { statements: notes, storedGuard }: Notes,
  { to, database, signal, hold }: TableRepair,
  onExisting = onExistingOf(changes, to.can.atomic === 'row'),
): Promise<Outcome> {
  const { atomic } = to.can
  const rows = changes.flatMap(({ after }) => (after === null ? [] : [writtenCells(plan, after)]))
  const stamps = changes.flatMap(({ after, stamp }) => (after === null ? [] : (stamp ?? [])))
  // If rows and ledger are not written in one transaction, record the old rows before changing them.
  if (atomic !== 'chunk' && notes.length > 0) {
    const owner = randomUUID()
    await batchOnce(database, owner, notes)
    // The tokens can be deleted now: each note has its own key, so a repeated batch is refused without them.
    await database.batch([forgetBatches(owner)])
  }
  const request: ChunkRequest = {
    table: keyedTargetTable(plan),
    columns: writeColumns(plan),
    range: targetRange({ plan }, { by: 'keys', keys: changes.map(({ key }) => key) }),
    onExisting,
    careful: false,
    cursor: null,
    removed: changes.map(({ after, stamp }) => (after === null ? stamp : undefined)),
    signal,
  }
  return await withWriter(to.target(), request, async (writer) => {
    const isChecked = atomic === 'chunk'
    const changed = isChecked ? await changedSince(plan, changes, writer) : NONE
    if (changed.size > 0) return { isMade: false, others: changed }
    const step = atomic === 'batch' ? { ...NO_LEASE, guard: hold?.guard ?? TRUE } : undefined
    let written = 0
    if (rows.length > 0)
      written = await (stamps.length === rows.length ? writer.write(rows, step, stamps) : writer.write(rows, step))
    const stored = isChecked ? await readBack(plan, changes, written, writer) : MADE
    if (!stored.isMade) return stored
    const closing: Closing = {
      statements: [...(hold === undefined ? [] : [hold.renew]), ...(atomic === 'chunk' ? notes : [])],
      guard: hold?.guard ?? TRUE,
      landed: storedGuard,
    }
    if ((await writer.commit(closing)) === 'fenced') {
      throw new SluiceError('LEASE_LOST', `another program is repairing ${plan.target.table.name}`, {
        hint: 'wait until that program has ended, then run the same command again',
      })
    }
    return stored
  })
}

/**
 * Result of a write. `isMade`: true if the changes were made. If it is false, `others` has the changes that cannot be
 * made. If it is true, `others` has the changes for which the target computes other values than the source.
 */
type Outcome = { readonly isMade: boolean; readonly others: ReadonlyMap<Change, ChangeResult> }

const NONE: ReadonlyMap<Change, ChangeResult> = new Map()
const MADE: Outcome = { isMade: true, others: NONE }

function onExistingOf(changes: readonly Change[], byRow: boolean): ChunkRequest['onExisting'] {
  if (changes.some(({ after }) => after === null)) return 'replace-range'
  if (changes.some(({ before }) => before !== null)) return 'upsert'
  // If the target keeps each row at once (`byRow`), only `upsert` writes NULLs. New rows need no NULLs.
  return byRow ? 'refuse' : 'append'
}

async function changedSince(
  plan: TablePlan,
  changes: readonly Change[],
  writer: ChunkWriter,
): Promise<ReadonlyMap<Change, ChangeResult>> {
  const stored = await storedRows(plan, writer)
  const known = new Set(changes.map(({ text }) => text))
  const others = [...stored.keys()].flatMap((text) => (known.has(text) ? [] : stored.all(text)))
  if (others.length > 0) {
    const [only] = changes
    if (only === undefined || changes.length > 1) throw new EqualKey(others)
    return new Map([[only, new EqualKey(others)]])
  }
  const isAs = (rows: readonly Row[], row: Row | null): boolean =>
    row === null ? rows.length === 0 : rows.some((one) => isEqualRow(row, one))
  const changed = changes.filter(({ text, before, after, mayBeDone }) => {
    const rows = stored.all(text)
    return !isAs(rows, before) && !(mayBeDone === true && isAs(rows, after))
  })
  return new Map(changed.map((one) => [one, 'changed']))
}

/** @param written number of rows that the target reported as written */
async function readBack(
  plan: TablePlan,
  changes: readonly Change[],
  written: number,
  writer: ChunkWriter,
): Promise<Outcome> {
  // `stored` does not remove the rows that are to be removed, but `digest` does: call `digest` first.
  await writer.digest({ scheme: 'count' })
  const stored = await storedRows(plan, writer)
  const holds = ({ text }: Change, after: Row | null): boolean => {
    const rows = stored.all(text)
    return after === null ? rows.length === 0 : rows.length > 0 && rows.every((row) => isEqualRow(after, row))
  }
  const given = changes.filter(({ after }) => after !== null).length
  const unlike = changes.filter((one) => !holds(one, one.after === null ? null : writtenCells(plan, one.after)))
  const isTaken = ({ text, before, after }: Change): boolean =>
    before === null && after !== null && stored.has(text) && written < given
  // Either another program wrote the row, or a trigger changed it. Only a write of a single row shows which, by the
  // number of rows written.
  if (changes.length > 1 && unlike.some(isTaken)) throw storesAnother()
  const resultOf = (one: Change): ChangeResult => {
    const [row] = stored.all(one.text)
    if (isTaken(one)) return 'changed'
    return one.after === null || row === undefined ? storesAnother() : storedOtherwise(plan, one.after, row)
  }
  const isMade = unlike.length === 0
  const others = isMade ? changes.filter((one) => !holds(one, one.after)) : unlike
  return { isMade, others: new Map(others.map((one) => [one, resultOf(one)])) }
}

/** Rows in the range of the writer by their keys as JSON. */
async function storedRows(plan: TablePlan, writer: ChunkWriter): Promise<ByKey<Row>> {
  if (writer.stored === undefined) throw new Error('a target with transactions has to read rows in them')
  const rows = await writer.stored(writeColumns({ columns: comparedColumns(plan) }))
  const byKey = new ByKey<Row>()
  for (const row of rows) byKey.add(JSON.stringify(rowBound(plan, row)), row)
  return byKey
}

/** @param given row that may lack values that the target computes; these values are then not compared */
export function isEqualRow(given: Row, stored: Row): boolean {
  return given.every((cell, at) => isEqualCell(cell, stored[at] ?? null))
}

/** Error for a row that the target stores or computes with other values. */
export function storedOtherwise(plan: TablePlan, given: Row, stored: Row): SluiceError {
  const names = comparedColumns(plan).flatMap(({ to }, at) =>
    at >= given.length || isEqualCell(given[at] ?? null, stored[at] ?? null) ? [] : [to],
  )
  if (!isEqualRow(writtenCells(plan, given), stored)) return storesAnother(names)
  return new SluiceError(
    'ROW_REFUSED',
    `the target generates ${names.join(', ')} itself, and the result differs from the source`,
    {
      hint: 'generate these columns in the target with the expressions of the source',
    },
  )
}

/** Error for a row that was written or removed without an error, but is stored differently. */
export function storesAnother(columns: readonly string[] = []): SluiceError {
  const at = columns.length === 0 ? '' : ` (${columns.join(', ')})`
  return new SluiceError('ROW_REFUSED', `the target changed or ignored the write${at}`, {
    reason: 'a trigger or a rule of the target did this',
    hint: 'change or disable this trigger or rule, then run the same command again',
  })
}

/** Error: the target has other rows under a key that it treats as equal to the key of the row. */
export class EqualKey extends SluiceError {
  readonly others: readonly Row[]

  constructor(others: readonly Row[], hint = 'give one of the two rows another key at the source') {
    super('ROW_REFUSED', 'the target holds another row under this key', {
      reason: 'the target treats both keys as equal',
      hint,
    })
    this.others = others
  }
}

/** Error for a row that another program changed each time it was to be written. */
export function changedMeanwhile(): SluiceError {
  return new SluiceError('TARGET_BUSY', 'another program has changed the row meanwhile', {
    reason: 'a repair overwrites a row only if it has not changed since it was read',
    hint: 'run the same command again',
    retryable: true,
  })
}
