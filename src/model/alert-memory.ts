/** Which alerts stand beyond one run: so a run that comes again, by cron or by a schedule, tells each of them once. */
import type { AlertCause, QueueCause } from './alert.ts'

export type AlertKey = {
  /** What is looked at, and how (`alertScope`); it holds no password. */
  readonly scope: string
  /** The scope is the one that versions before wrote. */
  readonly isBefore?: true
  readonly cause: AlertCause | QueueCause
  /** The table that it is about; empty where it is about the whole run. */
  readonly table: string
}

/** What is noted survives the program. Each call is atomic: of two programs that find the same at once, one is told `new`, and one `cleared`. */
export type AlertMemory = AsyncDisposable & {
  /**
   * Notes that it stands.
   * @param at ms since the epoch
   * @returns `since` when it was noted first
   */
  begin(key: AlertKey, at: number): Promise<{ readonly is: 'new' | 'stands'; readonly since: number }>
  /** Notes that it is over. @returns `none` where it did not stand */
  end(key: AlertKey): Promise<{ readonly is: 'cleared'; readonly since: number } | { readonly is: 'none' }>
}
