/** Compares the plan of a destructive schedule with the confirmed one: its operation, and the digest of its dry run. */
import { createHash } from 'node:crypto'
import type { Event } from '../../../model/run/event.ts'
import { errorFromInfo, SluiceError } from '../../../shared/errors.ts'
import { declarationOf, planOf } from '../../operations/facts.ts'
import type { Operation } from '../../operations/list.ts'
import type { RunFinished } from '../../../engine/run/operation.ts'
import { sortedJson } from '../../../shared/sorted-json.ts'

/** Names of fields in which two operations differ. */
export function differences(one: unknown, other: unknown): readonly string[] {
  const [a, b] = [fieldsOf(one), fieldsOf(other)]
  return [...new Set([...a.keys(), ...b.keys()])].filter(
    (field) => sortedJson(a.get(field)) !== sortedJson(b.get(field)),
  )
}

export function planChanged(reason: string): SluiceError {
  return new SluiceError('SCHEDULE_VOID', 'the plan of this schedule is not the confirmed one', {
    reason,
    hint: 'check its plan, then confirm it: add the schedule again with --replace',
  })
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
}

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
