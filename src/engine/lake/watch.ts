/**
 * Signals that logs may have changed: immediately for local folders that the operating system watches, else at a fixed
 * interval. The caller reads the log to find what changed.
 */
import { watch, type FSWatcher } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Maximum number of watched folders: each needs a handle of the operating system. */
const MAX_FOLDERS = 4096
/** Wait after the first change, ms: a commit changes its folder several times, and more commits often follow. */
const COLLECT_MS = 60

export class LogWatch implements Disposable {
  readonly #intervalMs: number
  readonly #onNote: (message: string) => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #changed = new Set<string>()
  #wake: (() => void) | null = null
  #polledAt = Date.now()
  notified = false

  /**
   * @param intervalMs interval at which all logs are due, even if no change is reported, ms
   * @param onNote called once, if a folder cannot be watched because there are too many
   */
  constructor(intervalMs: number, onNote: (message: string) => void) {
    this.#intervalMs = intervalMs
    this.#onNote = onNote
  }

  /** Watches exactly these folders, by key. Folders that cannot be watched are due at the interval. */
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

  /** Waits for a change, or until `stop` fires. @returns keys that may have changed; null: all are due */
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
    await sleep(COLLECT_MS, undefined, { signal: stop }).catch(() => undefined)
    const keys = new Set(this.#changed)
    this.#changed.clear()
    return keys
  }

  /** Keys that may have changed since the last call; does not wait. */
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
      // A missing folder is reported when its log is read.
      const code = (error as NodeJS.ErrnoException).code ?? ''
      if (['ENOSPC', 'EMFILE', 'ENFILE'].includes(code)) this.#note('the system cannot watch more folders')
    }
  }

  #drop(key: string): void {
    this.#watchers.get(key)?.close()
    this.#watchers.delete(key)
  }

  #note(why: string): void {
    if (this.notified) return
    this.notified = true
    this.#onNote(`${why}: the other tables are checked every ${Math.round(this.#intervalMs / 1000)} s`)
  }
}
