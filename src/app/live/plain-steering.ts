/**
 * Default steering, for operations without their own: stop, abort, and pause and rate if the operation supports them.
 */
import { SluiceError } from '../../shared/errors.ts'
import type { Interrupter } from '../../shared/abort.ts'
import type { RunControl, SteeringRequest } from '../../engine/run/operation.ts'
import type { Steered } from '../../engine/run/steered.ts'

export class PlainSteering implements Steered {
  /** Called with each applied request. */
  onOptions: (request: SteeringRequest) => void = () => undefined
  held = false
  readonly #interrupter: Interrupter
  readonly #canPause: boolean
  readonly #leastRate: number | null
  /** Requested bytes a second, or null for no limit; undefined: none was requested. */
  #rate: number | null | undefined

  /** @param can what the operation supports, as it declares it */
  constructor(interrupter: Interrupter, can: { readonly pauses?: true; readonly leastRate?: number }) {
    this.#interrupter = interrupter
    this.#canPause = can.pauses === true
    this.#leastRate = can.leastRate ?? null
  }

  state(): Readonly<Record<string, unknown>> {
    const rate = this.#rate === undefined ? {} : { rate: this.#rate }
    return { paused: this.held, ...rate, stopping: this.#interrupter.stop.aborted }
  }

  checked(request: SteeringRequest): SteeringRequest {
    const least = this.#leastRate
    if (request.act === 'stop' || (request.act === 'hold' && this.#canPause)) return request
    if (request.act === 'rate' && least !== null) {
      if (request.rate === null || request.rate >= least) return request
      throw new SluiceError('BAD_FLAG', `a rate of ${request.rate} bytes a second is too low for this run`, {
        hint: `give at least ${least} bytes a second: rate ${least}`,
      })
    }
    const can = `${least === null ? '' : 'rate, '}${this.#canPause ? 'pause, resume and stop' : 'stop'}`
    throw new SluiceError('BAD_FLAG', `this run does not accept ${WORDS[request.act]} from another program`, {
      hint: `it accepts ${can}; a copy or a stream accepts more once its tables have begun`,
    })
  }

  honour(request: SteeringRequest): void {
    this.checked(request)
    if (request.act === 'stop') this.#interrupter.requestStop()
    else if (request.act === 'hold') this.held = request.held
    else if (request.act === 'rate') this.#rate = request.rate
    this.onOptions(request)
  }

  /** The control for the operation: the given control, combined with requests from outside. */
  control(given: RunControl | undefined): RunControl {
    const isHeld = (): boolean => this.held
    const askedRate = (): number | null | undefined => this.#rate
    return {
      get paused() {
        return isHeld() || given?.paused === true
      },
      get lanes() {
        return given?.lanes ?? null
      },
      get rate() {
        return askedRate()
      },
      ...(given === undefined ? { fixedApplyWorkers: true } : {}),
      ...(given?.onRequest === undefined ? {} : { onRequest: given.onRequest }),
    }
  }
}

const WORDS: Readonly<Record<SteeringRequest['act'], string>> = {
  hold: 'pause',
  stop: 'stop',
  workers: 'workers',
  lanes: 'lanes',
  rate: 'rate',
  pause: 'pause of a table',
  resume: 'resume of a table',
  skip: 'skip',
  retry: 'retry',
}
