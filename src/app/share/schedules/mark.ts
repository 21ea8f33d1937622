/** How the dry run of an operation goes about it, as a digest: a schedule compares it with that of the plan that was confirmed. */
import { createHash } from 'node:crypto'
import type { Event } from '../../../model/run/event.ts'
import { errorFromInfo } from '../../../shared/errors.ts'
import { declarationOf, planOf } from '../../operations/facts.ts'
import type { Operation } from '../../operations/list.ts'
import type { RunFinished } from '../../../engine/run/operation.ts'
import { canonical } from './plan.ts'

/** Runs an operation to its end, and hears it. */
export type Trial = (plan: Operation, onEvent: (event: Event) => void) => Promise<RunFinished>

/** The dry run of an operation, or nothing where it has none. @throws SluiceError where its plan is refused */
export async function trialOf(operation: Operation, trial: Trial): Promise<readonly Event[]> {
  const plan = planOf(operation)
  if (plan === null) return []
  const events: Event[] = []
  const { error } = await trial(plan, (event) => void events.push(event))
  if (error === undefined) return events
  throw errorFromInfo(error)
}

/**
 * A digest of how an operation goes about what is due: columns, calendar, where it goes. What is due is another thing each time.
 * @param events of its dry run
 */
export function markOf(operation: Operation, events: readonly Event[]): string {
  const { marks = [] } = declarationOf(operation.kind)
  const told = events.filter(({ type }) => marks.some((mark) => mark === type)).map(withoutTime)
  return createHash('sha256').update(canonical(told)).digest('hex')
}

function withoutTime(event: Event): object {
  const { v: _v, seq: _seq, ts: _ts, runId: _runId, ...told } = event
  return told
}
