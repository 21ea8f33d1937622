/** Which alerts stand beyond one run: so a run that comes again, by cron or by a schedule, tells each of them once. */
import type { AlertCause, AlertEvent, QueueCause } from './alert.ts'

export type AlertKey = {
  /** What is looked at, and how (`alertKey`); it holds no password. */
  readonly scope: string
  readonly cause: AlertCause | QueueCause
  /** The table that it is about; empty where it is about the whole run. */
  readonly table: string
}

/** What an alert is at: it stands, or is over. */
export type AlertState = AlertEvent['state']

/** A sender that has not confirmed within this time may be gone: the next call that finds the same sends it again, ms. */
export const CONFIRM_MS = 60_000

/**
 * What is noted survives the program. Each call is atomic: of two programs that find the same at once, one gets `new`, and one `cleared`. Who gets that sends the alert
 * and confirms it with `sent`: so each is sent at least once, also where a program is killed between the two.
 */
export type AlertMemory = AsyncDisposable & {
  /**
   * Notes that it stands.
   * @param at ms since the epoch
   * @returns `new` also where it is noted, and was not confirmed within `CONFIRM_MS`; `since` when it was noted first
   */
  begin(key: AlertKey, at: number): Promise<{ readonly is: 'new' | 'stands'; readonly since: number }>
  /** Notes that it is over. @returns `none` where it did not stand; `cleared` also where its end was not confirmed within `CONFIRM_MS` */
  end(key: AlertKey): Promise<{ readonly is: 'cleared'; readonly since: number } | { readonly is: 'none' }>
  /** Confirms that its beginning or its end was sent, or needs not be. Nothing happens where the other one was noted since. */
  sent(key: AlertKey, state: AlertState): Promise<void>
}
