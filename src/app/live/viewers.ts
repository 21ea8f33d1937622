/**
 * Those who watch a run over its socket. None of them can slow it: what one does not read in time is dropped, and so is he; he joins anew with a
 * snapshot. Progress that is overtaken within a moment is not sent.
 */
import type { Socket } from 'node:net'
import type { Event } from '../../model/run/event.ts'
import { redactValue } from '../../shared/redact.ts'
import type { RunJournal } from '../journal/run-journal.ts'

/** What may wait for somebody who does not read, beside the snapshot itself. */
const MOST_WAITING = 4 * 1024 * 1024
const MOST_VIEWERS = 32
const PROGRESS_MS = 100
/** Time to read what is left, once nothing more comes. */
const LINGER_MS = 1_000

type Viewer = { readonly socket: Socket; readonly limit: number }

export class Viewers {
  readonly #journal: RunJournal
  readonly #about: unknown
  readonly #secrets: readonly string[]
  readonly #viewers = new Set<Viewer>()
  readonly #overtaken = new Map<string, Event>()
  #timer: ReturnType<typeof setTimeout> | null = null

  /** @param about what a run is, for those who begin to watch @param secrets that no line may hold */
  constructor(journal: RunJournal, about: unknown, secrets: readonly string[]) {
    this.#journal = journal
    this.#about = about
    this.#secrets = secrets
  }

  /** From now on the socket gets a line for every event, after those that stand for what it has missed. */
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

  /** Events come in order, and are in the journal already. */
  tell(event: Event): void {
    if (this.#viewers.size === 0) return
    const key = overtakenBy(event)
    if (key !== null) {
      this.#overtaken.set(key, event)
      this.#timer ??= setTimeout(() => this.#flush(), PROGRESS_MS).unref()
      return
    }
    this.#flush()
    this.#send(this.#line(event))
  }

  /** Nothing more comes. Resolves when it has been read, or nobody has for a while. */
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
          // What has left this program is read in its own time.
          socket.end(() => socket.destroy())
        }),
    )
    await Promise.all(gone)
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#overtaken.size === 0) return
    const events = [...this.#overtaken.values()].toSorted((a, b) => a.seq - b.seq)
    this.#overtaken.clear()
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
      socket.end(`${JSON.stringify({ dropped: 'what was told was not read in time; join again' })}\n`)
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    }
  }

  #line(event: Event): string {
    return `${JSON.stringify(redactValue(event, this.#secrets))}\n`
  }
}

const TOO_MANY = { code: 'TARGET_DENIED', message: `${MOST_VIEWERS} programs watch this run already` }

/** What the next event of the same key says better; null for what has to be told. */
function overtakenBy(event: Event): string | null {
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
