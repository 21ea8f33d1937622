/** Waits for transactions of other sessions, and reports them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError, type ErrorCode } from '../../shared/errors.ts'

/** Wait after which open transactions are reported, ms. */
const SILENT_MS = 2000
/** Default limit of a wait, ms. */
export const WAIT_MS = 600_000
const FIRST_REST_MS = 20
const MOST_REST_MS = 1000

export type Wait = {
  readonly signal: AbortSignal
  /** Reports the open transactions. */
  readonly tell: (message: string) => void
  /** Limit of the wait, ms. */
  readonly waitLimitMs: number
}

/**
 * Repeats the check `isSo` until it returns true, with pauses.
 * @param what the work that waits, for messages
 * @param open reads the transactions that are awaited, the oldest first @param hidden reason if it finds none
 * @throws SluiceError of `code` after the limit, with the transactions; the reason of the signal
 */
export async function waitUntil(
  { signal, tell, waitLimitMs }: Wait,
  what: string,
  isSo: () => Promise<boolean>,
  { open: list, hidden, code }: { open: () => Promise<readonly string[]>; hidden: string; code: ErrorCode },
): Promise<void> {
  const start = performance.now()
  let reported = ''
  for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
    throwIfAborted(signal)
    if (await isSo()) return
    const waited = performance.now() - start
    if (waited > Math.min(SILENT_MS, waitLimitMs)) {
      const open = await list()
      if (waited > waitLimitMs) {
        throw new SluiceError(code, `${what} waits for open transactions that do not end`, {
          reason: open.length === 0 ? hidden : open.join('; '),
          hint: 'end them, or wait for their end, then run the same command again',
          kind: 'source',
          retryable: true,
        })
      }
      const names = open.map((one) => one.replace(/, open for \d+ s$/, '')).join('; ')
      if (names !== reported && open.length > 0) tell(`${what} waits for open transactions: ${open.join('; ')}`)
      reported = names
    }
    await sleep(rest, undefined, { signal }).catch(() => undefined)
  }
}
