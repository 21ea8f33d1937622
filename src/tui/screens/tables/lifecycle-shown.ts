/** Phases of a table as far as read, and the commands that they offer. */
import { LIFECYCLE_STATES, type LifecyclePhaseEvent } from '../../../model/partition/lifecycle-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

export type LifecycleShown = {
  /** Empty until read. */
  readonly phases: readonly LifecyclePhaseEvent[]
  readonly error: ErrorInfo | null
  /** True during every read. */
  readonly reading: boolean
}

export const READING_LIFECYCLE: LifecycleShown = { phases: [], error: null, reading: true }

/** Blocked phases first, then due ones; phases of one state keep their order. */
export function urgentFirst({ phases }: Pick<LifecycleShown, 'phases'>): readonly LifecyclePhaseEvent[] {
  const rank = ({ state }: LifecyclePhaseEvent): number => Math.min(LIFECYCLE_STATES.indexOf(state), 2)
  return phases.toSorted((a, b) => rank(a) - rank(b) || a.phase - b.phase)
}

/** Commands of the phases in display order, without duplicates. */
export function commandsOf(shown: LifecycleShown): readonly string[] {
  return [
    ...new Set(urgentFirst(shown).flatMap(({ next, also = [] }) => [...(next === undefined ? [] : [next]), ...also])),
  ]
}

/** The command under the cursor; kept when phases are read again. Null if there is none. */
export function chosenCommand(shown: LifecycleShown, chosen: string | null): string | null {
  const all = commandsOf(shown)
  return chosen !== null && all.includes(chosen) ? chosen : (all[0] ?? null)
}
