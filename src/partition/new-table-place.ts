/**
 * Plans the new table in the database of the old one or in another one: its default name, whether it exists, and
 * findings. Used by `partition plan` and `partition run`.
 */
import { tableText, type TableName } from '../model/copy/column-type.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { RangedTable } from '../model/partition/maintenance-port.ts'
import {
  PUBLISHED_PARTITIONS,
  type PartitionPlanStore,
  type PlanFinding,
  type NewTableStatements,
  type TrialResult,
  type TableToPartition,
} from '../model/partition/plan-port.ts'
import { tableKeyOf } from '../engine/copy/ledger/owner.ts'
import { streamsInto } from '../engine/copy/ledger/stream-lookup.ts'
import { onSide } from '../engine/copy/sides.ts'
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import { quotedName } from '../shared/sql-text.ts'
import { newPartitionName } from './planned-periods.ts'
import type { PlanSource } from './planned-table.ts'
import { isLate, planNewTable, takenFindings, type NewTablePlan, type NewTablePlanOptions } from './new-table-plan.ts'

export type NewTablePlace = {
  readonly source: PlanSource
  readonly target: CopyStore
  /** Creates the new table. */
  readonly maker: PartitionPlanStore
  /** True if the new table is in another database than the old one. */
  readonly isElsewhere: boolean
}

/** A plan with a new table. */
export type NewTableFit = NewTablePlan & { readonly newTable: NonNullable<NewTablePlan['newTable']> }

/** @throws SluiceError UNSUPPORTED_URL */
export function newTablePlace(from: CopyStore, target: CopyStore, signal: AbortSignal, command: string): NewTablePlace {
  const [plan, maker] = [from.offers.partitionPlan, target.offers.partitionPlan]
  if (plan === undefined || maker === undefined) {
    const { system, label } = plan === undefined ? from : target
    throw new SluiceError('UNSUPPORTED_URL', `sluice cannot partition tables of ${system} while they are used`, {
      where: label,
      hint: `use ${command} with PostgreSQL, within one database or from one to another`,
    })
  }
  return { source: { store: from, plan, signal }, target, maker, isElsewhere: from.identity !== target.identity }
}

/** Plan of the new table, with the default name for this database. @throws as `planNewTable` */
export async function planNewTableAt(
  place: NewTablePlace,
  options: Omit<NewTablePlanOptions, 'nameOf'>,
  now: Date,
): Promise<NewTablePlan> {
  const planned = await planNewTable(place.source, { ...options, nameOf: (table) => newName(place, table) }, now)
  return place.isElsewhere ? { ...planned, findings: elsewhereFindings(planned.findings) } : planned
}

/** Findings about the old table, for a new table in another database. */
function elsewhereFindings(findings: readonly PlanFinding[]): readonly PlanFinding[] {
  return findings
    .filter(({ about }) => about !== PUBLISHED_PARTITIONS)
    .map((one) => (one.about === 'sequence' ? ownSequence(one) : one))
}

function ownSequence({ hint: _, ...one }: PlanFinding): PlanFinding {
  const detail =
    'the database of the new table gets its own sequence of this name, which no table owns; a cutover sets it after the numbers of both tables'
  return { ...one, verdict: 'made', detail }
}

/**
 * Default name of the new table. In the database of the old table it is the name of the old table with `_partitioned`.
 * In another database it is the name of the old table, unless a stream already fills a table with `_partitioned` there.
 */
async function newName({ source, target, isElsewhere }: NewTablePlace, table: TableName): Promise<string> {
  const { store: from, signal } = source
  const candidate = { ...table, name: newPartitionName(table.name, 'partitioned') }
  if (!isElsewhere) return candidate.name
  await using database = await onSide('target', () => target.ledger())
  const streams = await streamsInto(target, { database, signal }, [tableKeyOf(candidate)])
  return streams.some(({ sourceIdentity }) => sourceIdentity === from.identity) ? candidate.name : table.name
}

/** Name of the new table, in the schema of the old one. */
export function newTableName({ planned, newTable }: NewTableFit): TableName {
  return { ...planned.table.table, name: newTable.name }
}

/**
 * The new table if an earlier run or the user created it; otherwise null.
 * @throws SluiceError TABLE_REFUSED if it is not partitioned by the column
 */
export async function newTableThere(
  { source, target }: NewTablePlace,
  about: NewTableFit,
): Promise<RangedTable | null> {
  const name = newTableName(about)
  const there = await rangedAt(target, name, source.signal)
  if (there === null || there.column.name === about.planned.column.name) return there
  throw new SluiceError(
    'TABLE_REFUSED',
    `the new table ${tableText(name)} already exists and is partitioned by ${there.column.name}, not by ${about.planned.column.name}`,
    {
      where: target.label,
      hint: `name another table with --into, or give --by ${there.column.name}`,
    },
  )
}

/** Columns by which rows are copied: first the time, so that a key range is a range of time; then the key columns. */
export function copyKey({ table, column }: Pick<TableToPartition, 'table' | 'column'>): readonly string[] {
  return [column.name, ...table.key.filter((name) => name !== column.name)]
}

/**
 * Why the table cannot be replicated; null if it can. If other findings already refuse the table, only the server is
 * checked.
 */
export async function replicationRefusal(
  { source: { store, signal } }: NewTablePlace,
  { planned, findings }: NewTableFit,
): Promise<PlanFinding | null> {
  const isRefused = findings.some(({ verdict }) => verdict === 'refused')
  const columns = planned.table.columns.flatMap((column) =>
    column.generated === true ? [] : [{ name: column.name, as: column.type, column }],
  )
  const followed = { table: { ...planned.table, key: copyKey(planned) }, columns, identity: [] }
  const preflight = await store.offers.slotChanges?.().inspect(isRefused ? [] : [followed], signal)
  const first = preflight?.refusals[0]
  if (first === undefined) return null
  return { verdict: 'refused', about: 'following', object: store.label, detail: first.message, hint: first.hint }
}

type PlacedRefusal = TrialResult['refused'][number]

/** Findings including refusals of the target, and the statements that run there. */
export type PlacedNewTable = {
  readonly findings: readonly PlanFinding[]
  readonly statements: NewTableStatements
}

/** Findings and statements for a new table that does not exist yet. */
export async function placedNewTable(place: NewTablePlace, about: NewTableFit): Promise<PlacedNewTable> {
  const { source, maker, isElsewhere } = place
  const { planned, newTable } = about
  const findings = [...about.findings, ...(await onSide('target', () => maker.roleFindings(source.signal)))]
  const statements = await source.plan.newTable(planned, newTable.name, newTable.partitions, source.signal)
  if (!isElsewhere) return { findings: [...findings, ...(await takenFindings(source, about))], statements }
  const { missing, refused, left } = await onSide('target', () => maker.tryStatements(statements, source.signal))
  const isLeft = new Set(left.map(({ statement }) => statement))
  const where = place.target.label
  return {
    findings: [
      ...findings.map((one) => {
        const made = `CONSTRAINT ${quotedName(one.object ?? '')} `
        const lost = isLate(one) ? left.find(({ statement }) => statement.includes(made)) : undefined
        if (lost === undefined) return one
        return { ...one, verdict: 'changes' as const, detail: `${one.detail}; it stays with the old table, because ${where} refuses it: ${lost.reason}` } // prettier-ignore
      }),
      ...missing.map((type): PlanFinding => ({
        verdict: 'refused',
        about: 'type',
        object: type,
        detail: `${where} has no type of that name`,
        hint: 'create it there first, as the old database has it: pg_dump --schema-only prints its statement',
      })),
      ...refused.map((one) => refusal(place, about, one)),
    ],
    statements: {
      ...statements,
      all: statements.all.filter((one) => !isLeft.has(one)),
      late: statements.late.filter((one) => !isLeft.has(one)),
    },
  }
}

function refusal(
  { target }: NewTablePlace,
  about: NewTableFit,
  { reason, hint = 'create the missing objects there, or grant the login the right to use them' }: PlacedRefusal,
): PlanFinding {
  return {
    verdict: 'refused',
    about: 'new table',
    object: tableText(newTableName(about)),
    detail: `${target.label} refuses a statement that makes it: ${reason}`,
    hint,
  }
}

/** @returns null if there is no table of that name. @throws SluiceError TABLE_REFUSED if it is not partitioned */
export async function rangedAt(store: CopyStore, name: TableName, signal: AbortSignal): Promise<RangedTable | null> {
  const maintenance = store.offers.maintenance
  if (maintenance === undefined) return null
  try {
    const found = await onSide('target', () => maintenance.inspect(name, false, signal))
    if (found === null) throw notPartitioned(name, store)
    return found
  } catch (thrown) {
    if (asSluiceError(thrown).code === 'NO_SUCH_TABLE') return null
    throw thrown
  }
}

export function notPartitioned(name: TableName, store: CopyStore): SluiceError {
  return new SluiceError('TABLE_REFUSED', `${tableText(name)} already exists, but is not partitioned`, {
    where: store.label,
    hint: 'name another table with --into',
  })
}
