/** Runs the checks of `doctor` one after the other: each has a time limit, and always ends in a finding. */
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { Emit } from '../../model/run/event.ts'
import { fail, failedVerdict, type Verdict } from '../../model/run/verdict.ts'
import { CHECK_MS, type Checks, type PreflightOutcome } from '../../stores/common/preflight-port.ts'

export class Examination implements Checks {
  readonly counts = { ok: 0, warn: 0, fail: 0 }
  readonly #emit: Emit<'check'>
  readonly #abort: AbortSignal
  readonly #limitMs: number

  /** @param abort makes the running check and all later checks reject at once */
  constructor(emit: Emit<'check'>, abort: AbortSignal, limitMs: number = CHECK_MS) {
    this.#emit = emit
    this.#abort = abort
    this.#limitMs = limitMs
  }

  /**
   * Runs one check. Its signal fires at the time limit; a check that ignores the signal is abandoned.
   * @param body returns null if there is nothing to report
   * @throws SluiceError ABORTED; never an error of the body
   */
  async check(
    area: string,
    check: string,
    body: (signal: AbortSignal) => Promise<Verdict | null>,
  ): Promise<PreflightOutcome> {
    const seconds = this.#limitMs / 1000
    const late = new AbortController()
    let isLate = false
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<Verdict>((resolve) => {
      timer = setTimeout(() => {
        isLate = true
        late.abort(new SluiceError('ABORTED', `the check did not end within ${seconds} s`))
        resolve(fail(`no answer within ${seconds} s`, { hint: 'find what blocks it: a firewall, a lock, a disk' }))
      }, this.#limitMs)
    })
    let stop: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(asSluiceError(this.#abort.reason))
      if (this.#abort.aborted) stop()
      this.#abort.addEventListener('abort', stop, { once: true })
    })
    try {
      const inspected = body(AbortSignal.any([late.signal, this.#abort])).catch((error: unknown) =>
        failedVerdict(error),
      )
      const verdict = await Promise.race([inspected, timeUp, aborted])
      if (verdict !== null) this.report(area, check, verdict)
      return { verdict, late: isLate }
    } finally {
      clearTimeout(timer)
      if (stop !== undefined) this.#abort.removeEventListener('abort', stop)
    }
  }

  report(area: string, check: string, verdict: Verdict): void {
    this.counts[verdict.status]++
    this.#emit({ type: 'check', area, check, ...verdict })
  }
}
