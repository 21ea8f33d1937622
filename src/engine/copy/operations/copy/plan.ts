/** The stage of a copy that plans its tables, and what comes or does not come along beside their rows. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LeftBehind } from '../../../../model/copy/left-behind.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import type { WishedStream } from '../../companion.ts'
import { begunPlans } from '../../ledger/begun-plans.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { SharedRestarts } from '../../ledger/shared-restarts.ts'
import { planObjects, type ObjectPlans } from '../../objects/plan-objects.ts'
import { planLeftBehind } from '../../plan/left-behind.ts'
import { asPlaced, planCopy, type PlannedCopy, type Planner } from '../../plan/plan-copy.ts'
import { hashOf } from '../../plan/plan-hash.ts'
import { onSide } from '../../sides.ts'
import type { Looked } from './open.ts'

/** A copy whose tables are planned, with what is made and what is left beside their rows. */
export type Planned = Looked &
  BesideRows & {
    readonly to: CopyStore
    /** What was wanted is begun anew by the turns of one shared run. */
    readonly isAnew: boolean
    /** The stream that the command goes on with; null where there is none yet. */
    readonly wished: WishedStream | null
    readonly planner: Planner
    readonly planned: PlannedCopy
    /** Of the tables as the command says them, wherever an earlier run has put them. */
    readonly planHash: string
  }

type BesideRows = { readonly objects: ObjectPlans; readonly left: readonly LeftBehind[] }

/** @throws SluiceError whatever keeps the copy as a whole from being planned; what hinders a table stands with it */
export async function plan(looked: Looked, to: CopyStore): Promise<Planned> {
  const { companion, run, from, planning, steering } = looked
  let { operation } = looked
  const isAnew = operation.restart && run.sharedRun !== undefined && !operation.dryRun
  if (isAnew && companion !== null) operation = { ...operation, restart: !(await hasBegunAnew(to, run.sharedRun)) }
  // A plan that is only shown is one of what the command says.
  const wished = operation.dryRun ? null : ((await companion?.wished(operation, from, to)) ?? null)
  const planner: Planner = {
    ...planning,
    ...(wished === null || operation.restart ? {} : { followed: wished.tables }),
  }
  let planned = refusedForAgain(await planCopy(operation, from, to, planner), operation)
  const planHash = hashOf(planned.tables.map((one) => one.plan?.hash ?? one.error?.code))
  if (operation.dryRun) planned = refusedForAgain(await inNotedPlaces(planned, operation, planner), operation)
  planning.extents?.clear()
  steering.tables = planned.tables.map(({ source }) => tableText(source.table))
  const all = { ...looked, to, operation, isAnew, wished, planner, planned, planHash }
  return { ...all, ...(await besideRows(all, planned)) }
}

/** What is made beside the rows of a plan, and what does not come along. */
export async function besideRows(
  { operation, companion, run, again }: Pick<Planned, 'operation' | 'companion' | 'run' | 'again'>,
  some: PlannedCopy,
): Promise<BesideRows> {
  const { abort } = run.interrupt
  const byPattern = operation.tables.some((pattern) => pattern.includes('*'))
  return {
    objects: await again(() => planObjects(some, operation.with ?? [], abort)),
    left: companion?.saysLeftBehind === true ? [] : await again(() => planLeftBehind(some, byPattern, abort)),
  }
}

/** Whether a turn before this one has begun the stream of the run anew. */
async function hasBegunAnew(to: CopyStore, sharedRun = ''): Promise<boolean> {
  await using database = await onSide('target', () => to.ledger())
  return await new SharedRestarts(database, sharedRun).hasStream()
}

/** Of a plan that is only shown: tables of a target with schemas where the run would find them by the ledger. */
async function inNotedPlaces(
  planned: PlannedCopy,
  operation: Planned['operation'],
  planner: Planner,
): Promise<PlannedCopy> {
  const { to } = planned
  if (to.can.keepsSchemas !== true) return planned
  await using database = await onSide('target', () => to.ledger())
  return (await hasLedger(database)) ? await asPlaced(planned, operation, planner, begunPlans(database)) : planned
}
