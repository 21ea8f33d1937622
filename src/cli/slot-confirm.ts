/** Shows the slot that `slots --drop` is going to remove, and asks for its name before it does. */
import type { SlotsOperation } from '../engine/follow/operations/slots/declaration.ts'
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'
import { typedAfterTrial } from './confirm.ts'
import type { Surroundings } from './ports.ts'
import type { Session } from './session.ts'

/**
 * In a terminal the slot is shown first; anywhere else there must be `--confirm`, which the operation itself looks for.
 * @throws SluiceError MISSING_CONFIRM, BAD_FLAG
 */
export async function confirmSlot(
  operation: SlotsOperation,
  line: string,
  interactive: boolean,
  session: Session,
  surroundings: Surroundings,
): Promise<{ readonly operation: SlotsOperation } | { readonly exitCode: number }> {
  const { drop, confirm, dryRun } = operation
  if (drop === undefined) {
    if (confirm === undefined) return { operation }
    throw new SluiceError('BAD_FLAG', '--confirm has nothing to confirm', {
      hint: 'it goes with --drop: add that, or leave --confirm out',
    })
  }
  if (dryRun || confirm === drop) return { operation }
  if (confirm !== undefined) {
    throw new SluiceError('MISSING_CONFIRM', `--confirm names ${confirm}, and --drop ${drop}`, {
      hint: `write --confirm=${shellQuote(drop)} if that is what is meant`,
    })
  }
  if (!interactive) return { operation }
  return typedAfterTrial(operation, { name: drop, so: 'to remove this slot' }, line, session, surroundings)
}
