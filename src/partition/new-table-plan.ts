/** Plan of the new table for an unpartitioned one: name, partitions, findings and statements. */
import type { PartitionPlanOperation } from './operations/partition-plan/declaration.ts'
import { tableText, type TableName } from '../model/copy/column-type.ts'
import { quotedName } from '../shared/sql-text.ts'
import type {
  PlanFinding,
  TableToPartition,
  NewTablePartition,
  Years,
  CountedRows,
} from '../model/partition/plan-port.ts'
import { oneSourceTable } from '../archive/work/each-table.ts'
import { columnNamed } from '../engine/copy/plan/column-named.ts'
import { DEFAULT_CALENDAR, type CalendarSpec } from '../model/calendar/calendar.ts'
import { placedPeriod } from './coverage.ts'
import { filledPeriods, type Filled } from './filled-periods.ts'
import { newPartitionName, plannedPeriods, rowYears, type RowYears } from './planned-periods.ts'
import { plannedTable, type PlanSource } from './planned-table.ts'

/** Number of future periods that a new table gets partitions for. */
const AHEAD = 2
/** Subjects of refusals after which planning ends. */
const ENDS_PLANNING = new Set(['partitioned', 'partition'])
const NAMED = 5

export type NewTablePlanOptions = Pick<
  PartitionPlanOperation,
  'table' | 'by' | 'calendar' | 'epoch' | 'slices' | 'exact' | 'into'
> & {
  /** Default of `into`, the name of the new table. */
  readonly nameOf: (table: TableName) => Promise<string>
}

export type NewTablePlan = {
  readonly planned: TableToPartition
  readonly years: Years
  readonly spec: CalendarSpec
  readonly findings: readonly PlanFinding[]
  /** Null if planning ends, because the table is partitioned already or is itself a partition. */
  readonly newTable: {
    readonly name: string
    readonly filled: Filled
    readonly partitions: readonly (NewTablePartition & { readonly label: string })[]
  } | null
}

/**
 * Plan of the new table: findings, periods with rows, and partitions.
 * @param now determines the current period
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG
 */
export async function planNewTable(source: PlanSource, options: NewTablePlanOptions, now: Date): Promise<NewTablePlan> {
  const { store, plan, signal } = source
  const spec = { ...DEFAULT_CALENDAR, ...options.calendar }
  const table = await oneSourceTable({ store }, options.table, signal)
  const { planned, years } = await plannedTable(source, table, columnNamed(table, options.by), options)
  const found = await plan.findings(planned, years.nulls.rows > 0n, signal)
  if (found.some(({ about, verdict }) => verdict === 'refused' && ENDS_PLANNING.has(about)))
    return { planned, years, spec, findings: found, newTable: null }
  const filled = await filledPeriods(source, planned, spec, rowYears(years).main, options)
  const periods = plannedPeriods(
    spec,
    filled.periods.map(({ period }) => period),
    now,
    AHEAD,
  )
  const partitions = periods.flatMap((period) => {
    const { from: low, to, low: begins, high } = placedPeriod(spec, period, planned.kind)
    // Leave out a period for a day that the zone skips.
    if (begins >= high) return []
    return [{ name: newPartitionName(table.table.name, period.label), label: period.label, from: low, to }]
  })
  const name = options.into ?? (await options.nameOf(table.table))
  const findings = [...found, ...periodFindings(planned, years, rowYears(years), found)]
  return { planned, years, spec, findings, newTable: { name, filled, partitions } }
}

/** Finding about names of planned tables that other objects already have. */
export async function takenFindings(
  { plan, signal }: PlanSource,
  { planned, newTable }: NewTablePlan,
): Promise<readonly PlanFinding[]> {
  if (newTable === null) return []
  const taken = await plan.usedNames(planned, [newTable.name, ...newTable.partitions.map((one) => one.name)], signal)
  if (taken.length === 0) return []
  const more = taken.length > NAMED ? ` and ${taken.length - NAMED} more` : ''
  return [
    {
      verdict: 'refused',
      about: 'name',
      object: taken.slice(0, NAMED).join(', ') + more,
      detail: 'another object has this name: the statements below would fail',
      hint: 'if it is left over from an earlier try, drop it',
    },
  ]
}

/** Constraints that rows may violate until the new table has caught up. */
const CREATED_LATER: ReadonlySet<string> = new Set(['unique', 'exclusion', 'foreign key from it'])

/** True if `partition run` creates the object of the finding later. */
export function isLate({ about, verdict }: PlanFinding): boolean {
  return CREATED_LATER.has(about) && verdict !== 'refused'
}

/** Findings about a copy by periods: a missing index, and constraints that are created later. */
export async function copyFindings(
  { plan, signal }: PlanSource,
  { planned, findings, newTable }: NewTablePlan,
): Promise<readonly PlanFinding[]> {
  const { table } = planned.table
  const late = findings.filter(isLate)
  return [
    ...((await plan.isIndexed(planned, signal))
      ? []
      : [
          {
            verdict: 'changes' as const,
            about: 'index',
            detail: `no index of ${tableText(table)} begins with ${planned.column.name}: sluice partition run is refused without one, because it copies each period separately`,
            hint: indexStatement(planned),
          },
        ]),
    ...(late.length === 0
      ? []
      : [
          {
            verdict: 'changes' as const,
            about: 'partition run',
            object: late.flatMap(({ object }) => object ?? []).join(', '),
            detail: `sluice partition run creates ${newTable?.name ?? 'the new table'} without these: a row copied late may violate them until the table has caught up`,
            hint: 'create them with the statements that the run prints, once the new table is live: the cutover is refused without them',
          },
        ]),
  ]
}

/** Statement for the index that a copy by periods needs. */
export function indexStatement({ table: { table }, column }: TableToPartition): string {
  const parts = table.schema === undefined ? [table.name] : [table.schema, table.name]
  return `CREATE INDEX CONCURRENTLY ON ${parts.map(quotedName).join('.')} (${quotedName(column.name)})`
}

// Findings for rows without a period, such as NULL and infinite values, and for rows far from all others.

const NAMED_YEARS = 5

/** Findings about rows without a period, and rows far from all others. @param found earlier findings of the table */
function periodFindings(
  { column }: TableToPartition,
  { nulls, outside }: Years,
  { far }: RowYears,
  found: readonly PlanFinding[],
): readonly PlanFinding[] {
  const all: PlanFinding[] = []
  const add = (verdict: PlanFinding['verdict'], about: string, detail: string, hint?: string): void => {
    all.push({ verdict, about, object: column.name, detail, ...(hint === undefined ? {} : { hint }) })
  }
  const stays = !found.some((one) => one.verdict === 'refused' && one.about === 'column' && one.object === column.name)
  const rest =
    'such rows go to the default partition, stay there when periods are archived, and are scanned whenever a partition is created'
  const exact = '--exact reads all, and so does an index of the column'
  const timeless = 'rows without a time'
  if (nulls.rows > 0n) {
    const then = stays ? rest : 'the new table does not take them: see the finding of the column'
    add('changes', timeless, `${countText(nulls)} NULL: ${then}`)
  } else if (column.nullable) {
    if (nulls.off === null) add('fine', timeless, 'no row has NULL')
    else add('not looked', timeless, 'none of the rows that were read has NULL', exact)
  }
  if (outside.rows === 0n && outside.off !== null) {
    const detail =
      'none of the rows that were read is infinite or lies far from the others; rows that were not read may be'
    add('not looked', 'rows outside', detail, exact)
  }
  if (outside.rows > 0n) {
    const detail = `${countText(outside)} infinite, before the year 1 or after 9999: ${rest}`
    add('changes', 'rows outside', detail, 'give them a valid time, or NULL')
  }
  if (far.length > 0) {
    const years = far.slice(0, NAMED_YEARS).map(({ year, ...count }) => `${year} (${countText(count)})`)
    const more = far.length > NAMED_YEARS ? ` and ${far.length - NAMED_YEARS} more years` : ''
    const detail = `rows of ${years.join(', ')}${more} lie far from the others, and no partitions are created up to them: ${rest}`
    add('changes', 'rows far away', detail, 'a year such as 9999 often means no end: use NULL instead')
  }
  return all
}

function countText({ rows, off }: CountedRows): string {
  const word = rows === 1n ? 'row' : 'rows'
  return off === null ? `${rows} ${word}` : `about ${rows} ${word}, up to ${off} more or fewer,`
}
