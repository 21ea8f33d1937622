/** How `doctor` looks at one thing after the other: each look has a time limit, and ends in a finding whatever happens. */
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { CheckEvent, Emit } from '../../model/event.ts'

/** How long one check may take, ms. */
export const LIMIT_MS = 5_000

export type Verdict = Pick<CheckEvent, 'status' | 'found' | 'cause' | 'hint'>
export type Outcome = { readonly verdict: Verdict | null; readonly late: boolean }

type Trouble = { readonly cause?: string; readonly hint: string }

export const ok = (found: string): Verdict => ({ status: 'ok', found })
export const warn = (found: string, trouble: Trouble): Verdict => ({ status: 'warn', found, ...trouble })
export const fail = (found: string, trouble: Trouble): Verdict => ({ status: 'fail', found, ...trouble })

export class Examination {
  readonly counts = { ok: 0, warn: 0, fail: 0 }
  readonly #emit: Emit
  readonly #abort: AbortSignal
  readonly #limitMs: number

  /** @param abort ends the examination at its next check */
  constructor(emit: Emit, abort: AbortSignal, limitMs: number = LIMIT_MS) {
    this.#emit = emit
    this.#abort = abort
    this.#limitMs = limitMs
  }

  /**
   * Runs one check. Its signal fires when its time is over; a check that does not hear it is left behind.
   * @param body gives null where there is nothing to say
   * @throws SluiceError ABORTED, and nothing that the body throws
   */
  async check(area: string, check: string, body: (signal: AbortSignal) => Promise<Verdict | null>): Promise<Outcome> {
    const seconds = this.#limitMs / 1000
    const late = new AbortController()
    let isLate = false
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<Verdict>((resolve) => {
      timer = setTimeout(() => {
        isLate = true
        late.abort(new SluiceError('ABORTED', `not done within ${seconds} s`))
        resolve(
          fail(`no answer within ${seconds} s`, { hint: 'find out what holds it up: a firewall, a lock, a disk' }),
        )
      }, this.#limitMs)
    })
    let stop: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(asSluiceError(this.#abort.reason))
      if (this.#abort.aborted) stop()
      this.#abort.addEventListener('abort', stop, { once: true })
    })
    try {
      const looked = body(AbortSignal.any([late.signal, this.#abort])).catch((error: unknown) => failed(error))
      const verdict = await Promise.race([looked, timeUp, aborted])
      if (verdict !== null) this.#tell(area, check, verdict)
      return { verdict, late: isLate }
    } finally {
      clearTimeout(timer)
      if (stop !== undefined) this.#abort.removeEventListener('abort', stop)
    }
  }

  #tell(area: string, check: string, verdict: Verdict): void {
    this.counts[verdict.status]++
    this.#emit({ type: 'check', area, check, ...verdict })
  }
}

/** What a check threw, as a finding. The place is left out where it is only the address that is being looked at. */
export function failed(thrown: unknown): Verdict {
  if (!(thrown instanceof SluiceError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return fail(message, { hint: 'this is a bug in sluice if nothing explains it: please report it' })
  }
  const { message, where, reason, hint = 'see the cause' } = thrown
  const detail = where?.replace(/^\w+:\/\/\S+(?:: |$)/, '') ?? ''
  const cause = detail === '' ? reason : detail
  return fail(message, { ...(cause === undefined ? {} : { cause }), hint })
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** `9.8 GB`, `148 KB`; decimal units. */
export function sizeText(bytes: number): string {
  let amount = bytes
  let unit = 0
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1000
    unit++
  }
  return `${unit === 0 || amount >= 99.95 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit] ?? 'B'}`
}

/** `0.4 ms`, `38 ms`, `1.9 s`. */
export function timeText(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`
}

/** `1 table`, `3 tables`. */
export function countText(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}
