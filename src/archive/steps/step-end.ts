/** Maps results of a step in the source to errors. */
import type { Digest } from '../../model/copy/rows.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { StepEnd } from '../../model/archive/port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { missingTableError, leaseLostError } from './refusals.ts'

/** Digest that proves the files of a partition. The partition must have been exported. */
export function proofOf({ digest, label }: ArchivedPartition): Digest {
  if (digest === null) throw new Error(`${label} has no proof`)
  return digest
}

/** @throws SluiceError if the step did not end with `done` */
export function requireDone(
  end: StepEnd,
  { name }: ArchiveContext,
  partition: ArchivedPartition,
  differs: (how: string) => SluiceError,
): void {
  switch (end) {
    case 'done':
      return
    case 'differs':
      throw differs('its rows differ from the exported ones')
    case 'gone':
      throw missingTableError(name, partition)
    case 'fenced':
      throw leaseLostError(name, partition)
  }
}

export function digestDifference(now: Digest, then: Digest): string {
  return now.rows === then.rows
    ? `the same number of rows (${now.rows}), but different values`
    : `${now.rows} rows now, ${then.rows} when it was exported`
}
