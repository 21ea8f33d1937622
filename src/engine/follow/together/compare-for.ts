/** Compares ranges for the worker that owns a stream. Records no proof: the owner adds up the results. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Emit } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { Interrupt } from '../../../shared/abort.ts'
import { asSluiceError, errorLine } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import { startHeartbeat } from '../../../stores/common/lease/heartbeat.ts'
import { DiffProgress } from '../../copy/diff/progress.ts'
import { SEGMENT_ROWS } from '../../copy/diff/segments.ts'
import { COPY_LEASE_MS, type RunOwner } from '../../copy/ledger/owner.ts'
import { openExisting, openSourceStore } from '../../copy/open-stores.ts'
import { onSide } from '../../copy/sides.ts'
import { sidesAt } from '../compare/compare-snapshot.ts'
import { compareOneRange } from '../compare/range-answer.ts'
import { RoundLedger, TRIES, type SharedRound } from './rounds.ts'

/** Interval (ms) of checks that the shared comparison is open: its snapshots keep VACUUM from removing dead rows. */
const POLL_MS = 1000

export type CompareForParts = {
  readonly from: string
  readonly to: string
  readonly sharedRun: string
  readonly owner: RunOwner
  readonly emit: Emit<'log' | 'diff.progress'>
  readonly clock: Clock
  readonly interrupt: Interrupt
}

/** @returns ranges and rows that were compared @throws SluiceError CONNECT_FAILED, and what the ledger throws */
export async function compareFor(parts: CompareForParts): Promise<{ readonly ranges: number; readonly rows: bigint }> {
  await using to = await onSide('target', () => openExisting(parts.to))
  await using database = await to.ledger()
  const rounds = new RoundLedger(database, parts.owner)
  const round = await rounds.openRound(parts.sharedRun)
  if (round === null) return { ranges: 0, rows: 0n }
  await using from = await openSourceStore(parts.from, undefined, { yields: true, moving: true })
  return await withRound(round, rounds, { from, to }, parts)
}

async function withRound(
  round: SharedRound,
  rounds: RoundLedger,
  { from, to }: { readonly from: CopyStore; readonly to: CopyStore },
  { emit, clock, interrupt }: CompareForParts,
): Promise<{ readonly ranges: number; readonly rows: bigint }> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, interrupt.abort, interrupt.stop])
  const stillThere = async (): Promise<void> => {
    if (!(await rounds.isOpen(round.id))) over.abort(new Error('the round is over'))
  }
  const views = await joinSnapshots(round, { from, to }, signal).catch((error: unknown) => {
    emit({
      type: 'log',
      level: 'note',
      message: `this worker compares nothing: ${errorLine(asSluiceError(error).info())}`,
    })
    return null
  })
  if (views === null) return { ranges: 0, rows: 0n }
  await using source = views.source
  await using target = views.target
  const heart = startHeartbeat(COPY_LEASE_MS / 3, () => rounds.renew(round.id))
  const inspections = startHeartbeat(POLL_MS, stillThere)
  let [ranges, rows] = [0, 0n]
  try {
    while (!signal.aborted) {
      const claimed = await rounds.claim(round.id, TRIES)
      const table = claimed === null ? undefined : round.tables[claimed.table]
      if (claimed === null || table === undefined) break
      try {
        const progress = new DiffProgress(
          tableText(table.plan.source.table),
          { rows: BigInt(SEGMENT_ROWS), estimated: true, ranges: 1 },
          emit,
          clock,
        )
        const answer = await compareOneRange(sidesAt(table, { source, target }, signal), claimed.range, progress)
        if (!(await rounds.answer(round.id, claimed, answer))) continue
        ranges++
        rows += answer.rows
      } catch (error) {
        await rounds.giveBack(round.id, claimed)
        if (signal.aborted) break
        // The owner of the stream gets the same error, unless the error concerns only this host.
        const message = `this worker leaves a range to the owner of the stream: ${errorLine(asSluiceError(error).info())}`
        emit({ type: 'log', level: 'note', message })
        break
      }
    }
  } finally {
    clearInterval(heart)
    clearInterval(inspections)
  }
  return { ranges, rows }
}

async function joinSnapshots(
  { sourceSnapshot, targetSnapshot }: SharedRound,
  { from, to }: { readonly from: CopyStore; readonly to: CopyStore },
  signal: AbortSignal,
): Promise<{ readonly source: SourceView; readonly target: SourceView }> {
  if (from.offers.sharedViews === undefined || to.offers.sharedViews === undefined)
    throw new Error('the store cannot share a snapshot')
  const source = await from.offers.sharedViews.joined(sourceSnapshot, signal)
  try {
    return { source, target: await to.offers.sharedViews.joined(targetSnapshot, signal) }
  } catch (error) {
    await source[Symbol.asyncDispose]()
    throw error
  }
}
