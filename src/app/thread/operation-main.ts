/** Entry of the thread that runs one operation completely, so that the screen never waits. */
import { parentPort, workerData } from 'node:worker_threads'
import { Interrupter } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { RunControl, SteeringRequest } from '../../engine/run/operation.ts'
import { armDeadline } from '../../shared/deadline.ts'
import { runOperation } from '../run.ts'
import { FLAG, type OperationMessage, type OperationStart } from './operation-messages.ts'

const POLL_EVERY_MS = 40

const start = workerData as OperationStart
const flags = new Int32Array(start.flags)
const interrupter = new Interrupter()
const poll = setInterval(() => {
  const [stop, abort] = [Atomics.load(flags, FLAG.stop), Atomics.load(flags, FLAG.abort)]
  if (stop !== 0) interrupter.requestStop(new SluiceError('STOPPED', 'stopped on request', { exitCode: stop }))
  if (abort !== 0) interrupter.requestAbort(new SluiceError('ABORTED', 'aborted on request', { exitCode: abort }))
}, POLL_EVERY_MS)

// Keeps requests that arrive before the operation listens.
const early: SteeringRequest[] = []
let listener = (request: SteeringRequest): void => void early.push(request)
parentPort?.on('message', (request: SteeringRequest) => listener(request))
// Waiting for requests must not keep the thread running.
parentPort?.unref()

const control: RunControl = {
  onRequest: (listen) => {
    listener = listen
    for (const request of early.splice(0)) listen(request)
  },
  get paused() {
    return Atomics.load(flags, FLAG.paused) === 1
  },
  get lanes() {
    const lanes = Atomics.load(flags, FLAG.lanes)
    return lanes === 0 ? null : lanes
  },
}

const { deadline, ...identity } = start.identity
const disarm = armDeadline(interrupter, deadline)
const post = (message: OperationMessage): void => parentPort?.postMessage(message)
const finished = await runOperation(start.operation, {
  ...identity,
  interrupt: interrupter,
  clock: systemClock,
  commandLine: start.commandLine,
  control,
  onEvent: (event) => post({ type: 'event', event }),
})
clearInterval(poll)
disarm()
post({ type: 'done', exitCode: finished.exitCode })
