/** Plan of a copy: its tables, their targets, and why some cannot be copied. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { keyColumns, wholeKey } from '../../../stores/common/key-ranges.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { Extent } from '../../../model/copy/source-port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { noSuchTable } from './no-such-table.ts'
import { givenFields } from '../../../shared/given-fields.ts'
import { onSide } from '../sides.ts'
import { foldedText } from '../../../shared/name-pattern.ts'
import { isLedgerTable, isOwnLedgerTable } from '../../../stores/common/ledger-tables.ts'
import { COUNT_UP_TO } from '../table/cut-table.ts'
import type { SourceViews } from '../source-views.ts'
import type { BegunPlans } from '../ledger/begun-plans.ts'
import { acceptedColumns, refuseUnknownAccepted } from './column-named.ts'
import { refuseLosableTarget, refuseOwnTarget, type PlanPurpose } from './refused-targets.ts'
import { isHashOf } from './plan-hash.ts'
import { namesInTarget, refuseSchemaInName } from './target-name.ts'
import { extentOfPart, planRing, ringOfRows, rowsOfRange, type RingPlan } from './ring-plan.ts'
import { withFarTimes } from './far-times.ts'
import { withCollations } from './sorts-alike.ts'
import { planTable, withKey } from './table-plan.ts'
import { tableOptions, type TableOptions } from './table-options.ts'
import { withKeyTypes } from './untyped-keys.ts'
import { sameFamily } from '../../run/systems.ts'

export type PlannedTable = {
  readonly source: TableSpec
  readonly options: TableOptions
  readonly targetName: TableName
  readonly extent: Extent
  /** Ranges of a token ring to copy; null if the table has no ring. */
  readonly ring: RingPlan | null
} & ({ readonly plan: TablePlan; readonly error: null } | { readonly plan: null; readonly error: SluiceError })

export type PlannedCopy = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly tables: readonly PlannedTable[]
  /** Tables matched by a pattern but not copied, because the ledger uses their names. */
  readonly leftOut: readonly TableName[]
  /** Tables matched by a pattern but not part of the stream; only for a copy that resumes a stream. */
  readonly unfollowed?: readonly TableName[]
}

const UNKNOWN: Extent = { rows: 0n, exact: false, low: null, high: null, nullKeys: false }

/** Context of planning. */
export type Planner = {
  readonly views: Pick<SourceViews, 'ask'>
  /** Calls a server, and retries after transient failures. */
  readonly again: <T>(body: () => Promise<T>) => Promise<T>
  readonly signal: AbortSignal
  /** Use of the tables; default: rows are written. */
  readonly purpose?: PlanPurpose
  /** Extents found so far, so that planning twice queries the source once. */
  readonly extents?: Map<string, Extent>
  /** Target names and columns of earlier copies, from the ledger. */
  readonly begun?: Pick<BegunPlans, 'placeOf' | 'columnsOf'>
  /** Tables of a stream, by name: only these are planned, if they exist. */
  readonly followed?: ReadonlySet<string>
}

/** @throws SluiceError NO_SUCH_TABLE, BAD_FLAG, and errors of stores that do not answer at all */
export async function planCopy(
  operation: CopyOperation,
  from: CopyStore,
  to: CopyStore,
  planner: Planner,
): Promise<PlannedCopy> {
  const { sources, leftOut, unfollowed } = await sourceTables(operation, from, planner)
  refuseOneForMany(sources, operation)
  // A stream continues without tables that are gone.
  if (planner.followed === undefined) refuseUnknownAccepted(sources, operation.acceptLossy)
  const tables: PlannedTable[] = []
  for (const source of sources) tables.push(await planOne(source, operation, { from, to, ...planner }))
  const named = refuseOneName(tables, to)
  // Largest table first: otherwise a large table could be left to a single worker at the end.
  return { from, to, leftOut, unfollowed, tables: named.toSorted((a, b) => Number(b.extent.rows - a.extent.rows)) }
}

function refuseOneForMany(sources: readonly TableSpec[], { toTable }: CopyOperation): void {
  if (sources.length <= 1 || toTable === undefined) return
  throw new SluiceError('BAD_FLAG', `--to-table names one table, but ${sources.length} would be copied`, {
    hint: 'select one table with --table, or remove --to-table',
  })
}

function wantedName({ table }: TableSpec, { toSchema, toTable }: CopyOperation): TableName {
  return { ...(toSchema === undefined ? {} : { schema: toSchema }), name: toTable ?? table.name }
}

async function sourceTables(
  operation: CopyOperation,
  from: CopyStore,
  { again, signal, followed }: Pick<Planner, 'again' | 'signal' | 'followed'>,
): Promise<{
  readonly sources: readonly TableSpec[]
  readonly leftOut: readonly TableName[]
  readonly unfollowed: readonly TableName[]
}> {
  const found = new Map<string, TableSpec>()
  const leftOut = new Map<string, TableName>()
  const named = async (pattern: string): Promise<readonly TableSpec[]> => {
    const some = await again(() => onSide('source', () => from.tables(pattern, signal)))
    if (some.length > 0 || followed !== undefined) return some
    throw await noSuchTable(from, pattern, `the source has no table ${pattern}`)
  }
  for (const pattern of operation.tables) {
    const some = await named(pattern)
    const byPattern = pattern.includes('*')
    if (byPattern && some.length > 0 && some.every(({ table }) => isLedgerTable(table)))
      throw onlyLedger(pattern, some, from)
    for (const table of some) {
      const name = tableText(table.table)
      if (!byPattern || !isLedgerTable(table.table)) found.set(name, table)
      else if (!isOwnLedgerTable(table)) leftOut.set(name, table.table)
    }
  }
  for (const pattern of operation.exclude ?? [])
    for (const { table } of await named(pattern)) for (const tables of [found, leftOut]) tables.delete(tableText(table))
  if (found.size === 0 && operation.exclude !== undefined && followed === undefined) throw allExcluded(operation)
  for (const name of found.keys()) leftOut.delete(name)
  const all = [...found.values()]
  const isFollowed = ({ table }: TableSpec): boolean => followed?.has(tableText(table)) !== false
  return {
    sources: all.filter(isFollowed),
    leftOut: [...leftOut.values()],
    unfollowed: all.flatMap((one) => (isFollowed(one) ? [] : [one.table])),
  }
}

function allExcluded({ tables, exclude = [] }: CopyOperation): SluiceError {
  return new SluiceError('NO_SUCH_TABLE', `--exclude leaves out every table of ${tables.join(', ')}`, {
    reason: `the excluded tables are ${exclude.join(', ')}`,
    hint: 'name fewer tables with --exclude, or other ones with --table or --tables',
  })
}

function onlyLedger(pattern: string, some: readonly TableSpec[], from: CopyStore): SluiceError {
  const own = some.filter(isOwnLedgerTable).length
  const what = own === 0 ? "the names of sluice's own ledger" : "sluice's own ledger"
  const names = some.map(({ table }) => tableText(table))
  return new SluiceError(
    'NO_SUCH_TABLE',
    `${pattern} matches only ${names.length === 1 ? 'a table' : `${names.length} tables`} of ${what}`,
    {
      where: from.label,
      reason: `patterns do not select these tables: ${names.join(', ')}`,
      hint: 'give the exact name of such a table, and its name in the target with --to-table',
    },
  )
}

/** The table with its sequences, the expressions of its generated columns, and its creation options. */
async function detailedTable(table: TableSpec, from: CopyStore, planner: Planner): Promise<TableSpec> {
  const { again, signal } = planner
  const dependencies = from.dependencies()
  const detailed = await again(() => onSide('source', () => dependencies.detailed(table, signal)))
  return await withSequences(detailed, from, 'source', planner)
}

/** The target's table with details for comparison, as far as the source's table has such details. */
async function detailedTarget(
  found: TableSpec,
  source: TableSpec,
  to: CopyStore,
  planner: Planner,
): Promise<TableSpec> {
  const { again, signal } = planner
  const dependencies = to.dependencies()
  const computes = source.columns.some(({ expression }) => expression !== undefined)
  const numbers = source.columns.some(({ sequence }) => sequence !== undefined)
  const table = computes ? await again(() => onSide('target', () => dependencies.detailed(found, signal))) : found
  return numbers ? await withSequences(table, to, 'target', planner) : table
}

async function withSequences(
  table: TableSpec,
  store: CopyStore,
  side: 'source' | 'target',
  { again, signal }: Planner,
): Promise<TableSpec> {
  const dependencies = store.dependencies()
  const mayBe = table.columns.some(({ identity, hasDefault }) => identity === true || hasDefault === true)
  if (!mayBe) return table
  const sequences = await again(() => onSide(side, () => dependencies.sequences(table, signal)))
  const columns = table.columns.map((column) => {
    const sequence = sequences.find((one) => one.column === column.name)
    return sequence === undefined ? column : { ...column, sequence }
  })
  return { ...table, columns }
}

/** Errors that are not about a single table. */
const RUN_ERRORS: ReadonlySet<string> = new Set(['INTERNAL', 'BAD_FLAG', 'BAD_PREDICATE'])

type PlanningContext = Planner & { readonly from: CopyStore; readonly to: CopyStore }

/** @param old options under which an older version planned the copy; empty for the current plan */
async function planOne(
  source: TableSpec,
  operation: CopyOperation,
  planningContext: PlanningContext,
  old: Partial<TableOptions> = {},
): Promise<PlannedTable> {
  const { from, to, views, again, signal, begun } = planningContext
  const wanted = wantedName(source, operation)
  const accepted = acceptedColumns(source, operation.acceptLossy)
  const purpose = planningContext.purpose ?? 'write'
  const compares = purpose === 'compare' || purpose === 'mend'
  let options: TableOptions = {
    ...tableOptions(operation, accepted),
    ...(compares ? { anyExpression: true as const } : {}),
    ...old,
  }
  try {
    const names = namesInTarget(wanted, source.table, from, to)
    const targetName = (await begun?.placeOf(from.identity, source.table, names)) ?? names[0]
    const found = await again(() => targetTableNow(targetName, to, signal))
    refuseSchemaInName(found, operation, to)
    refuseItself([from, source], [to, targetName, found])
    refuseOwnTarget(targetName, found, to, operation, purpose)
    // A comparison without --rename compares the columns as they were copied.
    if (compares && options.rename.size === 0 && found !== null) {
      const copied = await begun?.columnsOf(from.identity, withKey(source, options.key), found)
      options = { ...options, ...copied, ...givenFields({ columns: operation.columns }) }
    }
    if (found !== null && purpose === 'write') await again(() => refuseLosableTarget(targetName, to, signal))
    // The estimate may be wrong for a table that was never analysed, so tables with a small estimate are counted.
    const counted = source.rows <= COUNT_UP_TO
    const sameSystem = sameFamily(from.system, to.system)
    const typed = withKeyTypes({ source, target: found }, options, sameSystem)
    const keyed = withKey(typed.source, options.key)
    // Another type gives the bounds another spelling.
    const named = JSON.stringify([tableText(source.table), keyed.key, keyColumns(keyed).map(({ type }) => type)])
    const extent =
      planningContext.extents?.get(named) ??
      (await again(() => views.ask((view) => view.extent(keyed, operation.where ?? null, counted))))
    planningContext.extents?.set(named, extent)
    refuseNonIntegerKey(keyed, extent)
    const sized = { ...(await detailedTable(typed.source, from, planningContext)), rows: extent.rows }
    const there = found === null ? null : await detailedTarget(found, sized, to, planningContext)
    const ring = planRing(sized, extent, operation.ring ?? ringOfRows(sized, operation), operation.workers)
    const planned = planTable(from, to, sized, there, targetName, options)
    const made = await again(() => withCollations(planned, to, signal))
    const plan = await again(() => withFarTimes(made, from, to, (question) => views.ask(question), signal))
    if (plan.create) await again(() => to.refuseUncreatable(plan.target, signal))
    // For a ring, `chunkRows` is the average number of rows per range.
    const part = ring === null ? extent : extentOfPart(extent, ring)
    const sizedPlan = ring === null ? plan : { ...plan, chunkRows: rowsOfRange(part, ring) }
    return { source, options, targetName, extent: part, ring, plan: sizedPlan, error: null }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped' || RUN_ERRORS.has(error.code)) throw thrown
    return { source, options, targetName: wanted, extent: UNKNOWN, ring: null, plan: null, error }
  }
}

/**
 * Options under which older versions planned, see `TableOptions`. `trimmed`: decimals without trailing zeros, and only
 * valid dates. Even older versions: JSON in canonical form (`rewritten`), no key that contains an enum (`key`), no
 * values of generated columns (`ungenerated`), collections without separate write times (`rowTimes`). Any version:
 * column types not taken from rows of the target (`intoEmpty`).
 */
const OLDER_OPTIONS: readonly Partial<TableOptions>[] = [
  { trimmed: true },
  { trimmed: true, rewritten: true },
  { trimmed: true, key: [] },
  { trimmed: true, key: [], rewritten: true },
  { trimmed: true, ungenerated: true },
  { trimmed: true, ungenerated: true, rewritten: true },
  { trimmed: true, ungenerated: true, key: [] },
  { trimmed: true, ungenerated: true, key: [], rewritten: true },
  { trimmed: true, intoEmpty: true },
  { rowTimes: true },
  { intoEmpty: true },
]

/** Errors of the current plan for which an older form of the plan may still be used. */
const REPLANNED_ERRORS: ReadonlySet<string> = new Set(['LOSSY_TYPE', 'UNSUPPORTED_TYPE'])

/** Each table with the target name under which the ledger has a copy of it, and its plan for that name. */
async function tablesWithPlans(
  { from, to, tables }: PlannedCopy,
  operation: CopyOperation,
  planner: Planner,
  begun: BegunPlans,
): Promise<readonly { readonly name: TableName; readonly one: PlannedTable }[]> {
  const all = []
  for (const today of tables) {
    const names = namesInTarget(wantedName(today.source, operation), today.source.table, from, to)
    const name = await begun.placeOf(from.identity, today.source.table, names)
    const one = name === names[0] ? today : await planOne(today.source, operation, { from, to, ...planner, begun })
    all.push({ name, one })
  }
  return all
}

/** The current plan, with the target names in the ledger: a restart uses the same table, not a second one. */
export async function withLedgerNames(
  planned: PlannedCopy,
  operation: CopyOperation,
  planner: Planner,
  begun: BegunPlans,
): Promise<PlannedCopy> {
  return { ...planned, tables: (await tablesWithPlans(planned, operation, planner, begun)).map(({ one }) => one) }
}

/**
 * The plan for resuming copies as they were started: with the target names in the ledger. If the current plan differs,
 * or is refused for a loss, an older form of the plan is used, provided that it matches the ledger's hash.
 */
export async function asStarted(
  planned: PlannedCopy,
  operation: CopyOperation,
  planner: Planner,
  begun: BegunPlans,
): Promise<PlannedCopy> {
  const { from, to } = planned
  const kept: PlannedTable[] = []
  for (const { name, one } of await tablesWithPlans(planned, operation, planner, begun)) {
    const hash = one.plan === null && !REPLANNED_ERRORS.has(one.error.code) ? null : await begun.hashOf(name)
    let before: PlannedTable | null = null
    const isBegun = ({ plan }: PlannedTable): boolean =>
      hash !== null && plan !== null && isHashOf(hash, from.identity, plan)
    if (hash !== null && !isBegun(one)) {
      for (const old of OLDER_OPTIONS) {
        if (old.key !== undefined && operation.key !== undefined) continue
        const again = await planOne(one.source, operation, { from, to, ...planner, begun }, old)
        if (isBegun(again)) before ??= again
      }
    }
    kept.push(before ?? one)
  }
  return { ...planned, tables: kept }
}

/** Refuses an integer key whose smallest or largest value is no integer. @throws SluiceError VALUE_REFUSED */
function refuseNonIntegerKey(table: TableSpec, { low, high }: Extent): void {
  const [name, ...more] = table.key
  const column = more.length > 0 ? undefined : table.columns.find((one) => one.name === name)
  if (column?.type.kind === 'int' && table.ring === undefined)
    for (const end of [low, high]) if (end !== null) wholeKey(table, end)
}

/** The table of the target as it is now; null if there is none. */
export async function targetTableNow(name: TableName, to: CopyStore, signal: AbortSignal): Promise<TableSpec | null> {
  const found = await onSide('target', () => to.tables(tableText(name), signal))
  const exact = found.find(({ table }) => table.name === name.name && table.schema === name.schema)
  if (exact !== undefined || to.can.folds?.tables === undefined) return exact ?? null
  return found.find(({ table }) => foldedName(table, to) === foldedName(name, to)) ?? null
}

/** Text that is equal for two table names that a store treats as one. */
function foldedName(name: TableName, { can }: CopyStore): string {
  const text = JSON.stringify([name.schema ?? null, name.name])
  return foldedText(text, can.folds?.tables ?? 'exact')
}

/** Refuses two tables that would be one table in the target: it is unknown which of them was meant. */
function refuseOneName(tables: readonly PlannedTable[], to: CopyStore): readonly PlannedTable[] {
  const sharing = new Map<string, PlannedTable[]>()
  for (const one of tables) {
    const name = foldedName(one.targetName, to)
    sharing.set(name, [...(sharing.get(name) ?? []), one])
  }
  return tables.map((one) => {
    const others = (sharing.get(foldedName(one.targetName, to)) ?? []).filter((other) => other !== one)
    if (others.length === 0 || one.error !== null) return one
    const names = others.map(({ source }) => tableText(source.table)).join(', ')
    const message = `${tableText(one.source.table)} and ${names} have the same name in the target`
    const error = new SluiceError('TABLE_REFUSED', message, {
      where: to.label,
      reason: `the target treats ${tableText(one.targetName)} and ${others.map(({ targetName }) => tableText(targetName)).join(', ')} as the same name`,
      hint: 'copy each in a separate run, with a different --to-table',
    })
    return { ...one, ring: null, plan: null, error }
  })
}

/** Refuses to copy a table onto itself. A store of one database may name a table of another database of the server. */
function refuseItself(
  [from, source]: readonly [CopyStore, TableSpec],
  [to, target, found]: readonly [CopyStore, TableName, TableSpec | null],
): void {
  const isNamed = from.identity === to.identity && foldedName(source.table, to) === foldedName(target, to)
  const isOneServer = from.can.ledgerPerSchema === true && to.can.ledgerPerSchema === true
  if (!isNamed && !(isOneServer && found?.identity === source.identity)) return
  throw new SluiceError('BAD_FLAG', `${tableText(source.table)} would be copied onto itself`, {
    hint: 'name another --to, --to-schema or --to-table',
  })
}
