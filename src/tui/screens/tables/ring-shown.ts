/** Token ring of a table, as far as read. */
import type { RingEvent, RingHostEvent, RingPartEvent } from '../../../model/run/event.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'

export type RingShown = {
  readonly parts: readonly RingPartEvent[]
  readonly hosts: readonly RingHostEvent[]
  /** Null until all is read. */
  readonly ring: RingEvent | null
  readonly error: ErrorInfo | null
}

export const RING_READING: RingShown = { parts: [], hosts: [], ring: null, error: null }
