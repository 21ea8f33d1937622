/** Checks both sides before anything is created: whether changes can be replicated, and obstacles of each table. */
import { changesBy } from '../../../model/copy/offers.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellNames } from '../../../shared/shell.ts'
import type { Cdc, ChangeSource, ChangeTarget, FollowRefusal } from '../../../model/follow/port.ts'
import type { InspectedParts, StreamParts } from '../../copy/companion.ts'
import type { CopyRun } from '../../copy/copy-run.ts'
import { hasLedger } from '../../copy/ledger/schema.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import { mayMerge } from '../../copy/plan/sorts-alike.ts'
import { onSide } from '../../copy/sides.ts'
import { followTable, ledgerKey, sourceOf, type FollowTable } from './followed-table.ts'
import { logSpaceRefusal } from './log-space.ts'
import { cannotFollow, refuseCombinations } from './refusals.ts'
import { refuseStreamGap } from './stream-gap.ts'
import { keyWarnings } from './unchecked-keys.ts'
import type { OnlyStream } from '../progress/watch.ts'

export type FollowingParts = StreamParts & {
  /** The only stream to resume; absent: any stream of the tables, or a new one. */
  readonly within?: OnlyStream
}

export type StreamSides = { readonly changes: ChangeSource; readonly target: ChangeTarget }

/** @throws SluiceError NOT_FOLLOWABLE */
export function streamSides({ from, to }: PlannedCopy, cdc: Cdc): StreamSides {
  const changes = changesBy(cdc, from)
  const target = to.offers.changeTarget
  if (changes === undefined && from.offers.triggerChanges !== undefined) {
    throw new SluiceError('NOT_FOLLOWABLE', `changes of ${from.system} cannot be read from a replication slot`, {
      where: from.label,
      reason: `${from.system} has no replication slots, and a stream uses one unless --cdc trigger is given`,
      hint: 'add --cdc trigger: triggers on the tables record which rows change',
    })
  }
  if (changes === undefined) {
    throw new SluiceError('NOT_FOLLOWABLE', `changes of ${from.system} cannot be followed`, {
      where: from.label,
      hint: 'remove --follow; each later copy with --again compares the tables and writes what differs',
    })
  }
  if (target === undefined) {
    throw cannotFollow(to.system, to.label)
  }
  return { changes, target }
}

/**
 * Checks both sides before anything is created.
 * @param isBorn true if the slot exists: free space for it is not checked then
 * @param recopied names of the stream's tables that are copied again
 * @throws SluiceError NOT_FOLLOWABLE
 */
export async function inspectSides(
  { operation, planned, run }: Pick<FollowingParts, 'operation' | 'planned' | 'run'>,
  { changes, target }: StreamSides,
  isBorn: boolean,
  recopied: ReadonlySet<string> = new Set(),
): Promise<readonly FollowTable[]> {
  const signal = run.interrupt.abort
  const plans = planned.tables.flatMap(({ plan }) => plan ?? [])
  const preflight = await changes.inspect(plans.map(sourceOf), signal)
  const hasOther = (operation.follow?.cdc ?? 'slot') === 'slot' && planned.from.offers.triggerChanges !== undefined
  const otherwise = hasOther ? '; or --cdc trigger, which needs no replication slot' : ''
  refuse(
    preflight.refusals
      .filter(({ table }) => !isBorn || table !== undefined)
      .map((one) => (one.table === undefined ? { ...one, hint: `${one.hint}${otherwise}` } : one)),
    run,
  )
  if (!isBorn) refuse(logSpaceRefusal(preflight.wal, planned, run), run)
  const tables = planned.tables.flatMap((one, at) =>
    one.plan === null ? [] : [followTable(one.plan, ledgerKey(one, planned), preflight.identities[at] ?? [])],
  )
  const copied = tables.filter((one) => !isBorn || recopied.has(one.name))
  refuse(
    copied.flatMap((one) => keyRefusals(one, target)),
    run,
  )
  const there = tables.filter(({ plan }) => !plan.create)
  const reported = await target.inspect({
    tables: there.map((one) => ({ ...one.target, ...(isBorn && !recopied.has(one.name) ? {} : { catchingUp: true }) })),
    fireTriggers: operation.follow?.fireTriggers === true,
    signal,
  })
  refuse(reported.refusals, run)
  // Triggers cost writers time as soon as the first one exists, so report the cost before any is created.
  const identified = plans.map((plan, at) => ({ ...sourceOf(plan), identity: preflight.identities[at] ?? [] }))
  const costs = isBorn ? [] : ((await changes.cost?.(identified, signal)) ?? [])
  for (const message of [...(isBorn ? [] : preflight.notes), ...costs, ...reported.notes])
    run.emit({ type: 'log', level: 'note', message })
  const followed = tables.map(({ plan }) => plan.target.table)
  if (reported.checksKeys !== true)
    for (const warning of await keyWarnings(planned.to, followed, !isBorn, signal))
      run.emit({ type: 'log', level: 'warn', ...warning })
  return tables
}

/**
 * Why a table cannot be copied or replicated by its keys; reported before anything is created, and not only when the
 * table is copied.
 * @param to target of the changes
 */
function keyRefusals({ name, plan, target }: FollowTable, to: Pick<ChangeTarget, 'folds'>): readonly FollowRefusal[] {
  const { table } = plan.source
  const refusals: FollowRefusal[] = []
  const isKey =
    target.identity.length === plan.target.key.length && target.identity.every((one) => plan.target.key.includes(one))
  if (plan.create && !isKey) {
    const [made, by] = [plan.target.key.join(', '), target.identity.join(', ')]
    const isFloat = plan.columns.some(
      ({ to: column, source }) => target.identity.includes(column) && source.type.kind === 'float',
    )
    refusals.push({
      table,
      message: `the source identifies rows of ${name} by ${by}, but the table that sluice would create in the target ${made === '' ? 'has no key' : `is unique by ${made}`}`,
      // `--key` refuses floating point numbers.
      hint: `create the table in the target first, with a unique index on (${by}) and no other unique one${isFloat ? '' : `; or use --key ${shellNames(target.identity)}`}`,
    })
  }
  const lossy = plan.columns.find((one) => target.identity.includes(one.to) && mayMerge(one))
  if (lossy !== undefined) {
    refusals.push({
      table,
      message: `${lossy.from}, by which the source identifies rows of ${name}, loses data in the target (${lossy.lossy ?? ''}): a change could be applied to another row`,
      hint: `give ${lossy.to} of the target the type of the source, ${lossy.source.native}`,
    })
  }
  const folded = plan.columns.find((one) => target.identity.includes(one.to) && to.folds?.(one.target) === true)
  if (plan.create && folded !== undefined) {
    refusals.push({
      table,
      message: `${folded.to} of ${name} would have the collation ${folded.target.collation ?? ''} in the target, for which keys of two source rows can be equal`,
      hint: 'create the table in the target first, with a column that is compared by its bytes',
    })
  }
  return refusals
}

/** True if sessions that apply changes to the target check its foreign keys. */
export async function checksKeys(
  { follow }: Pick<CopyOperation, 'follow'>,
  { offers }: CopyStore,
  signal: AbortSignal,
): Promise<boolean> {
  const request = { tables: [], fireTriggers: follow?.fireTriggers === true, signal }
  return (await onSide('target', async () => await offers.changeTarget?.inspect(request)))?.checksKeys === true
}

/** @throws SluiceError NOT_FOLLOWABLE for the first refusal; all are reported */
export function refuse(refusals: readonly FollowRefusal[], run: CopyRun): void {
  const [first] = refusals
  if (first === undefined) return
  const where = ({ table }: FollowRefusal): { readonly table?: string } =>
    table === undefined ? {} : { table: tableText(table) }
  for (const one of refusals.slice(1))
    run.emit({ type: 'log', level: 'error', message: one.message, hint: one.hint, ...where(one) })
  throw new SluiceError('NOT_FOLLOWABLE', first.message, { hint: first.hint })
}

/**
 * For a dry run: reports all obstacles, and how long the source retains the log.
 * @throws SluiceError NOT_FOLLOWABLE, BAD_FLAG
 */
export async function planFollowing(parts: InspectedParts): Promise<void> {
  refuseCombinations(parts.operation)
  for (const { error } of parts.planned.tables) if (error !== null) throw error
  const { database, run } = parts
  if (database !== null && !parts.operation.restart && (await hasLedger(database)))
    await refuseStreamGap({ ...parts, database, owner: { ...run.owner, runId: BigInt(run.runId) } })
  await inspectSides(parts, streamSides(parts.planned, parts.operation.follow?.cdc ?? 'slot'), false)
}
