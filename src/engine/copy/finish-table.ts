/** When no chunk of a table is left: what the ledger says of it, what the target holds, and whether that is all. */
import { tableText } from '../../model/copy/column-type.ts'
import { dec, type CopyTally } from '../../model/event.ts'
import { sumText } from '../../model/copy/row-hash.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { settingsRefused } from './plan/rows-left.ts'
import { isoTime } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { CopyOperation } from '../operation.ts'
import { againNotes, againTold, asCompared } from './again/again-work.ts'
import { compareDigests } from './chunk-proof.ts'
import { lookAt, type TableContext } from './context.ts'
import type { LeftBehind } from '../../model/copy/left-behind.ts'
import { leftOfTable } from './plan/left-behind.ts'
import { onSide } from './sides.ts'
import type { StoredChunk } from './ledger/stored-chunk.ts'
import type { RunLedger } from './ledger/runs.ts'
import { earlierOf, lookEarlier, provedSpan, type Looked } from './look/look-earlier.ts'
import { isWanted, openTokens } from './plan/ring-plan.ts'
import { buildOwnObjects, objectsError } from './objects/build-objects.ts'
import { patiently } from './patience.ts'
import { retryAside } from './retry-aside.ts'
import type { Surroundings } from './surroundings.ts'
import type { Ended, TableRun, Tallies } from './table-run.ts'
import type { Views } from './views.ts'

/** Tells how a table ended, unless that has been told already. */
export async function finishTable(table: TableRun, context: TableContext, around: Surroundings): Promise<Ended> {
  if (table.ended !== undefined) return table.ended
  const { operation, run, views, steering, runs } = around
  let chunks: readonly StoredChunk[] = []
  let error = table.error
  let unbuilt = 0
  let more: readonly string[] = []
  let looked: Looked | null = null
  try {
    if (error === null && table.again === undefined && !steering.stop.aborted && !run.interrupt.abort.aborted)
      await retryAside(context, steering.stop)
    const all = await context.ledger.all()
    chunks = context.ring === null ? all : all.filter(isWanted(context.ring))
    error ??= verdict(context, chunks, table, operation, steering.leavesOut(context.name))
    if (error === null && !steering.stop.aborted && (await isHalfCut(context, runs, chunks))) {
      error = new SluiceError('CHUNKS_FAILED', `${context.name} is not cut into chunks to its end`, {
        hint: 'run the same command again: it goes on where this one ended',
      })
    }
    if (table.again !== undefined) chunks = proved(asCompared(chunks, table.again), table.again, context)
    const mayLook = table.again === undefined && (error === null || error.code === 'ROWS_ASIDE')
    if (mayLook && !steering.stop.aborted && !run.interrupt.abort.aborted) {
      looked = await lookEarlier(context, chunks, all, around)
      error = worse(error, looked.error)
    }
    const whole = chunks.every(({ status }) => status === 'completed')
    // Rows that came or went since are no cause to leave a table without its indexes.
    if ((error === null || error === looked?.error) && whole && !run.interrupt.abort.aborted) {
      await patiently(() => proveWhole(context, chunks), context, steering.stop)
      const built = await buildOwnObjects(context, around)
      unbuilt = built.left
      if (built.errors.length > 0) error ??= objectsError(context.name, built.errors)
      // Statistics at the end, so that those of indexes on expressions are among them.
      more = await patiently(() => finishTarget(context, around), context, steering.stop)
    }
    // Who has waited to divide it may do so now.
    await context.planning.end()
  } catch (thrown) {
    error ??= asSluiceError(thrown)
  }
  const tally = talliesOf(context, chunks, looked?.looked ?? 0)
  const unlooked = looked?.isStopped === true
  const points = new Set(chunks.flatMap(({ view }) => (view === null ? [] : [view]))).size
  const unfinished = tally.proved + tally.earlier < tally.chunks || unbuilt > 0 || unlooked
  const leftOut = error === null && unfinished && steering.leavesOut(context.name)
  const open = leftOut ? 'skipped' : unfinished && steering.stop.aborted ? 'stopped' : 'ok'
  run.emit({
    type: 'table.finished',
    table: context.name,
    status: error === null ? open : 'failed',
    ms: Math.round(run.clock.ticks() - table.begun),
    copied: copyTally(tally, points, table, earlierOf(context, chunks)),
    ...notesOf(context, points, views, table, [
      ...more,
      ...(looked?.notes ?? []),
      ...extraNotes(context, table, chunks),
    ]),
    ...leftLine(context, around.left),
    ...(error === null ? {} : { error: error.info() }),
  })
  table.ended = { tally, error, leftOut, unbuilt, unlooked }
  return table.ended
}

/**
 * Sequences are read after the last row was: a number that the source has given by then is given by no target again.
 * @returns what the sequences of the target cannot do
 */
async function finishTarget(
  { name, plan, target, signal }: TableContext,
  { from, left }: Surroundings,
): Promise<readonly string[]> {
  const lost = new Set(leftOfTable(left, name).flatMap(({ kind, names }) => (kind === 'sequence' ? names : [])))
  const numbered = plan.source.columns.some(({ name: own, sequence }) => sequence !== undefined && !lost.has(own))
  const beside = numbered ? from.beside?.() : undefined
  const found = beside === undefined ? [] : await onSide('source', () => beside.sequences(plan.source, signal))
  const copied = found.flatMap((sequence) => {
    const column = plan.columns.find((one) => one.from === sequence.column)?.to
    return column === undefined || lost.has(sequence.column) ? [] : [{ ...sequence, column }]
  })
  const unread = copied.flatMap(({ column, next }) =>
    next === null
      ? [`the position of the sequence of ${column} could not be read: the target goes on behind the largest value`]
      : [],
  )
  return [...unread, ...(await target.finish(plan.target, signal, copied))]
}

function leftLine(
  { name, plan, target }: TableContext,
  left: readonly LeftBehind[],
): { readonly leftBehind?: readonly LeftBehind[] } {
  const own = [...leftOfTable(left, name), ...settingsRefused(plan, target)]
  return own.length === 0 ? {} : { leftBehind: own }
}

/** Whether nobody has divided it to its end, and nobody is about to. */
async function isHalfCut(
  { key, planning, ring }: TableContext,
  runs: RunLedger,
  chunks: readonly StoredChunk[],
): Promise<boolean> {
  if (ring !== null && openTokens(ring, chunks).length > 0) return true
  return (await runs.plan(key))?.planned !== true && !(await planning.underWay())
}

function verdict(
  { name, plan }: TableContext,
  chunks: readonly StoredChunk[],
  table: TableRun,
  operation: CopyOperation,
  leavesOut: boolean,
): SluiceError | null {
  const failed = chunks.filter(({ status }) => status === 'failed')
  const [first] = failed
  if (first !== undefined) {
    return new SluiceError(
      'CHUNKS_FAILED',
      `${failed.length} of ${chunks.length} chunks of ${name} failed: ${first.error ?? 'no cause is noted'}`,
      {
        hint: 'mend the cause, then run the same command again: it does only what is not done',
      },
    )
  }
  const aside = chunks.reduce((sum, { quarantined }) => sum + quarantined, 0n)
  if (aside > 0n) {
    return new SluiceError(
      'ROWS_ASIDE',
      aside === 1n ? 'one row is not in the target' : `${aside} rows of ${name} are not in the target`,
      {
        hint: 'migration_quarantine in the target says why; mend them at the source, then sluice retry-quarantine',
      },
    )
  }
  if (table.done && !leavesOut && operation.part === undefined && chunks.some(({ status }) => status !== 'completed')) {
    return new SluiceError('CHUNKS_FAILED', `chunks of ${tableText(plan.source.table)} are left undone`, {
      hint: 'run the same command again: it does only what is not done',
    })
  }
  return null
}

/** Chunks of blocks are no ranges of the target: their sums add up to that of the whole table there. */
async function proveWhole(context: TableContext, chunks: readonly StoredChunk[]): Promise<void> {
  const { plan } = context
  if (plan.cut === 'key' || plan.proof !== 'canonical' || plan.onExisting !== 'refuse') return
  const sum = chunks.reduce((all, { sourceSum }) => all + BigInt(`0x${sourceSum ?? '0'}`), 0n)
  const rows = chunks.reduce((all, { written }) => all + written, 0n)
  const stored: Digest = await lookAt(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'canonical' }))
  compareDigests(plan, { rows, sum: sumText(sum) }, stored)
}

/** Rows that are not there count for more than rows that were set aside. */
function worse(error: SluiceError | null, looked: SluiceError | null): SluiceError | null {
  return error === null || (looked !== null && error.code === 'ROWS_ASIDE') ? (looked ?? error) : error
}

function talliesOf(context: TableContext, chunks: readonly StoredChunk[], looked: number): Tallies {
  const done = chunks.filter(({ status }) => status === 'completed')
  const earlier = earlierOf(context, chunks).length
  const sum = (pick: (chunk: StoredChunk) => bigint): bigint => done.reduce((all, chunk) => all + pick(chunk), 0n)
  const [read, written, quarantined] = [
    sum(({ read: n }) => n),
    sum(({ written: n }) => n),
    sum(({ quarantined: n }) => n),
  ]
  return {
    read,
    written,
    skipped: sum(({ skipped: n }) => n),
    quarantined,
    bytes: sum(({ bytes: n }) => n),
    chunks: BigInt(chunks.length),
    proved: BigInt(done.length - earlier),
    earlier: BigInt(earlier),
    looked: BigInt(looked),
  }
}

function copyTally(tally: Tallies, points: number, { again }: TableRun, earlier: readonly StoredChunk[]): CopyTally {
  const span = provedSpan(earlier)
  return {
    ...(again === undefined ? {} : { again: againTold(again) }),
    chunks: dec(tally.chunks),
    proved: dec(tally.proved),
    earlier: dec(tally.earlier),
    looked: dec(tally.looked),
    ...(span === null ? {} : { provedAt: [isoTime(span[0]), isoTime(span[1])] as const }),
    read: dec(tally.read),
    written: dec(tally.written),
    skipped: dec(tally.skipped),
    quarantined: dec(tally.quarantined),
    bytes: dec(tally.bytes),
    readPoints: dec(points),
  }
}

/** Rows of the target that no row of the source was written to, as far as that was counted. */
function extraRows(chunks: readonly StoredChunk[]): bigint {
  return chunks.reduce((sum, { status, surplus, quarantined }) => {
    const extra = status === 'completed' && surplus !== null ? surplus + quarantined : 0n
    return extra > 0n ? sum + extra : sum
  }, 0n)
}

/** Rows of others between those that were read: nothing is proved of them. */
function extraNotes(
  { plan, owner }: TableContext,
  { again }: TableRun,
  chunks: readonly StoredChunk[],
): readonly string[] {
  // Of chunks of other runs the look tells, and of compared ones the comparison.
  const own = chunks.filter(({ id, runId }) => runId === owner.runId && again?.done.has(id) !== true)
  const extra = extraRows(own)
  if (extra === 0n) return []
  return [
    `the target holds ${extra} ${extra === 1n ? 'row' : 'rows'} more than the source in the ranges that were copied: --on-existing ${plan.onExisting} leaves ${extra === 1n ? 'it' : 'them'} there, and what was proved are the rows that were read`,
  ]
}

/** Chunks that a comparison has proved anew are this run's. */
function proved(
  chunks: readonly StoredChunk[],
  { done }: NonNullable<TableRun['again']>,
  { owner }: TableContext,
): readonly StoredChunk[] {
  return chunks.map((chunk) => (done.has(chunk.id) ? { ...chunk, runId: owner.runId } : chunk))
}

/** What the proof does not say. */
function notesOf(
  { plan, ring, owner }: TableContext,
  points: number,
  views: Views,
  { again }: TableRun,
  more: readonly string[],
): { readonly notes?: readonly string[] } {
  const notes: string[] = ring === null || ring.part === null ? [...more] : [ring.part, ...more]
  if (again !== undefined) notes.push(...againNotes(again, owner.runId))
  if (points > 1 || views.count > 1) {
    notes.push(
      `read from ${Math.max(points, views.count)} states of the source: every chunk is what the source held when it was read, and the table as a whole is that of no one moment unless nobody wrote`,
    )
  }
  if (plan.proof === 'count' && (again === undefined || again.done.size === 0))
    notes.push('proved by the number of rows only')
  if (plan.proof === 'none') notes.push('nothing was proved, as asked')
  return notes.length === 0 ? {} : { notes }
}
