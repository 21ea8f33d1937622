/** Default steering, for operations without their own: stop, abort, and pause if the operation supports it. */
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

  constructor(interrupter: Interrupter, canHold: boolean) {
    this.#interrupter = interrupter
    this.#canPause = canHold
  }

  state(): Readonly<Record<string, unknown>> {
    return { paused: this.held, stopping: this.#interrupter.stop.aborted }
  }

  checked(request: SteeringRequest): SteeringRequest {
    if (request.act === 'stop' || (request.act === 'hold' && this.#canPause)) return request
    const can = this.#canPause ? 'pause, resume and stop' : 'stop'
    throw new SluiceError('BAD_FLAG', `this run does not accept ${WORDS[request.act]} from another program`, {
      hint: `it accepts ${can}`,
    })
  }

  honour(request: SteeringRequest): void {
    this.checked(request)
    if (request.act === 'stop') this.#interrupter.requestStop()
    else if (request.act === 'hold') this.held = request.held
    this.onOptions(request)
  }

  /** The control for the operation: the given control, combined with requests from outside. */
  control(given: RunControl | undefined): RunControl {
    const isHeld = (): boolean => this.held
    return {
      get paused() {
        return isHeld() || given?.paused === true
      },
      get lanes() {
        return given?.lanes ?? null
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
