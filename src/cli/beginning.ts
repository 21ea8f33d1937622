/** What the command line adds to the events of a run: notes behind its first event, another command in its last. */
import type { RunFinished } from '../engine/run/operation.ts'
import type { Event } from '../model/run/event.ts'

export type Beginning = {
  /** Said at the beginning of the run. */
  readonly notes?: readonly string[]
  readonly warnings?: readonly string[]
  /** What to run next, where that is another command than the run itself names. */
  readonly next?: (finished: RunFinished, runId: string) => string | undefined
}

/** Notes and warnings as events; none unless `event` begins a run. */
export function sayings(event: Event, { notes = [], warnings = [] }: Beginning): readonly Event[] {
  if (event.type !== 'run.started') return []
  const { v, seq, ts, runId } = event
  const say = (level: 'note' | 'warn', message: string): Event => ({ v, seq, ts, runId, type: 'log', level, message })
  return [...notes.map((message) => say('note', message)), ...warnings.map((message) => say('warn', message))]
}

/** The event with the command that `next` names, if it ends a run. */
export function withNext(event: Event, next: Beginning['next']): Event {
  if (next === undefined || event.type !== 'run.finished' || event.runId === null) return event
  const resumeCommand = next(event, event.runId)
  return resumeCommand === undefined ? event : { ...event, resumeCommand }
}
