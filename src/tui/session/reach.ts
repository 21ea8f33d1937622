/** Watches the connection to the catalog: reports when it is lost, and retries until it works again. */
import type { TableRow } from '../../model/lake/answers.ts'
import { errorFromInfo, type SluiceError } from '../../shared/errors.ts'
import { pointedIn } from '../../shared/pointed.ts'
import { CONNECTION } from '../state/selectors.ts'
import type { DataName } from '../state/state.ts'

/** Interval of retries while the catalog cannot be reached, ms. */
const AGAIN_MS = 4000
/** Time without an answer after which a note is shown, ms: users may mistake a slow server for a frozen screen. */
const SLOW_MS = 5000

export type ShowFlash = (text: string, tone?: 'plain' | 'ok' | 'bad') => void

export class WorkbenchReach {
  readonly #flash: ShowFlash
  readonly #reload: () => void
  #again: NodeJS.Timeout | null = null
  #isUnreachable = false
  #closed = false

  /** @param reload reads all data of the screen again */
  constructor(flash: ShowFlash, reload: () => void) {
    this.#flash = flash
    this.#reload = reload
  }

  /** Starts waiting for one answer. @returns function to call when it has arrived */
  waiting(): () => void {
    const slow = setTimeout(() => this.#flash('no answer for 5 s: the catalog or the lake is slow; keys work'), SLOW_MS)
    slow.unref()
    return () => clearTimeout(slow)
  }

  answered(slot: DataName): void {
    if (slot !== 'tables' || !this.#isUnreachable) return
    this.#isUnreachable = false
    this.#flash('the catalog can be reached again', 'ok')
  }

  /** Starts the retries, so that the screen recovers by itself when the server is back. */
  failed(slot: DataName, error: SluiceError): void {
    // Do not retry a refused password: repeated attempts could lock the account.
    if (!CONNECTION.test(error.code) || !error.retryable) return
    if (!this.#isUnreachable) {
      const text = 'the catalog cannot be reached: shown data may be old; sluice tries again every few seconds'
      this.#flash(text, 'bad')
    }
    this.#isUnreachable = true
    if (this.#again !== null || this.#closed) return
    // If another read failed first, read the list of tables at once, because this shows if the catalog can be reached.
    const pause = slot === 'tables' || slot === 'runs' ? AGAIN_MS : 0
    this.#again = setTimeout(() => {
      this.#again = null
      this.#reload()
    }, pause)
    this.#again.unref()
  }

  close(): void {
    this.#closed = true
    if (this.#again !== null) clearTimeout(this.#again)
  }
}

/** Error of the catalog from a listing of lake tables; null if the catalog answered. */
export function catalogError(rows: readonly TableRow[]): SluiceError | null {
  const row = rows.find(({ catalog }) => catalog.state === 'away')
  return row?.catalog.state === 'away' ? errorFromInfo(row.catalog.error) : null
}

/** All parts of an error, most important first, since the line may be cut. A message with a caret keeps its lines. */
export function wholeError({ code, message, reason, hint, where }: SluiceError): string {
  const more = [reason, hint === undefined ? undefined : `do: ${hint}`, where]
  const rest = more.filter((part) => part !== undefined).join(' · ')
  if (pointedIn(message) !== null) return [`${code}: ${message}`, ...(rest === '' ? [] : [rest])].join('\n')
  return [`${code}: ${message}`, ...(rest === '' ? [] : [rest])].join(' · ')
}
