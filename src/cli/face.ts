/** What every headless renderer is: a fold of events that writes as it goes. */
import type { Event } from '../model/run/event.ts'

export type Face = {
  /**
   * Takes one event; events arrive in order. `part` says that the run is a step of something larger, which will say
   * itself how it all ended.
   */
  event(event: Event, part: boolean): void
  /** After the last event: writes what was held back. */
  close(): void | Promise<void>
}
