/**
 * Chunks that are copied in one pass: their target commits each batch, and their rows have no key after which another
 * attempt could continue.
 */
import type { Claim, TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { SluiceError } from '../../../shared/errors.ts'

export function isOnePass({ can }: Pick<CopyStore, 'can'>, { range }: Pick<Claim, 'range'>): boolean {
  return can.atomic === 'batch' && range.by !== 'key'
}

/** Error: an earlier attempt has stored rows of the chunk, and a second pass would store them twice. */
export function secondPassError({ cut, target }: TablePlan, { no }: Claim): SluiceError {
  const name = target.table.name
  return new SluiceError(
    'CHUNKS_FAILED',
    `chunk ${no} of ${name} cannot continue: an earlier attempt stored rows of it`,
    {
      reason: 'its rows have no key, so it is unknown which of them are in the target',
      hint:
        cut === 'key'
          ? `empty ${name} in the target, then copy it again with --restart`
          : `run the same command again: it empties ${name} in the target and copies it from the beginning`,
    },
  )
}
