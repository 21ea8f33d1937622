/**
 * Additions of the command line to the events of a run: notes after the first event, and the next command in the last
 * event.
 */
import type { RunFinished } from '../../engine/run/operation.ts'
import type { Event } from '../../model/run/event.ts'

export type StartTexts = {
  /** Notes printed at the beginning. */
  readonly notes?: readonly string[]
  /** Warnings printed with the notes, for example about options that the user may not have intended. */
  readonly warnings?: readonly string[]
  /** Returns the command to suggest after the run; undefined if it is the resume command that the run names. */
  readonly next?: (finished: RunFinished, runId: string) => string | undefined
}

/** Notes and warnings as events; empty unless `event` begins a run. */
export function noteEvents(event: Event, { notes = [], warnings = [] }: StartTexts): readonly Event[] {
  if (event.type !== 'run.started') return []
  const { v, seq, ts, runId } = event
  const say = (level: 'note' | 'warn', message: string): Event => ({ v, seq, ts, runId, type: 'log', level, message })
  return [...notes.map((message) => say('note', message)), ...warnings.map((message) => say('warn', message))]
}

/** The event with the command from `next`, if it ends a run. */
export function withNext(event: Event, next: StartTexts['next']): Event {
  if (next === undefined || event.type !== 'run.finished' || event.runId === null) return event
  const resumeCommand = next(event, event.runId)
  return resumeCommand === undefined ? event : { ...event, resumeCommand }
}
