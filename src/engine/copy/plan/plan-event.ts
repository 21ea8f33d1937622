/** The plan of a copy as frontends show it. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { LeftBehind } from '../../../model/copy/dependencies.ts'
import { dec, type CopyPlanLine, type PlannedObjectLine } from '../../../model/run/event.ts'
import type { Ending, Run } from '../../run/run-context.ts'
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import type { ObjectPlans, PlannedObject } from '../objects/plan-objects.ts'
import { plannedChunks } from './chunk-count.ts'
import { leftOfTable } from './left-behind.ts'
import type { PlannedCopy, PlannedTable } from './plan-copy.ts'
import { quotaNotes, serviceLimits } from './service-limits.ts'
import { textNotes, zeroNotes } from './text-notes.ts'

/** State of a table in the ledger before a run. */
export type PlannedTableState = 'new' | 'begun' | 'done'

const STATUS = { new: 'copy', begun: 'resume', done: 'done' } as const

/**
 * Emits the plan.
 * @param standings state of each table in the ledger; empty if the ledger was not read
 * @param more further notes per table
 */
export function emitPlan(
  planned: PlannedCopy & { readonly periods?: PeriodOptions | undefined },
  hash: string,
  standings: readonly PlannedTableState[],
  run: Run<'plan.ready'>,
  objects: ObjectPlans,
  left: readonly LeftBehind[],
  more: readonly (readonly string[])[] = [],
): void {
  const lines = planned.tables.map((one, i) =>
    planLine(one, standings[i] ?? 'new', planned, objects.get(tableText(one.source.table)), left, more[i] ?? []),
  )
  const sum = (pick: (line: CopyPlanLine) => string): string =>
    dec(lines.reduce((all, line) => all + BigInt(pick(line)), 0n))
  run.emit({
    type: 'plan.ready',
    hash,
    tables: dec(lines.length),
    chunks: sum(({ chunks }) => chunks),
    unit: 'row',
    total: sum(({ rows }) => rows),
    estimated: lines.some(({ estimated }) => estimated),
    bytes: sum(({ bytes }) => bytes),
    excluded: [],
    copies: lines,
    ...(left.length === 0 ? {} : { leftBehind: left }),
  })
}

function planLine(
  planned: PlannedTable,
  state: PlannedTableState,
  stores: Pick<PlannedCopy, 'from' | 'to'> & { readonly periods?: PeriodOptions | undefined },
  objects: readonly PlannedObject[] | undefined,
  left: readonly LeftBehind[],
  more: readonly string[],
): CopyPlanLine {
  const { source, targetName, plan, extent, ring, error } = planned
  const { can } = stores.to
  const own = leftOfTable(left, tableText(source.table))
  const open = state === 'done' && objects?.some((object) => object.status === 'build') === true
  const { chunks, exact } = plannedChunks(planned, stores.periods)
  const amount = { rows: extent.rows, bytes: source.bytes, chunks }
  const notes = [
    ...(plan === null ? [] : [...textNotes(plan), ...zeroNotes(plan, stores)]),
    ...(plan?.notResumable === undefined ? [] : [plan.notResumable]),
    ...(plan?.create !== true || source.floatKey === undefined
      ? []
      : [`left behind: the key with ${source.floatKey}, which the created table does not get: create it by hand`]),
    ...(ring === null || ring.part === null ? [] : [ring.part]),
    ...(error === null ? [...quotaNotes(can, amount), ...more] : []),
  ]
  return {
    table: tableText(source.table),
    to: tableText(targetName),
    status: error !== null ? 'refused' : STATUS[open ? 'begun' : state],
    rows: dec(extent.rows),
    estimated: !extent.exact,
    bytes: dec(source.bytes),
    chunkRows: dec(plan?.chunkRows ?? 0),
    chunks: dec(chunks),
    ...(exact ? {} : { chunksEstimated: true as const }),
    writers: dec(can.writers),
    key: plan?.source.key ?? source.key,
    ...(extent.low === null ? {} : { low: extent.low }),
    ...(extent.high === null ? {} : { high: extent.high }),
    proof: plan?.proof ?? 'none',
    create: plan?.create ?? false,
    onExisting: plan?.onExisting ?? 'refuse',
    columns:
      plan?.columns.map(({ from, to, source: a, target: b, lossy }) => ({
        from,
        to,
        source: a.native,
        target: b.native,
        ...(lossy === undefined ? {} : { lossy }),
      })) ?? [],
    ...(error === null ? serviceLimits(can, amount) : {}),
    ...(notes.length === 0 ? {} : { notes }),
    ...(objects === undefined ? {} : { objects: objects.map(objectLine) }),
    ...(own.length === 0 ? {} : { leftBehind: own }),
    ...(error === null ? {} : { error: error.info() }),
  }
}

function objectLine(planned: PlannedObject): PlannedObjectLine {
  const { name, kind, status } = planned
  const note = status === 'left' ? planned.reason : status === 'build' ? planned.note : undefined
  return { name, kind, status, ...(note === undefined ? {} : { note }) }
}

/** Ending of a run that only shows its plan. */
export function endOfPlan({ tables }: PlannedCopy): Ending {
  const refused = tables.flatMap(({ error }) => (error === null ? [] : [error]))
  const [first] = refused
  const totals = { tables: dec(tables.length), refused: dec(refused.length) }
  return { totals, proof: 'none', ...(first === undefined ? {} : { error: first }) }
}
