/** The picture of a table's ring of tokens, as far as it has been read. */
import type { RingEvent, RingHostEvent, RingPartEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'

export type RingShown = {
  readonly state: 'reading' | 'ready' | 'failed'
  readonly parts: readonly RingPartEvent[]
  readonly hosts: readonly RingHostEvent[]
  /** Null until all of it is there. */
  readonly ring: RingEvent | null
  readonly error: ErrorInfo | null
}

export const READING: RingShown = { state: 'reading', parts: [], hosts: [], ring: null, error: null }
