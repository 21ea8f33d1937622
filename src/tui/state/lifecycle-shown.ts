/** The phases of a table, as far as they have been read. */
import type { LifecyclePhaseEvent } from '../../model/lifecycle-events.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

export type LifecycleShown = {
  /** None until they are read. */
  readonly phases: readonly LifecyclePhaseEvent[]
  readonly error: ErrorInfo | null
}

export const READING_LIFECYCLE: LifecycleShown = { phases: [], error: null }
