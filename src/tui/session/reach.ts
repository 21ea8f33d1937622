/** Whether the catalog answers: says so when it does not, and asks again by itself until it does. */
import type { TableRow } from '../../model/lake/answers.ts'
import { errorFromInfo, type SluiceError } from '../../shared/errors.ts'
import { pointedIn } from '../../shared/pointed.ts'
import { CONNECTION } from '../state/selectors.ts'
import type { SlotName } from '../state/state.ts'

/** A catalog that is away is asked again after this time, ms. */
const AGAIN_MS = 4000
/** A question without an answer for so long is spoken of, ms: a server that hangs looks like a screen that does. */
const SLOW_MS = 5000

export type Flash = (text: string, tone?: 'plain' | 'ok' | 'bad') => void

export class Reach {
  readonly #flash: Flash
  readonly #reload: () => void
  #again: NodeJS.Timeout | null = null
  #away = false
  #closed = false

  /** @param reload asks for everything on the screen again */
  constructor(flash: Flash, reload: () => void) {
    this.#flash = flash
    this.#reload = reload
  }

  /** Waits for one answer with the person at the screen. @returns what to call when it is there */
  waiting(): () => void {
    const slow = setTimeout(() => this.#flash('no answer for 5 s: the catalog or the lake is slow; keys work'), SLOW_MS)
    slow.unref()
    return () => clearTimeout(slow)
  }

  answered(slot: SlotName): void {
    if (slot !== 'tables' || !this.#away) return
    this.#away = false
    this.#flash('the catalog is back', 'ok')
  }

  /** A server that restarts comes back by itself, and so do the answers: nobody has to know of a key for it. */
  failed(slot: SlotName, error: SluiceError): void {
    // A refused password stays refused, and asking on and on could lock the user out.
    if (!CONNECTION.test(error.code) || !error.retryable) return
    if (!this.#away) {
      const text = 'the catalog cannot be reached: what is shown may be old; it is asked again every few seconds'
      this.#flash(text, 'bad')
    }
    this.#away = true
    if (this.#again !== null || this.#closed) return
    // The first that notices may be any; the list of tables says next whether it is so.
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

/** Why the catalog could not be asked while the tables of a lake were listed; null where it was. */
export function awayOf(rows: readonly TableRow[]): SluiceError | null {
  const row = rows.find(({ catalog }) => catalog.state === 'away')
  return row?.catalog.state === 'away' ? errorFromInfo(row.catalog.error) : null
}

/** All that an error says, the most useful first: a line may be cut. What shows a place of a text keeps its lines. */
export function wholeError({ code, message, reason, hint, where }: SluiceError): string {
  const more = [reason, hint === undefined ? undefined : `do: ${hint}`, where]
  const rest = more.filter((part) => part !== undefined).join(' · ')
  if (pointedIn(message) !== null) return [`${code}: ${message}`, ...(rest === '' ? [] : [rest])].join('\n')
  return [`${code}: ${message}`, ...(rest === '' ? [] : [rest])].join(' · ')
}
