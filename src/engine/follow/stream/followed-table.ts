/** A replicated table, as both sides of the stream need it. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChangeTable, FollowedTable } from '../../../model/follow/port.ts'
import { comparedColumns } from '../../copy/table/context.ts'
import { exactBetween } from '../../copy/plan/column-plans.ts'
import type { TableKey } from '../../copy/ledger/owner.ts'
import type { PlannedCopy, PlannedTable } from '../../copy/plan/plan-copy.ts'

export type FollowTable = {
  /** Name of the source's table. */
  readonly name: string
  /** Name of the target's table in the ledger. */
  readonly key: TableKey
  readonly plan: TablePlan
  readonly source: FollowedTable
  readonly target: ChangeTable
  /**
   * Set if only a part of the table is compared: the condition in the target's SQL. `plan` has it in the source's SQL.
   */
  readonly targetWhere?: string
}

/** The target's table as the ledger names it; also for a table that cannot be planned. */
export function ledgerKey({ source, targetName }: PlannedTable, { from, to }: PlannedCopy): TableKey {
  const own = from.can.keepsSchemas === true && to.can.keepsSchemas === true ? source.table.schema : to.schema
  return { schema: targetName.schema ?? own ?? '', name: targetName.name }
}

/** Input of the source's preflight check, which finds the row key. */
export function sourceOf(plan: TablePlan): FollowedTable {
  const computed = comparedColumns(plan).filter(({ target }) => target.generated === true)
  const unwritten = unwrittenColumns(plan)
  return {
    table: plan.source,
    columns: writtenColumns(plan).map(({ from, as, source }) => ({ name: from, as, column: source })),
    identity: [],
    ...(unwritten.length === 0 ? {} : { unwritten }),
    ...(computed.length === 0 ? {} : { computed: computed.map(({ from }) => from) }),
  }
}

/** @param identity columns of the source that identify a changed row */
export function followTable(given: TablePlan, key: TableKey, identity: readonly string[]): FollowTable {
  const plan = { ...given, columns: given.columns.map((column) => printedIfExact(column, identity)) }
  const columns = writtenColumns(plan)
  const name = tableText(plan.source.table)
  return {
    name,
    key,
    plan,
    source: { ...sourceOf(plan), identity },
    target: {
      table: plan.target,
      columns: columns.map(({ to, as, target }) => ({ name: to, as, column: target })),
      comparedApart: columns.flatMap(({ from, to, source, target }) =>
        identity.includes(from) && (source.native !== target.native || source.collation !== target.collation)
          ? [to]
          : [],
      ),
      identity: identity.map((column) => {
        const found = columns.find(({ from }) => from === column)
        if (found !== undefined) return found.to
        throw new SluiceError('NOT_FOLLOWABLE', `${name} cannot be followed without its column ${column}`, {
          reason: 'the source identifies changed rows by it',
          hint: 'add it to --columns',
        })
      }),
    },
  }
}

/** Positions of the row key columns in a row of a change. */
export function rowKeyPositions({ source }: FollowTable): readonly number[] {
  return source.identity.map((name) => source.columns.findIndex((column) => column.name === name))
}

/** Transfers values as their system prints them if the canonical form is less exact; not for row key columns. */
function printedIfExact(
  column: TablePlan['columns'][number],
  identity: readonly string[],
): TablePlan['columns'][number] {
  const { as, source, target, from, codec } = column
  const isFree = as.kind === 'decimal' && as.scale === undefined && as.cut === undefined
  const exact = exactBetween(source, target)
  // If an older version began the stream, its rows are in canonical form.
  const isCanonical = as.kind !== 'native' && (exact === 'any' || exact === 'text')
  const name = (isCanonical ? null : exact) ?? (isFree && source.native === target.native ? source.native : null)
  if (name === null || codec !== undefined) return column
  if (!identity.includes(from)) return { ...column, as: { kind: 'native', name } }
  return isFree ? column : { ...column, as: source.type }
}

/**
 * Target columns that the stream does not write: the source dropped them since the stream's start, or never had them.
 * Empty if only chosen columns are replicated.
 */
function unwrittenColumns(plan: TablePlan): readonly string[] {
  if (plan.chosen === true) return []
  const known = new Set(comparedColumns(plan).map(({ to }) => to))
  return plan.target.columns.flatMap(({ name }) => (known.has(name) ? [] : [name]))
}

/** Columns that a stream writes; not those that the target computes. */
function writtenColumns({ columns }: TablePlan): TablePlan['columns'] {
  return columns.filter(({ target }) => target.generated !== true)
}
