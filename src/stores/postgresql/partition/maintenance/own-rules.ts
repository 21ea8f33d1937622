/**
 * Finds constraints that a neighbour partition has and the partitioned table lacks. A new partition is created like its
 * neighbour, but without these: a constraint for a single period could refuse every row of another period.
 */
import { tableText, type Column } from '../../../../model/copy/column-type.ts'
import type { PrintedBounds } from '../../../../model/partition/maintenance-port.ts'
import { isPostgresBusy, type KnownTable } from '../../server/locks.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { NOTING_TRIGGERS } from './key-log.ts'

/** Number of values in the new period with which a condition is tested, in addition to the last value of the period. */
const TESTED_TIMES = 16

export type PeriodRule = PrintedBounds & { readonly column: Column; readonly from: string; readonly to: string }

/** A constraint that a new partition did not get. */
export type LeftOutConstraint = {
  readonly name: string
  readonly why: string
  /** What the user can do about it; null if there is nothing to do. */
  readonly hint: string | null
}

type OwnRule = {
  readonly name: string
  readonly definition: string
  /** Condition of a check constraint; null for a foreign key. */
  readonly condition: string | null
  readonly isOfColumn: boolean
}

/**
 * Drops check constraints that a new table got from its neighbour, but that the partitioned table lacks.
 * @param of the neighbour
 * @param parts `parent`: the partitioned table; `sideTable`: the new table, with a check constraint for its bounds
 * @returns the dropped constraints, and foreign keys of the neighbour that the new table did not get
 * @throws errors of the server
 */
export async function leaveOutOwn(
  session: CopySession,
  of: KnownTable,
  {
    parent,
    sideTable,
    period,
  }: { readonly parent: KnownTable; readonly sideTable: KnownTable; readonly period: PeriodRule },
): Promise<readonly LeftOutConstraint[]> {
  const rules = await ownRules(session, of, parent.oid, period.column.name)
  const drops = rules.flatMap(({ name, condition }) =>
    condition === null ? [] : [`DROP CONSTRAINT ${quoteName(name)}`],
  )
  if (drops.length > 0) await session.ask(`ALTER TABLE ${tableSql(sideTable.name)} ${drops.join(', ')}`)
  const left: LeftOutConstraint[] = []
  for (const rule of rules)
    left.push({ name: rule.name, ...(await judged(session, rule, { of, parent, sideTable, period })) })
  return left
}

/**
 * Names of triggers, foreign keys and unique indexes that only the neighbour has. They may refuse rows, but the new
 * table gets them too, because their purpose is unknown.
 */
export async function copiedFromNeighbour(
  session: CopySession,
  of: KnownTable,
  left: readonly LeftOutConstraint[],
): Promise<readonly string[]> {
  const oid = `${literal(of.oid)}::oid`
  return await session.texts(
    `SELECT 'the trigger ' || g.tgname::text FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${oid}::oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
       AND g.tgparentid = 0::oid AND g.tgname NOT IN (${NOTING_TRIGGERS.map(literal).join(', ')})
     UNION ALL SELECT 'the foreign key ' || k.conname::text FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.contype = 'f' AND k.conparentid = 0::oid
       AND k.conname <> ALL (ARRAY[${left.map(({ name }) => literal(name)).join(', ')}]::name[])
     UNION ALL SELECT CASE WHEN i.indisexclusion THEN 'the constraint ' ELSE 'the unique index ' END || c.relname::text
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       WHERE i.indrelid = ${oid}::oid AND (i.indisunique OR i.indisexclusion) AND i.indisvalid AND NOT c.relispartition
     ORDER BY 1`,
  )
}

async function ownRules(
  session: CopySession,
  of: KnownTable,
  parent: string,
  column: string,
): Promise<readonly OwnRule[]> {
  const rows = await session.ask(
    `SELECT k.conname, pg_catalog.pg_get_constraintdef(k.oid), pg_catalog.pg_get_expr(k.conbin, k.conrelid),
       k.conkey OPERATOR(pg_catalog.=) (SELECT ARRAY[a.attnum] FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = ${literal(column)} AND NOT a.attisdropped)
     FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${literal(of.oid)}::oid AND (
       k.contype = 'c' AND k.coninhcount = 0 AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true)
       OR k.contype = 'f' AND k.conparentid = 0::oid AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = k.confrelid))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.conrelid = ${literal(parent)}::oid AND p.contype = 'c'
         AND pg_catalog.pg_get_expr(p.conbin, p.conrelid) = pg_catalog.pg_get_expr(k.conbin, k.conrelid))
     ORDER BY 1`,
  )
  return rows.map(([name, definition, condition, isOfColumn]) => ({
    name: name ?? '',
    definition: definition ?? '',
    condition: condition ?? null,
    isOfColumn: isOfColumn === 't',
  }))
}

async function judged(
  session: CopySession,
  { name, definition, condition, isOfColumn }: OwnRule,
  {
    of,
    parent,
    sideTable,
    period,
  }: {
    readonly of: KnownTable
    readonly parent: KnownTable
    readonly sideTable: KnownTable
    readonly period: PeriodRule
  },
): Promise<Omit<LeftOutConstraint, 'name'>> {
  const only = `only ${tableText(of.name)} has it, not ${tableText(parent.name)}`
  if (condition === null) {
    return {
      why: `${only}, and it refers to a single partition, where rows of another period would not find their reference`,
      hint: `if it is meant for every period: ALTER TABLE ${tableSql(parent.name)} ADD FOREIGN KEY … to the partitioned table; otherwise give the new partition its own`,
    }
  }
  if (isOfColumn) {
    if (!(await mayPass(session, condition, period))) {
      return { why: `${only}, and it refuses every row of this period: ${definition}`, hint: null }
    }
    if (await isImplied(session, condition, sideTable)) {
      return { why: `${only}, and the bounds of this period imply it: ${definition}`, hint: null }
    }
  }
  return {
    why: `${only}: made for one period, it could refuse every row of another: ${definition}`,
    hint: `if it is meant for every period: ALTER TABLE ${tableSql(parent.name)} ADD CONSTRAINT ${quoteName(name)} ${definition}; otherwise do nothing`,
  }
}

/** True if a condition on the column accepts at least one tested value, or if the server cannot compute it. */
async function mayPass(session: CopySession, condition: string, { column, from, to }: PeriodRule): Promise<boolean> {
  const name = quoteName(column.name)
  const bound = (text: string): string => `CAST(${literal(text)} AS ${column.native})`
  const [low, high] = [bound(from), bound(to)]
  const { at, last } = steps(column, low, high)
  try {
    const [row] = await session.ask(
      `SELECT pg_catalog.bool_or(coalesce((${condition}), true)) FROM (
         SELECT CAST(${at} AS ${column.native}) FROM pg_catalog.generate_series(0, ${TESTED_TIMES - 1}) AS n UNION ALL SELECT CAST(${last} AS ${column.native})) AS moments (${name})`,
    )
    return row?.[0] !== 'f'
  } catch (error) {
    if (!session.alive || isPostgresBusy(error)) throw error
    return true
  }
}

function steps({ type }: Column, low: string, high: string): { readonly at: string; readonly last: string } {
  switch (type.kind) {
    case 'date':
      return { at: `${low} + (${high} - ${low}) * n / ${TESTED_TIMES}`, last: `${high} - 1` }
    case 'timestamp':
      return { at: `${low} + (${high} - ${low}) * (n / ${TESTED_TIMES}.0)`, last: `${high} - interval '1 microsecond'` }
    default:
      return {
        at: `${low}::numeric + pg_catalog.trunc((${high}::numeric - ${low}::numeric) * n::numeric / ${TESTED_TIMES}::numeric)`,
        last: `${high}::numeric - 1::numeric`,
      }
  }
}

/** True if the server infers that no row within the bounds violates the condition. */
async function isImplied(session: CopySession, condition: string, sideTable: KnownTable): Promise<boolean> {
  await session.begin('READ ONLY', 'SET LOCAL constraint_exclusion TO on')
  try {
    const plan = await session.ask(`EXPLAIN SELECT FROM ONLY ${tableSql(sideTable.name)} WHERE NOT (${condition})`)
    return plan.some(([line]) => line?.includes('One-Time Filter: false') === true)
  } catch (error) {
    if (!session.alive || isPostgresBusy(error)) throw error
    return false
  } finally {
    await session.rollBack()
  }
}
