/** Entry of the program for one task. Ends regularly on its worker's request, and if its worker has ended. */
import process from 'node:process'
import type { Event } from '../../model/run/event.ts'
import { Interrupter, restUnder } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { asSluiceError, EXIT_OF_KIND, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import { redactValue, secretsOfUrl } from '../../shared/redact.ts'
import type { RunControl, SteeringRequest } from '../../engine/run/operation.ts'
import type { Operation } from '../operations/list.ts'
import { runOperation } from '../run.ts'
import { withOwnUrls } from './sharing.ts'
import { taskEnd } from './task-end.ts'
import { leftToWorkers, TaskAlerts } from './task-alerts.ts'
import { TaskTurn } from './turn.ts'
import type { FromTask, TaskOrder, ToTask } from './task-messages.ts'

const interrupter = new Interrupter()
const early: SteeringRequest[] = []
let listener = (request: SteeringRequest): void => void early.push(request)
let isHeld = false
/** Time between two checks whether a paused run was resumed, ms. */
const HELD_MS = 200

const control: RunControl = {
  onRequest: (reported) => {
    listener = reported
    for (const request of early.splice(0)) reported(request)
  },
  get paused() {
    return isHeld
  },
  lanes: null,
}

const alerts = new TaskAlerts((alert) => report({ alert }))
const order = await new Promise<TaskOrder>((resolve) => {
  process.on('message', (message: ToTask) => {
    if ('order' in message) {
      // Apply the order's requests before the promise resolves: the next message may have a newer request.
      for (const request of message.order.wishes) applyRequest(request)
      resolve(message.order)
    } else if ('wish' in message) applyRequest(message.wish)
    else if ('alert' in message) alerts.receive(message.alert)
    else if ('ping' in message) report({ pong: true })
    else if ('stop' in message) interrupter.requestStop()
    else interrupter.requestAbort()
  })
})
// Without the worker there are no heartbeats, so another worker may soon get the task.
process.on('disconnect', () => interrupter.requestStop(new SluiceError('STOPPED', 'the worker of this task has ended')))
// A terminal sends signals to all of its programs: ignore them, because the worker decides what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)

const operation = withOwnUrls(order.operation as Operation, order.stores)
// Workers detect `stuck` for all tasks of a shared run. The task detects it only if alerts end the run.
const watched = leftToWorkers(operation)
const secrets = order.stores.flatMap(({ url }) => secretsOfUrl(url))
// A paused run starts nothing. Some operations cannot pause once they have begun. A stop ends the wait.
while (isHeld && !interrupter.stop.aborted) await restUnder(interrupter.stop, HELD_MS)
const { turnMs, book, sharedRun, onCall } = order
const turn = turnMs === undefined ? null : new TaskTurn(turnMs, () => interrupter.requestStop())
const { tool, actor, host, commandLine, mark } = order
const options = { tool, actor, host, commandLine, interrupt: interrupter, clock: systemClock, control }
/** Errors of incomplete tables. */
const failed = new Map<string, ErrorInfo>()
const refusal = mark === undefined ? null : await refusalOf(mark)
const finished =
  refusal ??
  (await runOperation(watched, {
    ...options,
    onEvent: (event: Event) => {
      turn?.take(event)
      if (event.type === 'table.finished') noteEnd(event)
      report({ event: redactValue(event, secrets) })
    },
    ...(book === undefined ? {} : { book }),
    sharedRun,
    goesOn: ({ exitCode: code, error }) =>
      taskEnd(
        { exitCode: code, crashed: false, failures: [...failed.values()], ...(error === undefined ? {} : { error }) },
        order.rested,
      ).left !== 'none',
    ledgerTotals: (totals) => report({ totals }),
    alertMemory: (say) => alerts.memory(book, say),
    queued: order.operation as Operation,
    ...(onCall === undefined ? { callOthers: () => report({ callOthers: true }) } : { onCall }),
  }))
turn?.[Symbol.dispose]()
const { exitCode, error: failure } = finished
// The program stopped without a request to stop: steering requests exclude all remaining work.
const isLeftOut = exitCode === EXIT_OF_KIND.stopped && !interrupter.stop.aborted && !interrupter.abort.aborted
const done = {
  exitCode,
  ...(failure === undefined ? {} : { error: redactValue(failure, secrets) }),
  ...(isLeftOut ? { leftOut: true as const } : {}),
  ...(refusal === null ? {} : { isUnworked: true as const }),
  failures: [...failed.values()].map((error) => redactValue(error, secrets)),
}
report({ done }, () => process.exit(exitCode))
if (!process.connected) process.exit(exitCode)

/** Error if the plan differs from the confirmed one, or cannot be made. */
async function refusalOf(confirmed: string): Promise<{ readonly exitCode: number; readonly error: ErrorInfo } | null> {
  try {
    const [{ planDigest: markOf, trialOf }, { planChanged }] = await Promise.all([
      import('./schedules/plan-digest.ts'),
      import('./schedules/plan.ts'),
    ])
    const events = await trialOf(operation, async (plan, onEvent) => await runOperation(plan, { ...options, onEvent }))
    if (markOf(operation, events) === confirmed) return null
    throw planChanged('its dry run shows columns, a calendar or a location that differ from the confirmed plan')
  } catch (thrown) {
    const error = asSluiceError(thrown)
    return { exitCode: error.exitCode, error: error.info() }
  }
}

function noteEnd({ table, error }: Extract<Event, { type: 'table.finished' }>): void {
  if (error === undefined) failed.delete(table)
  else failed.set(table, error)
}

function applyRequest(request: SteeringRequest): void {
  if (request.act === 'hold') isHeld = request.held
  listener(request)
}

function report(message: FromTask, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, {}, then)
}
