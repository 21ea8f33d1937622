/** Pictures of database tables, each read by its own operation on request. */
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { ArchivedEvent } from '../../../model/archive/events.ts'
import type { PartitionAlarmEvent, PartitionedEvent, PartitionEvent } from '../../../model/partition/events.ts'
import type { Event, RingEvent, RingHostEvent, RingPartEvent } from '../../../model/run/event.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { Action } from '../../state/action.ts'
import type { RelationRow } from './relation-row.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { cursorRow } from './tables-list.ts'
import { pictureText } from '../../draw/line.ts'
import { drawRing } from './ring.ts'
import { linesFromNow, drawTimeline } from './timeline.ts'
import { archivedOf, partitionsJob, tokensJob, type TuiJob } from '../../session/operations.ts'

/** Cells that the frame of a dialog takes. */
const FRAME = 4
const MOST_CELLS = 136

/** How a kind of picture is read and drawn. */
export type PictureKind = {
  /** Note shown during the read: `reading some of the ring of orders …`. */
  readonly reading: (name: string) => string
  readonly job: (url: string, name: string) => TuiJob
  /** A second, optional read; if it fails, the picture is drawn without it. */
  readonly companion?: (url: string, name: string) => TuiJob
  /** Begins to collect the events of one run. */
  readonly begin: () => {
    event(event: Event): void
    /** Action for the store once the run has ended. */
    read(key: string, error: ErrorInfo | null): Action
  }
  readonly waiting: (key: string) => Action
  /** The picture as text, title first; null if nothing was read. */
  readonly text: (state: State, key: string, cells: number) => readonly string[] | null
  /** Number of last lines to scroll to; null for the start. */
  readonly last?: (state: State, key: string) => number | null
}

/** Pictures of the token rings of Cassandra tables. */
export const RING_PICTURES: PictureKind = {
  reading: (name) => `reading some of the ring of ${name} …`,
  job: tokensJob,
  begin: () => {
    const parts: RingPartEvent[] = []
    const hosts: RingHostEvent[] = []
    let ring: RingEvent | null = null
    return {
      event: (event) => {
        if (event.type === 'ring.part') parts.push(event)
        if (event.type === 'ring.host') hosts.push(event)
        if (event.type === 'ring') ring = event
      },
      read: (key, error) => ({ type: 'ring-read', key, shown: { parts, hosts, ring, error } }),
    }
  },
  waiting: (key) => ({ type: 'ring-reading', key }),
  text: ({ rings, ascii }, key, cells) => {
    const shown = rings.get(key)
    return shown === undefined ? null : pictureText(drawRing(shown, cells, ascii))
  },
}

/** Time lines of the partitions of tables. */
export const TIMELINES: PictureKind = {
  reading: (name) => `reading the partitions of ${name} …`,
  job: partitionsJob,
  companion: archivedOf,
  begin: () => {
    const partitions: PartitionEvent[] = []
    const alarms: PartitionAlarmEvent[] = []
    const expired: ArchivedEvent[] = []
    let table: PartitionedEvent | null = null
    return {
      event: (event) => {
        if (event.type === 'partition.table') table = event
        if (event.type === 'partition') partitions.push(event)
        if (event.type === 'partition.alarm') alarms.push(event)
        if (event.type === 'archived' && event.state === 'EXPIRED') expired.push(event)
      },
      read: (key, error) => ({ type: 'timeline-read', key, shown: { table, partitions, alarms, expired, error } }),
    }
  },
  waiting: (key) => ({ type: 'timeline-reading', key }),
  text: ({ timelines, ascii }, key, cells) => {
    const shown = timelines.get(key)
    return shown === undefined ? null : pictureText(drawTimeline(shown, cells, ascii))
  },
  last: ({ timelines }, key) => {
    const shown = timelines.get(key)
    return shown === undefined ? null : linesFromNow(shown)
  },
}

export class Pictures {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #kind: PictureKind
  readonly #asking = new Map<string, RunningOperation>()

  constructor(workbench: Workbench, store: Store<State, Action>, kind: PictureKind) {
    this.#workbench = workbench
    this.#store = store
    this.#kind = kind
  }

  /** Reads the data of a picture, then shows it, unless the user has opened another screen meanwhile. */
  open(row: RelationRow): void {
    const { key, url, name } = row
    if (this.#asking.has(key)) return
    this.#store.dispatch(this.#kind.waiting(key))
    this.#store.dispatch({ type: 'flash', flash: { text: this.#kind.reading(name), tone: 'plain' } })
    const { operation, commandLine } = this.#kind.job(url, name)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(key, running)
    const fold = this.#kind.begin()
    let error: ErrorInfo | null = null
    running.subscribe((event) => {
      fold.event(event)
      if (event.type === 'run.finished') error = event.error ?? null
    })
    void running.done.then(async () => {
      if (error === null && this.#kind.companion !== undefined) await this.#more(row, this.#kind.companion, fold)
      this.#asking.delete(key)
      this.#store.dispatch(fold.read(key, error))
      this.#show(row)
    })
  }

  async #more(
    { key, url, name }: RelationRow,
    companion: NonNullable<PictureKind['companion']>,
    fold: ReturnType<PictureKind['begin']>,
  ): Promise<void> {
    const { operation, commandLine } = companion(url, name)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(key, running)
    running.subscribe((event) => fold.event(event))
    await running.done
  }

  #show({ key, name }: RelationRow): void {
    const state = this.#store.get()
    this.#store.dispatch({ type: 'flash', flash: null })
    const elsewhere = state.dialog !== null || state.prompt !== null || cursorRow(state)?.key !== key
    if (elsewhere || state.screen !== 'tables') return
    const text = this.#kind.text(state, key, Math.min(state.size.columns - FRAME, MOST_CELLS))
    if (text === null) return
    const [title, ...lines] = text
    const last = this.#kind.last?.(state, key) ?? null
    const top = last === null ? 0 : Math.max(0, lines.length - last)
    this.#store.dispatch({
      type: 'dialog',
      dialog: {
        kind: 'text',
        title: `${name} · ${title ?? ''}`,
        lines,
        top,
        copy: lines.join('\n'),
      },
    })
  }

  close(): void {
    for (const running of this.#asking.values()) running.abort()
  }
}
