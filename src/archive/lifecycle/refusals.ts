/** Why a partition cannot go on, said in the same words everywhere. */
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'

type Named = Pick<ArchivedPartition, 'label'>

/** Rows of the source are not what they were. */
export function changed(name: string, { label }: Named, how: string): SluiceError {
  return new SluiceError('PARTITION_CHANGED', `${label} of ${name} changed: ${how}`, {
    where: `${name}, ${label}`,
    hint: 'find out who writes into it; the same command exports it again, and nothing of it was taken out',
    retryable: true,
  })
}

/** The table of a partition is not there, or is another one under its name. */
export function gone(name: string, { label, native }: Pick<ArchivedPartition, 'label' | 'native'>): SluiceError {
  const table =
    native === null ? label : [native.table.schema, native.table.name].filter((part) => part !== undefined).join('.')
  return new SluiceError(
    'PARTITION_CHANGED',
    `${table}, which ${label} of ${name} was, is no partition of it any more`,
    {
      where: `${name}, ${label}`,
      hint: 'somebody detached, dropped or replaced it: attach the table again, or see sluice archive list',
    },
  )
}

/** Rows that were archived are not the rows that are in the source now; only some of them may still be there. */
export function changedAfter(name: string, { label }: Named, how: string): SluiceError {
  return new SluiceError('PARTITION_CHANGED', `${label} of ${name} changed after it was archived: ${how}`, {
    where: `${name}, ${label}`,
    hint: `nothing more is removed; sluice restore --table ${name} --partition ${label} brings the archived rows back, and the next run archives all of it again`,
  })
}

/** Its lease ran out, and somebody else has taken it over. */
export function lost(name: string, { label }: Named): SluiceError {
  return new SluiceError('LEASE_LOST', `another program works on ${label} of ${name} by now`, { retryable: true })
}

export function otherArchive(name: string, { label }: Named, how: string): SluiceError {
  return new SluiceError(
    'ARCHIVE_CONFLICT',
    `the archive of ${label} of ${name} is not the one that was proved: ${how}`,
    {
      where: `${name}, ${label}`,
      hint: 'sluice archive verify says what is wrong; nothing is taken out of the source before that is mended',
    },
  )
}
