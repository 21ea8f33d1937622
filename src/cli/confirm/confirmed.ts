/** Asks for a name before a destructive operation, if its declaration requires it. */
import { destructionsOf, planOf, confirmationName } from '../../app/operations/facts.ts'
import type { Operation } from '../../app/operations/list.ts'
import type { Event } from '../../model/run/event.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { CliContext } from '../ports.ts'
import type { CliSession } from '../session.ts'

/** The operation with its confirmation, or the exit code of a failed dry run. */
export type Confirmation = { readonly operation: Operation } | { readonly exitCode: number }

/**
 * In a terminal, shows the dry run and asks for the name. Without a terminal, a missing name is refused here, or by the
 * operation itself before it changes anything.
 * @param interactive true if there is a terminal to ask in
 * @throws SluiceError MISSING_CONFIRM, STOPPED
 */
export async function confirmed(
  operation: Operation,
  line: string,
  interactive: boolean,
  session: CliSession,
  context: CliContext,
): Promise<Confirmation> {
  const asking = destructionsOf(operation).find(({ asked }) => asked !== undefined)
  const plan = planOf(operation)
  if (asking === undefined || plan === null) return { operation }
  const { asked = '', named = { field: '' }, against, refused, counted } = asking
  const wanted = confirmationName(operation, [])?.name ?? ''
  const given = 'confirm' in operation ? operation.confirm : undefined
  if (given !== undefined) {
    if (against === undefined || given === wanted) return { operation }
    throw new SluiceError('MISSING_CONFIRM', `--confirm names ${given}, but ${against} ${wanted}`, {
      hint: `to confirm ${wanted}, write --confirm=${shellQuote(wanted)}`,
    })
  }
  if (!interactive) {
    if (refused === undefined) return { operation }
    throw new SluiceError('MISSING_CONFIRM', `${refused(wanted)} and needs its name as confirmation`, {
      hint: `add --confirm=${shellQuote(wanted)}, or --dry-run to see what would be removed`,
    })
  }
  const events: Event[] = []
  const trial = await session.run(plan, line, {
    part: 'prelude',
    listen: (event) => {
      if ('event' in named && event.type === named.event) events.push(event)
    },
  })
  if (trial.exitCode !== 0) return { exitCode: trial.exitCode }
  const typed = confirmationName(operation, events)
  // If the dry run has no event with the name, or only zero counts, nothing would be removed: no name is needed.
  if (typed === null || typed.name === null || (counted === true && removesNothing(trial.totals))) return { operation }
  const { name } = typed
  const { ask } = await import('./confirm.ts')
  const answer = (await ask(`Type ${name} ${asked}: `, session, context)).trim()
  const isRight = answer === name || ('event' in named && named.or !== undefined && answer === wanted)
  if (isRight) return { operation: { ...operation, [typed.confirm]: answer } }
  throw new SluiceError('MISSING_CONFIRM', 'the name does not match: nothing was changed', { hint: `type ${name}` })
}

/**
 * True if nothing would be removed. The totals of a plan count what would be removed, except `tables`: it counts the
 * tables inspected.
 */
function removesNothing(totals: Readonly<Record<string, string>>): boolean {
  return Object.entries(totals).every(([count, amount]) => count === 'tables' || amount === '0')
}
