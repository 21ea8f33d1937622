/** Totals and error of an operation on partitions. */
import { dec, type Dec } from '../../model/run/event.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Ending } from '../../engine/run/run-context.ts'
import type { PartitionOutcome } from './advance-all.ts'
import { totalOf } from '../../shared/plus.ts'

const ORDER: readonly ArchiveState[] = ['EXPORTED', 'VERIFIED', 'PUBLISHED', 'DETACHING', 'DETACHED', 'DROPPED']

/** @param stopped true if the run was stopped before all partitions were processed */
export function endOfArchive(outcomes: readonly PartitionOutcome[], stopped: boolean): Ending {
  const reached = (state: ArchiveState): Dec =>
    dec(outcomes.filter(({ before, after }) => passed(before.state, after, state)).length)
  const moved = outcomes.filter(({ before, after }) => passed(before.state, after, 'EXPORTED'))
  const sum = (values: readonly bigint[]): Dec => dec(totalOf(values))
  const busy = outcomes.filter(({ error }) => error?.code === 'LEDGER_BUSY')
  const failed = outcomes.filter(({ error }) => error !== null && error.code !== 'LEDGER_BUSY')
  const restored = outcomes.filter(({ after }) => after === 'RESTORED')
  const earlier = restored.filter(({ before }) => before.state === 'RESTORED')
  const retracted = earlier.filter(({ before, partition }) => partition.retracted && !before.retracted)
  const error = failureOf(outcomes, failed, busy)
  return {
    totals: {
      partitions: dec(outcomes.length),
      exported: reached('EXPORTED'),
      published: reached('PUBLISHED'),
      detached: reached('DETACHED'),
      dropped: reached('DROPPED'),
      restored: dec(restored.length - earlier.length),
      ...(retracted.length === 0 ? {} : { retracted: dec(retracted.length) }),
      failed: dec(failed.length),
      ...(busy.length === 0 ? {} : { busy: dec(busy.length) }),
      rows: sum(moved.map(({ partition }) => partition.digest?.rows ?? 0n)),
      sourceBytes: sum(moved.map(({ partition }) => partition.sourceBytes ?? 0n)),
      bytes: sum(moved.flatMap(({ partition }) => partition.files.map(({ bytes }) => bytes))),
    },
    ...(error === null && moved.length > 0 ? { proof: 'canonical' } : {}),
    ...(error === null ? {} : { error }),
    ...(stopped ? { stopped } : {}),
  }
}

function passed(before: ArchiveState, after: ArchiveState, state: ArchiveState): boolean {
  const [from, to, at] = [ORDER.indexOf(before), ORDER.indexOf(after), ORDER.indexOf(state)]
  return to >= at && from < at
}

/**
 * Error of the operation. If only one partition was processed: its own error. If at least one of several failed:
 * TABLES_FAILED. If none failed, but other programs have claimed some: LEDGER_BUSY, or the error of the only claimed
 * partition.
 */
function failureOf(
  outcomes: readonly PartitionOutcome[],
  failed: readonly PartitionOutcome[],
  busy: readonly PartitionOutcome[],
): SluiceError | null {
  const [first] = failed
  if (first?.error == null) return busyOf(outcomes, busy)
  if (outcomes.length === 1) return first.error
  const left = failed.length + busy.length
  return new SluiceError(
    'TABLES_FAILED',
    `${left} of ${outcomes.length} partitions did not reach the requested state`,
    {
      reason: `${first.label}: ${first.error.message}`,
      hint: 'correct the error of each, then run the same command again: it does only the rest',
    },
  )
}

function busyOf(outcomes: readonly PartitionOutcome[], busy: readonly PartitionOutcome[]): SluiceError | null {
  const [first] = busy
  if (first?.error == null) return null
  if (busy.length === 1) return first.error
  const what = `${busy.length} of ${outcomes.length} partitions are in use by other programs`
  return new SluiceError('LEDGER_BUSY', what, {
    reason: busy.map(({ label }) => label).join(', '),
    hint: 'let them finish, then run the same command again: it does only the rest',
    retryable: true,
  })
}
