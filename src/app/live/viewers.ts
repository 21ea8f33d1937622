/**
 * Viewers of a run over its socket. A viewer cannot slow the run: a viewer that reads too slowly is disconnected, and
 * can rejoin with a snapshot. Progress events that a newer one replaces within 100 ms are not sent.
 */
import type { Socket } from 'node:net'
import type { Event } from '../../model/run/event.ts'
import { redactValue } from '../../shared/redact.ts'
import type { RunJournal } from '../journal/run-journal.ts'

/** Limit of unread bytes of a viewer, in addition to the snapshot. */
const MOST_WAITING = 4 * 1024 * 1024
const MOST_VIEWERS = 32
const PROGRESS_MS = 100
/** Time for viewers to read unsent events after the end of the run, ms. */
const LINGER_MS = 1_000

type Viewer = { readonly socket: Socket; readonly limit: number }

export class Viewers {
  readonly #journal: RunJournal
  readonly #about: unknown
  readonly #secrets: readonly string[]
  readonly #viewers = new Set<Viewer>()
  readonly #delayed = new Map<string, Event>()
  #timer: ReturnType<typeof setTimeout> | null = null

  /** @param about description of the run for new viewers @param secrets texts to redact from every line */
  constructor(journal: RunJournal, about: unknown, secrets: readonly string[]) {
    this.#journal = journal
    this.#about = about
    this.#secrets = secrets
  }

  /** Sends the socket a snapshot of past events, then a line for every event. */
  join(socket: Socket): void {
    if (this.#viewers.size >= MOST_VIEWERS) {
      socket.end(`${JSON.stringify({ ok: false, error: TOO_MANY })}\n`)
      return
    }
    this.#flush()
    const snapshot = this.#journal.snapshot().map((event) => this.#line(event))
    const text = `${JSON.stringify({ ok: true, run: this.#about })}\n${snapshot.join('')}${JSON.stringify({ live: true, seq: this.#journal.seq })}\n`
    const viewer = { socket, limit: text.length + MOST_WAITING }
    this.#viewers.add(viewer)
    socket.once('close', () => this.#viewers.delete(viewer))
    socket.write(text)
  }

  /** Call in event order, after adding the event to the journal. */
  report(event: Event): void {
    if (this.#viewers.size === 0) return
    const key = replacementKey(event)
    if (key !== null) {
      this.#delayed.set(key, event)
      this.#timer ??= setTimeout(() => this.#flush(), PROGRESS_MS).unref()
      return
    }
    this.#flush()
    this.#send(this.#line(event))
  }

  /** Ends all connections. Resolves when all data has left this program, or after LINGER_MS. */
  async end(): Promise<void> {
    this.#flush()
    const gone = [...this.#viewers].map(
      ({ socket }) =>
        new Promise<void>((resolve) => {
          const linger = setTimeout(() => socket.destroy(), LINGER_MS)
          socket.once('close', () => {
            clearTimeout(linger)
            resolve()
          })
          // The viewer can still read bytes that have left this program.
          socket.end(() => socket.destroy())
        }),
    )
    await Promise.all(gone)
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#delayed.size === 0) return
    const events = [...this.#delayed.values()].toSorted((a, b) => a.seq - b.seq)
    this.#delayed.clear()
    this.#send(events.map((event) => this.#line(event)).join(''))
  }

  #send(text: string): void {
    for (const viewer of this.#viewers) {
      const { socket, limit } = viewer
      if (socket.writableLength + text.length <= limit) {
        socket.write(text)
        continue
      }
      this.#viewers.delete(viewer)
      socket.end(`${JSON.stringify({ dropped: 'the events were not read in time; join again' })}\n`)
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    }
  }

  #line(event: Event): string {
    return `${JSON.stringify(redactValue(event, this.#secrets))}\n`
  }
}

const TOO_MANY = { code: 'TARGET_DENIED', message: `${MOST_VIEWERS} programs watch this run already` }

/** Key under which a later event replaces this one; null if it must be sent. */
function replacementKey(event: Event): string | null {
  switch (event.type) {
    case 'chunk.progress':
      return `${event.type} ${event.worker}`
    case 'diff.progress':
    case 'look.progress':
      return `${event.type} ${event.table}`
    case 'archive.progress':
      return `${event.type} ${event.table} ${event.partition} ${event.step}`
    case 'fsck.progress':
      return `${event.type} ${event.step}`
    default:
      return null
  }
}
