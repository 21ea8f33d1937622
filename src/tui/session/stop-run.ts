/** Stops the run that keys steer, and says when it will stop. */
import type { RunView } from '../run/run-view.ts'
import type { Acting } from './acting.ts'

export function stopRun(s: Acting, { archiving, copy }: RunView): void {
  s.steering.stop()
  s.flash(`stopping after the running ${archiving !== null ? 'step' : copy === null ? 'batches' : 'chunks'}; X aborts`)
}
