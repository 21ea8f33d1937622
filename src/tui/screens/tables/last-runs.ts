/** Recorded runs for lists. */
import { seconds, msOf } from '../../../render/screen-format.ts'
import type { RunEvent } from '../../../model/run/event.ts'
import type { State } from '../../state/state.ts'

export type LastRun = {
  readonly command: string
  readonly status: string
  readonly startedAt: string | undefined
  readonly duration: string
  readonly error: string | undefined
  readonly table: string
}

/** Recorded runs of a table, newest first; of all tables if `table` is null. */
export function lastRuns(state: State, table: string | null): readonly LastRun[] {
  return (state.slots.runs.value ?? [])
    .flatMap((run): readonly RunEvent[] => {
      if (table === null || run.table === table) return [run]
      return run.parts?.filter((part) => part.table === table) ?? []
    })
    .map((run) => {
      const from = msOf(run.startedAt)
      const to = msOf(run.completedAt)
      return {
        command: run.command,
        status: run.status === 'completed' ? 'ok' : run.status,
        startedAt: run.startedAt,
        duration: from === null || to === null ? '' : seconds(to - from),
        error: run.error,
        table: run.table,
      }
    })
}
