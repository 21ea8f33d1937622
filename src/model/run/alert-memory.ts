/** Stores active alerts beyond a run, so that a repeated run (cron, schedule) reports each of them once. */
import type { AlertEvent, AlertKey } from './alert.ts'

/** Raised or cleared. */
export type AlertState = AlertEvent['state']

/** Time, ms, after which an unconfirmed alert is sent again by the next caller, because its sender may have died. */
export const CONFIRM_MS = 60_000

/**
 * Durable. Each call is atomic: of two concurrent programs only one gets `new`, and only one `cleared`. That program
 * sends the alert and confirms it with `sent`: each alert is sent at least once, even after a crash in between.
 */
export type AlertMemory = AsyncDisposable & {
  /**
   * Records an active alert.
   * @param at ms since the epoch
   * @returns `new` also if its start was recorded but not confirmed within `CONFIRM_MS`; `since`: time of its start
   */
  begin(key: AlertKey, at: number): Promise<{ readonly is: 'new' | 'stands'; readonly since: number }>
  /** Records the end of an alert. @returns `none` if not active; `cleared` also if unconfirmed for `CONFIRM_MS` */
  end(key: AlertKey): Promise<{ readonly is: 'cleared'; readonly since: number } | { readonly is: 'none' }>
  /** Confirms that a start or end was sent, or need not be sent. No effect if the opposite was recorded since. */
  sent(key: AlertKey, state: AlertState): Promise<void>
}
