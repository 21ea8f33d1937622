/** Decides which operations `--background` accepts, and reports when such a run has begun. */
import { exclusive } from '../parse/arguments.ts'
import { isWatched } from '../../app/live/watched.ts'
import type { Operation } from '../../app/operations/list.ts'
import type { Event } from '../../model/run/event.ts'
import { SluiceError } from '../../shared/errors.ts'

/** @throws SluiceError BAD_FLAG for an operation that cannot run in the background */
export function refuseBackground(operation: Operation | null, tui: boolean): void {
  if (tui) {
    throw exclusive('--tui', '--background', 'sluice attach shows a background run in the terminal UI')
  }
  if (operation !== null && isWatched(operation)) return
  throw new SluiceError('BAD_FLAG', '--background is for long runs, and this command only prints a result', {
    hint: 'remove --background',
  })
}

/**
 * Reports the start of a background run to the starting process: `started RUN` at its first event, and `begun RUN` at
 * the first event of its work. Start and end of the run, retries and warnings are not work.
 */
export function startReporter(report: (line: string) => void): (event: Event) => void {
  let has = { started: false, begun: false }
  return (event) => {
    if (has.begun || event.runId === null) return
    if (!has.started) report(`started ${event.runId}`)
    has = { started: true, begun: isWork(event) }
    if (has.begun) report(`begun ${event.runId}`)
  }
}

function isWork(event: Event): boolean {
  if (event.type === 'log') return event.level === 'note'
  return event.type !== 'run.started' && event.type !== 'run.finished' && event.type !== 'chunk.retried'
}
