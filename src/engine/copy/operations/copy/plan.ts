/** Stage of a copy that plans its tables, the objects to create, and the dependencies that it does not transfer. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { LeftBehind } from '../../../../model/copy/dependencies.ts'
import { refusedForAgain } from '../../again/delete-extra.ts'
import type { WantedStream } from '../../companion.ts'
import { begunPlans } from '../../ledger/begun-plans.ts'
import { hasLedger } from '../../ledger/schema.ts'
import { SharedRestarts } from '../../ledger/shared-restarts.ts'
import { planObjects, withoutFiringKeys, type ObjectPlans } from '../../objects/plan-objects.ts'
import { planUnrequested } from '../../objects/unrequested.ts'
import { planLeftBehind } from '../../plan/left-behind.ts'
import { withLedgerNames, planCopy, type PlannedCopy, type Planner } from '../../plan/plan-copy.ts'
import { hashOfFields } from '../../plan/plan-hash.ts'
import { onSide } from '../../sides.ts'
import type { OpenedCopy } from './open.ts'

/** A copy with its planned tables, the objects to create, and the dependencies that it does not transfer. */
export type PlannedCopyRun = OpenedCopy &
  PlannedExtras & {
    readonly to: CopyStore
    /** True if the options tell a distributed run to restart. */
    readonly isRestart: boolean
    /** The stream that the command resumes; null if there is none yet. */
    readonly asked: WantedStream | null
    readonly planner: Planner
    readonly planned: PlannedCopy
    /** Hash of the plan that follows from the command only, without target names from earlier runs. */
    readonly planHash: string
  }

type PlannedExtras = { readonly objects: ObjectPlans; readonly left: readonly LeftBehind[] }

/** @throws SluiceError if the copy as a whole cannot be planned; errors of single tables are kept with the table */
export async function planCopyRun(inspected: OpenedCopy, to: CopyStore): Promise<PlannedCopyRun> {
  const { companion, run, from, planning, steering } = inspected
  let { operation } = inspected
  const isRestart = operation.restart && run.sharedRun !== undefined && !operation.dryRun
  if (isRestart && companion !== null) operation = { ...operation, restart: !(await hasRestarted(to, run.sharedRun)) }
  // A dry run plans from the command only, without an existing stream.
  const asked = operation.dryRun ? null : ((await companion?.findStream(operation, from, to)) ?? null)
  const planner: Planner = {
    ...planning,
    ...(asked === null || operation.restart ? {} : { followed: asked.tables }),
  }
  let planned = refusedForAgain(await planCopy(operation, from, to, planner), operation)
  const planHash = hashOfFields(planned.tables.map((one) => one.plan?.hash ?? one.error?.code))
  if (operation.dryRun) planned = refusedForAgain(await withNotedNames(planned, operation, planner), operation)
  planning.extents?.clear()
  steering.tables = planned.tables.map(({ source }) => tableText(source.table))
  const all = { ...inspected, to, operation, isRestart, asked, planner, planned, planHash }
  return { ...all, ...(await planExtras(all, planned)) }
}

/** Objects to create, and dependencies that the copy does not transfer. */
export async function planExtras(
  { operation, companion, run, again }: Pick<PlannedCopyRun, 'operation' | 'companion' | 'run' | 'again'>,
  some: PlannedCopy,
): Promise<PlannedExtras> {
  const { abort } = run.interrupt
  const byPattern = operation.tables.some((pattern) => pattern.includes('*'))
  const options = operation.with ?? []
  const split = options.length === 0 ? null : await again(() => planObjects(some, options, abort))
  const requested: ObjectPlans = split?.requested ?? new Map()
  const objects =
    companion === null
      ? requested
      : await again(() => withoutFiringKeys(some, requested, () => companion.checksKeys(operation, some.to, abort)))
  if (companion?.reportsDependencies === true) return { objects, left: [] }
  const left = await again(() => planLeftBehind(some, byPattern, objects, abort))
  return { objects, left: [...left, ...(await again(() => planUnrequested(some, options, split, abort)))] }
}

/** True if an earlier execution of the run has restarted its stream. */
async function hasRestarted(to: CopyStore, sharedRun = ''): Promise<boolean> {
  await using database = await onSide('target', () => to.ledger())
  return await new SharedRestarts(database, sharedRun).hasStream()
}

/** For a dry run into a target with schemas: takes target names from the ledger, as the run would. */
async function withNotedNames(
  planned: PlannedCopy,
  operation: PlannedCopyRun['operation'],
  planner: Planner,
): Promise<PlannedCopy> {
  const { to } = planned
  if (to.can.keepsSchemas !== true) return planned
  await using database = await onSide('target', () => to.ledger())
  return (await hasLedger(database))
    ? await withLedgerNames(planned, operation, planner, begunPlans(database))
    : planned
}
