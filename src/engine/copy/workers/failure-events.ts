/** Reports a transient failure when it begins, when its cause changes and when it ends, not at every attempt. */
import type { Emit } from '../../../model/run/event.ts'
import type { SluiceError } from '../../../shared/errors.ts'

export class ReportedFailures {
  readonly #emit: Emit<'log'>
  readonly #table: { readonly table?: string }
  readonly #sideOf: (error: SluiceError) => string | null
  notified: string | null = null

  /** @param table of the work @param sideOf `source` or `target`, if known */
  constructor(emit: Emit<'log'>, table?: string, sideOf: (error: SluiceError) => string | null = () => null) {
    this.#emit = emit
    this.#table = table === undefined ? {} : { table }
    this.#sideOf = sideOf
  }

  /** @param then the reaction, such as `trying again` */
  failed(error: SluiceError, then: string): void {
    const side = this.#sideOf(error)
    const text = `${side === null ? '' : `${side}: `}${causeText(error)}`
    if (text === this.notified) return
    this.notified = text
    this.#emit({ type: 'log', level: 'warn', ...this.#table, message: `${text}; ${then}` })
  }

  /** @param now text about what continues, such as `the stream continues` */
  passed(now: string): void {
    const reported = this.notified
    this.notified = null
    if (reported !== null)
      this.#emit({ type: 'log', level: 'note', ...this.#table, message: `${now}; this failure has ended: ${reported}` })
  }
}

/** Text of an error: what failed, why, and where. Errors contain no secrets. */
function causeText({ message, reason, where }: SluiceError): string {
  return `${message}${reason === undefined ? '' : ` (${reason})`}${where === undefined ? '' : `: ${where}`}`
}
