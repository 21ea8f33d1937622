/** Frontend without the terminal UI: takes the events of a run in order, and prints them. */
import type { Event } from '../../model/run/event.ts'

export type Frontend = {
  /** Takes the next event. @param part true if the run is a step of a larger command, which reports the end itself */
  event(event: Event, part: boolean): void
  /** Called after the last event: writes delayed output. */
  close(): void | Promise<void>
}
