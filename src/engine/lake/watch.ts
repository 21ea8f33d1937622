/**
 * Tells when logs may have changed: at once for folders of this machine that the system watches, else by the clock. It never says what changed;
 * a look at the log does.
 */
import { watch, type FSWatcher } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Folders watched at most: every one of them is a handle of the system. */
const MAX_FOLDERS = 4096
/** A writer makes a commit in several steps, and several commits one after the other: they are looked at together. */
const SETTLE_MS = 60

export class LogWatch implements Disposable {
  readonly #intervalMs: number
  readonly #onNote: (message: string) => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #changed = new Set<string>()
  #wake: (() => void) | null = null
  #polledAt = Date.now()
  #told = false

  /**
   * @param intervalMs when everything is to be looked at, whatever the system says
   * @param onNote hears once that the system watches no more folders
   */
  constructor(intervalMs: number, onNote: (message: string) => void) {
    this.#intervalMs = intervalMs
    this.#onNote = onNote
  }

  /** Watches these folders, by key, and no others. Those that cannot be watched wait for the clock. */
  follow(folders: ReadonlyMap<string, string>): void {
    for (const key of this.#watchers.keys()) if (!folders.has(key)) this.#drop(key)
    for (const [key, folder] of folders) {
      if (this.#watchers.has(key)) continue
      if (this.#watchers.size >= MAX_FOLDERS) {
        this.#note(`the first ${MAX_FOLDERS} folders are watched`)
        return
      }
      this.#watch(key, folder)
    }
  }

  /** Waits for a change. @returns the keys that may have changed, or null when all are due; at once when `stop` fires */
  async next(stop: AbortSignal): Promise<ReadonlySet<string> | null> {
    const due = this.#polledAt + this.#intervalMs - Date.now()
    if (this.#changed.size === 0 && due > 0 && !stop.aborted) {
      const waited = new AbortController()
      this.#wake = () => waited.abort()
      const signal = AbortSignal.any([stop, waited.signal])
      await sleep(due, undefined, { signal }).catch(() => undefined)
      this.#wake = null
    }
    if (this.#changed.size === 0 || Date.now() >= this.#polledAt + this.#intervalMs) {
      this.#polledAt = Date.now()
      this.#changed.clear()
      return null
    }
    await sleep(SETTLE_MS, undefined, { signal: stop }).catch(() => undefined)
    const keys = new Set(this.#changed)
    this.#changed.clear()
    return keys
  }

  /** Whether the system tells of changes of this folder. */
  watches(key: string): boolean {
    return this.#watchers.has(key)
  }

  /** What may have changed since this was asked last; it waits for nothing. */
  take(): ReadonlySet<string> {
    const keys = new Set(this.#changed)
    this.#changed.clear()
    return keys
  }

  [Symbol.dispose](): void {
    for (const key of this.#watchers.keys()) this.#drop(key)
  }

  #watch(key: string, folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        this.#changed.add(key)
        this.#wake?.()
      })
      watcher.on('error', () => this.#drop(key))
      this.#watchers.set(key, watcher)
    } catch (error) {
      // A folder that is gone is told by the look at its log.
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (['ENOSPC', 'EMFILE', 'ENFILE'].includes(code)) this.#note('the system watches no more folders')
    }
  }

  #drop(key: string): void {
    this.#watchers.get(key)?.close()
    this.#watchers.delete(key)
  }

  #note(why: string): void {
    if (this.#told) return
    this.#told = true
    this.#onNote(`${why}: the other tables are looked at every ${Math.round(this.#intervalMs / 1000)} s`)
  }
}
