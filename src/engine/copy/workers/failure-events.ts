/** What passes by itself is told when it begins, when its cause becomes another one, and when it is over: not at every attempt. */
import type { Emit } from '../../../model/run/event.ts'
import type { SluiceError } from '../../../shared/errors.ts'

export class ToldFailures {
  readonly #emit: Emit<'log'>
  readonly #table: { readonly table?: string }
  readonly #sideOf: (error: SluiceError) => string | null
  #told: string | null = null

  /** @param table whose work it is @param sideOf `source` or `target`, where it is known whose failure it is */
  constructor(emit: Emit<'log'>, table?: string, sideOf: (error: SluiceError) => string | null = () => null) {
    this.#emit = emit
    this.#table = table === undefined ? {} : { table }
    this.#sideOf = sideOf
  }

  /** @param then what is done about it: `trying again` */
  failed(error: SluiceError, then: string): void {
    const side = this.#sideOf(error)
    const text = `${side === null ? '' : `${side}: `}${causeText(error)}`
    if (text === this.#told) return
    this.#told = text
    this.#emit({ type: 'log', level: 'warn', ...this.#table, message: `${text}; ${then}` })
  }

  /** @param now what goes on */
  passed(now: string): void {
    const told = this.#told
    this.#told = null
    if (told !== null) this.#emit({ type: 'log', level: 'note', ...this.#table, message: `${now}; over: ${told}` })
  }
}

/** What happened, why, and where. Errors keep secrets out of all three. */
function causeText({ message, reason, where }: SluiceError): string {
  return `${message}${reason === undefined ? '' : ` (${reason})`}${where === undefined ? '' : `: ${where}`}`
}
