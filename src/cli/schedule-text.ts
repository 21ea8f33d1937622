/** Output about schedules other than tables: changes, output of a run, and unit files for use without a queue. */
import type { Event } from '../model/run/event.ts'
import { visible } from '../shared/visible.ts'
import type { Face } from './face.ts'
import { LineOutput } from './line-output.ts'

const WORDS = {
  added: 'is added',
  replaced: 'is replaced',
  paused: 'is paused: due runs are skipped',
  resumed: 'is resumed',
  removed: 'is removed',
  wanted: 'will run now',
} as const

export class ScheduleText {
  readonly #openFace: (output: LineOutput) => Face
  readonly #output = new LineOutput()
  /** Task whose events were printed last. */
  #slot: string | null = null
  #face: Face | null = null

  /** @param openFrontend creates the frontend that prints the events of a run as if the run were in this program */
  constructor(openFace: (output: LineOutput) => Face) {
    this.#openFace = openFace
  }

  /** Output of an event; null for others. */
  text(event: Event): string | null {
    switch (event.type) {
      case 'schedule.changed':
        return [
          `schedule ${visible(event.schedule)} ${WORDS[event.change]}`,
          ...event.notes.map((note) => `  ${note}`),
          '',
        ].join('\n')
      case 'schedule.unit':
        return `# ${event.file}\n${event.text}\n`
      case 'schedule.output':
        return this.notified(event)
      default:
        return null
    }
  }

  /** Output of an event of a task. If the task differs from the one printed last, a new frontend prints it. */
  notified({ slot, event }: Extract<Event, { type: 'schedule.output' }>): string {
    if (slot !== this.#slot) {
      void this.#face?.close()
      this.#face = this.#openFace(this.#output)
    }
    this.#slot = slot
    // The event may come from another version: print what this version supports.
    this.#face?.event(event as Event, false)
    return this.#output
      .taken()
      .map((line) => `${line}\n`)
      .join('')
  }
}
