/** Steering requests for a task's program: changes since the last message. Numbers of a run are divided among tasks. */
import type { RunRequests } from '../../model/share/distributed.ts'
import { isSameTable, type TableHold, type TableRetry } from '../../model/run/table-request.ts'
import type { ClaimedTask, TaskRequests } from '../../model/share/queue-port.ts'
import type { SteeringRequest } from '../../engine/run/operation.ts'

/** @property among number of tasks that share the numbers of the run, such as its rate */
export type SharedRequests = { readonly wishes: RunRequests; readonly among: number }

/** Current requests for a task. */
export function requestsOf(slot: ClaimedTask, { wishes, working }: TaskRequests): SharedRequests {
  return { wishes: { ...askedRate(slot), ...wishes }, among: working }
}

/** The rate of the run's command applies to all of its tasks together, until another one is requested. */
function askedRate({ operation }: ClaimedTask): Pick<RunRequests, 'rate'> {
  // `archive run` accepts no rate from its worker: each of its tasks keeps the one of the command.
  if (typeof operation !== 'object' || operation === null || !('rate' in operation)) return {}
  return typeof operation.rate === 'number' ? { rate: operation.rate } : {}
}

/** Requests before the first message. */
export const NO_REQUESTS: SharedRequests = { wishes: {}, among: 0 }

/**
 * @param before last message; `NO_REQUESTS` before the start of the task
 * @param onCall the task copies for the task of the stream, and has no apply workers
 */
export function optionsSince(before: SharedRequests, now: SharedRequests, onCall: boolean): readonly SteeringRequest[] {
  const share = (number: number): number => Math.max(1, Math.floor(number / Math.max(1, now.among)))
  const isOther = now.among !== before.among
  const { held = false, rate, workers, lanes } = now.wishes
  const requests: SteeringRequest[] = []
  if (held !== (before.wishes.held ?? false)) requests.push({ act: 'hold', held })
  if (rate !== undefined && (rate !== before.wishes.rate || isOther))
    requests.push({ act: 'rate', rate: rate === null ? null : share(rate) })
  if (workers !== undefined && (workers !== before.wishes.workers || isOther))
    requests.push({ act: 'workers', workers: share(workers) })
  if (lanes !== undefined && lanes !== before.wishes.lanes && !onCall) requests.push({ act: 'lanes', lanes })
  return [...requests, ...tableOptionsSince(before, now)]
}

function tableOptionsSince(
  before: SharedRequests,
  { wishes: { tables = [], retries = [] } }: SharedRequests,
): readonly SteeringRequest[] {
  const known = before.wishes.tables ?? []
  // A program retries earlier failures by itself when it begins.
  const again = before === NO_REQUESTS ? [] : retries.filter((one) => !before.wishes.retries?.some(isRetry(one)))
  const gone = known.filter((one) => !tables.some(isHold(one)))
  // A request for a whole table also resets its chunks, so send the requests for paused or skipped chunks once more.
  const retried = new Set([...gone, ...again].map(({ table }) => table))
  const added = tables.filter((one) => retried.has(one.table) || !known.some(isHold(one)))
  return [
    ...gone.map((one) => asked('resume', one)),
    ...again.map((one) => asked('retry', one)),
    ...added.map((one) => asked(one.held === 'paused' ? 'pause' : 'skip', one)),
  ]
}

function asked(
  act: 'pause' | 'resume' | 'skip' | 'retry',
  { table, chunk }: { readonly table: string; readonly chunk?: string },
): SteeringRequest {
  return { act, table, ...(chunk === undefined ? {} : { chunk }), shared: true }
}

const isHold =
  (one: TableHold) =>
  (other: TableHold): boolean =>
    isSameTable(one, other) && one.held === other.held
const isRetry =
  (one: TableRetry) =>
  (other: TableRetry): boolean =>
    isSameTable(one, other) && one.at === other.at
