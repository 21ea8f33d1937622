/** What operations on partitions came to. */
import { dec, type Dec } from '../../model/event.ts'
import type { ArchiveState } from '../../model/archiving/state.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Ending } from '../run-context.ts'
import type { Outcome } from './advance-all.ts'

const ORDER: readonly ArchiveState[] = ['EXPORTED', 'VERIFIED', 'PUBLISHED', 'DETACHED', 'DROPPED']

/** @param stopped before all of them were looked at */
export function endOfArchive(outcomes: readonly Outcome[], stopped: boolean): Ending {
  const reached = (state: ArchiveState): Dec =>
    dec(outcomes.filter(({ before, after }) => passed(before, after, state)).length)
  const moved = outcomes.filter(({ before, after }) => passed(before, after, 'EXPORTED'))
  const sum = (values: readonly bigint[]): Dec => dec(values.reduce((all, one) => all + one, 0n))
  const failed = outcomes.filter(({ error }) => error !== null)
  const error = failureOf(outcomes, failed)
  return {
    totals: {
      partitions: dec(outcomes.length),
      exported: reached('EXPORTED'),
      published: reached('PUBLISHED'),
      detached: reached('DETACHED'),
      dropped: reached('DROPPED'),
      restored: dec(outcomes.filter(({ before, after }) => after === 'RESTORED' && before !== 'RESTORED').length),
      failed: dec(failed.length),
      rows: sum(moved.map(({ partition }) => partition.digest?.rows ?? 0n)),
      sourceBytes: sum(moved.map(({ partition }) => partition.sourceBytes ?? 0n)),
      bytes: sum(moved.flatMap(({ partition }) => partition.files.map(({ bytes }) => bytes))),
    },
    ...(failed.length === 0 && moved.length > 0 ? { proof: 'canonical' } : {}),
    ...(error === null ? {} : { error }),
    ...(stopped ? { stopped } : {}),
  }
}

function passed(before: ArchiveState, after: ArchiveState, state: ArchiveState): boolean {
  const [from, to, at] = [ORDER.indexOf(before), ORDER.indexOf(after), ORDER.indexOf(state)]
  return to >= at && from < at
}

/** One partition that failed alone says it itself. */
function failureOf(outcomes: readonly Outcome[], failed: readonly Outcome[]): SluiceError | null {
  const [first] = failed
  if (first?.error == null) return null
  if (outcomes.length === 1) return first.error
  return new SluiceError(
    'TABLES_FAILED',
    `${failed.length} of ${outcomes.length} partitions did not get as far as asked`,
    {
      reason: `${first.label}: ${first.error.message}`,
      hint: 'mend what is said of each, and run the same command again: what is done stays done',
    },
  )
}
