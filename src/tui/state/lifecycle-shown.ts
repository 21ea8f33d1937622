/** The phases of a table, as far as they have been read, and what can be started from them. */
import { LIFECYCLE_STATES, type LifecyclePhaseEvent } from '../../model/partition/lifecycle-events.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

export type LifecycleShown = {
  /** None until they are read. */
  readonly phases: readonly LifecyclePhaseEvent[]
  readonly error: ErrorInfo | null
  /** They are being read, for the first time or again. */
  readonly reading: boolean
}

export const READING_LIFECYCLE: LifecycleShown = { phases: [], error: null, reading: true }

/** Blocked and due ones first; phases of one state stay in their order. */
export function urgentFirst({ phases }: Pick<LifecycleShown, 'phases'>): readonly LifecyclePhaseEvent[] {
  const rank = ({ state }: LifecyclePhaseEvent): number => Math.min(LIFECYCLE_STATES.indexOf(state), 2)
  return phases.toSorted((a, b) => rank(a) - rank(b) || a.phase - b.phase)
}

/** Commands that take it further, in the order in which they are shown; one that two phases name is one. */
export function commandsOf(shown: LifecycleShown): readonly string[] {
  return [
    ...new Set(urgentFirst(shown).flatMap(({ next, also = [] }) => [...(next === undefined ? [] : [next]), ...also])),
  ]
}

/** The command under the cursor, which stays on it when phases are read again; null where there is none. */
export function chosenCommand(shown: LifecycleShown, chosen: string | null): string | null {
  const all = commandsOf(shown)
  return chosen !== null && all.includes(chosen) ? chosen : (all[0] ?? null)
}
