/** Output about schedules other than tables: changes, output of a run, and unit files for use without a queue. */
import type { Event } from '../../model/run/event.ts'
import { visible } from '../../shared/visible.ts'
import type { Frontend } from './frontend.ts'
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
  readonly #openFrontend: (output: LineOutput) => Frontend
  readonly #output = new LineOutput()
  /** Task whose events were printed last. */
  #task: string | null = null
  #frontend: Frontend | null = null

  /** @param openFrontend creates the frontend that prints the events of a run as if the run were in this program */
  constructor(openFrontend: (output: LineOutput) => Frontend) {
    this.#openFrontend = openFrontend
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
        return this.taskOutput(event)
      default:
        return null
    }
  }

  /** Output of an event of a task. If the task differs from the one printed last, a new frontend prints it. */
  taskOutput({ slot, event }: Extract<Event, { type: 'schedule.output' }>): string {
    if (slot !== this.#task) {
      void this.#frontend?.close()
      this.#frontend = this.#openFrontend(this.#output)
    }
    this.#task = slot
    // The event may come from another version: print what this version supports.
    this.#frontend?.event(event as Event, false)
    return this.#output
      .taken()
      .map((line) => `${line}\n`)
      .join('')
  }
}
