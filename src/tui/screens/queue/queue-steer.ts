/** Steering of a queue run by keys. Requests are for the whole run and are divided among its tasks. */
import { OPERATIONS, type OperationKind } from '../../../app/operations/list.ts'
import type { SharedRun } from '../../../app/workbench.ts'
import { obeys } from '../../../app/share/steerable.ts'
import { nextRate } from '../../run/rate-limit.ts'
import type { State } from '../../state/state.ts'
import { taskAtCursor } from './queue-rows.ts'
import { shownRun, shownTasks } from './queue-open.ts'
import { rateOfTasks } from './queue-shown.ts'

export type SharedSteer = 'pause' | 'rate' | 'workers' | 'stop'

/** Operation of a run; null if only a newer version of sluice has it: such a run can only be stopped. */
const kindOf = (run: SharedRun): OperationKind | null =>
  Object.hasOwn(OPERATIONS, run.kind) ? (run.kind as OperationKind) : null

/** True if the run can be steered in this way now. */
export function steersShared(run: SharedRun, what: SharedSteer): boolean {
  const { status, wishes } = run
  if (status !== 'running' || wishes.stop === true) return false
  const kind = kindOf(run)
  switch (what) {
    case 'stop':
      return true
    case 'pause':
    case 'rate':
    case 'workers':
      return kind !== null && obeys(kind, what)
  }
}

/**
 * Effect of `p`: `works` pauses the run; `rests` resumes it, or confirms a run that was restored with a copy of its
 * queue; `ended` queues the remaining work.
 */
export function pauseOf(run: SharedRun): 'works' | 'rests' | 'ended' | null {
  if (run.status === 'running' && run.isUnconfirmed && run.wishes.stop !== true) return 'rests'
  if (run.status === 'running')
    return steersShared(run, 'pause') ? (run.wishes.held === true ? 'rests' : 'works') : null
  return run.status === 'ok' ? null : 'ended'
}

/**
 * Number of parallel chunks after a key. It changes by the number of working tasks, because it is divided evenly among
 * them.
 */
export function workersAfter(run: SharedRun, more: boolean): number {
  const among = Math.max(1, run.slots.working)
  const now = run.wishes.workers ?? (run.workersEach ?? 1) * among
  return Math.max(among, now + (more ? among : -among))
}

/** The limit in rows per second after one key, or why it cannot change. */
export function sharedRateAfter(
  state: State,
  run: SharedRun,
  faster: boolean,
): { readonly rate: number | null } | { readonly why: string } {
  const { queue } = state
  const speed = queue === null ? 0 : rateOfTasks(shownTasks(state), run, queue)
  const limit = run.wishes.rate ?? Infinity
  const next = nextRate(limit, speed, speed, faster)
  return 'why' in next ? next : { rate: Number.isFinite(next.rate) ? next.rate : null }
}

/** The ledger with the run of the task under the cursor, if the config file names its store. */
export function taskLedger(state: State): { readonly url: string; readonly ledgerRun: string } | null {
  const run = shownRun(state)
  const slot = taskAtCursor(state)
  if (run === null || slot?.ledgerRun == null || run.ledgerStore === null) return null
  const store = state.stores.find(({ name }) => name === run.ledgerStore)
  return store === undefined ? null : { url: store.url, ledgerRun: slot.ledgerRun }
}
