/** Digest of an operation's dry run: a schedule compares it with the digest of the confirmed plan. */
import { createHash } from 'node:crypto'
import type { Event } from '../../../model/run/event.ts'
import { errorFromInfo } from '../../../shared/errors.ts'
import { declarationOf, planOf } from '../../operations/facts.ts'
import type { Operation } from '../../operations/list.ts'
import type { RunFinished } from '../../../engine/run/operation.ts'
import { sortedJson } from '../../../shared/sorted-json.ts'

/** Runs an operation to its end, and passes on its events. */
export type Trial = (plan: Operation, onEvent: (event: Event) => void) => Promise<RunFinished>

/** Events of the dry run of an operation; empty if it has no dry run. @throws SluiceError if the dry run fails */
export async function trialOf(operation: Operation, trial: Trial): Promise<readonly Event[]> {
  const plan = planOf(operation)
  if (plan === null) return []
  const events: Event[] = []
  const { error } = await trial(plan, (event) => void events.push(event))
  if (error === undefined) return events
  throw errorFromInfo(error)
}

/**
 * Digest of the events that describe an operation (columns, calendar, target). Events about due work are left out.
 * @param events events of the operation's dry run
 */
export function planDigest(operation: Operation, events: readonly Event[]): string {
  const { marks = [] } = declarationOf(operation.kind)
  const reported = events.filter(({ type }) => marks.some((mark) => mark === type)).map(withoutTime)
  return createHash('sha256').update(sortedJson(reported)).digest('hex')
}

function withoutTime(event: Event): object {
  const { v: _v, seq: _seq, ts: _ts, runId: _runId, ...reported } = event
  return reported
}
