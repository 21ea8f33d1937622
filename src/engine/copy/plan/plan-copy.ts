/** The plan of a copy: which tables, where they go, and what keeps some of them from going. */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { wholeKey } from '../../../stores/common/key-ranges.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, Extent } from '../../../model/copy/port.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import { noSuchTable } from './no-such-table.ts'
import { onSide } from '../sides.ts'
import { foldedText } from '../../../shared/name-pattern.ts'
import { isLedgerTable, isOwnLedgerTable } from '../../../stores/common/ledger-tables.ts'
import { COUNT_UP_TO } from '../table/cut-table.ts'
import type { Views } from '../source-views.ts'
import type { BegunPlans } from '../ledger/begun-plans.ts'
import { acceptedOf, refuseUnknownAccepted } from './accepted.ts'
import { refuseOwnTarget, type Purpose } from './own-target.ts'
import { isHashOf } from './plan-hash.ts'
import { namesInTarget } from './target-name.ts'
import { extentOfPart, planRing, type RingPlan } from './ring-plan.ts'
import { withFarTimes } from './far-times.ts'
import { withCollations } from './sorts-alike.ts'
import { planTable, withKey } from './table-plan.ts'
import type { TableWishes } from './table-wishes.ts'

export type PlannedTable = {
  readonly source: TableSpec
  readonly wishes: TableWishes
  readonly targetName: TableName
  readonly extent: Extent
  /** Which ranges of a ring are copied; null where the table lies on none. */
  readonly ring: RingPlan | null
} & ({ readonly plan: TablePlan; readonly error: null } | { readonly plan: null; readonly error: SluiceError })

export type PlannedCopy = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly tables: readonly PlannedTable[]
  /** Tables that a pattern names and that are not copied, because the ledger uses their names. */
  readonly leftOut: readonly TableName[]
  /** Tables that the patterns name and that the stream does not follow; of a copy that goes on with one. */
  readonly unfollowed?: readonly TableName[]
}

const UNKNOWN: Extent = { rows: 0n, exact: false, low: null, high: null, nullKeys: false }

/** What a plan is made with. */
export type Planner = {
  readonly views: Pick<Views, 'ask'>
  /** Asks a server, again where it only had too much to do. */
  readonly again: <T>(body: () => Promise<T>) => Promise<T>
  readonly signal: AbortSignal
  /** What becomes of the tables; rows are written unless given. */
  readonly purpose?: Purpose
  /** Extents that are known already, and those that come to be known, so that planning twice asks the source once. */
  readonly extents?: Map<string, Extent>
  /** The ledger that says where a table was copied to before. */
  readonly begun?: Pick<BegunPlans, 'placeOf'>
  /** Names of the tables that a stream follows: those of them that are there are planned, and no others. */
  readonly followed?: ReadonlySet<string>
}

/** @throws SluiceError NO_SUCH_TABLE, BAD_FLAG, and whatever the stores throw where they cannot be asked at all */
export async function planCopy(
  operation: CopyOperation,
  from: CopyStore,
  to: CopyStore,
  planner: Planner,
): Promise<PlannedCopy> {
  const { sources, leftOut, unfollowed } = await sourceTables(operation, from, planner)
  refuseOneForMany(sources, operation)
  // A stream goes on without tables that are gone.
  if (planner.followed === undefined) refuseUnknownAccepted(sources, operation.acceptLossy)
  const tables: PlannedTable[] = []
  for (const source of sources) tables.push(await planOne(source, operation, { from, to, ...planner }))
  const named = refuseOneName(tables, to)
  // The largest first, or the last table would be waited for by one worker alone.
  return { from, to, leftOut, unfollowed, tables: named.toSorted((a, b) => Number(b.extent.rows - a.extent.rows)) }
}

function refuseOneForMany(sources: readonly TableSpec[], { toTable }: CopyOperation): void {
  if (sources.length <= 1 || toTable === undefined) return
  throw new SluiceError('BAD_FLAG', `--to-table names one table, and ${sources.length} are going to be copied`)
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
  for (const pattern of operation.tables) {
    const some = await again(() => onSide('source', () => from.tables(pattern, signal)))
    if (some.length === 0 && followed === undefined) {
      throw await noSuchTable(from, pattern, `the source has no table ${pattern}`)
    }
    const byPattern = pattern.includes('*')
    if (byPattern && some.length > 0 && some.every(({ table }) => isLedgerTable(table)))
      throw onlyLedger(pattern, some, from)
    for (const table of some) {
      const name = tableText(table.table)
      if (!byPattern || !isLedgerTable(table.table)) found.set(name, table)
      else if (!isOwnLedgerTable(table)) leftOut.set(name, table.table)
    }
  }
  for (const name of found.keys()) leftOut.delete(name)
  const all = [...found.values()]
  const isFollowed = ({ table }: TableSpec): boolean => followed?.has(tableText(table)) !== false
  return {
    sources: all.filter(isFollowed),
    leftOut: [...leftOut.values()],
    unfollowed: all.flatMap((one) => (isFollowed(one) ? [] : [one.table])),
  }
}

function onlyLedger(pattern: string, some: readonly TableSpec[], from: CopyStore): SluiceError {
  const own = some.filter(isOwnLedgerTable).length
  const what = own === 0 ? "the names of sluice's own ledger" : "sluice's own ledger"
  const names = some.map(({ table }) => tableText(table))
  return new SluiceError(
    'NO_SUCH_TABLE',
    `${pattern} fits only ${names.length === 1 ? 'a table' : `${names.length} tables`} of ${what}`,
    {
      where: from.label,
      reason: `no pattern takes these along: ${names.join(', ')}`,
      hint: 'name such a table as it is, and where it goes with --to-table',
    },
  )
}

/** The table with its sequences, the expressions of its generated columns, and the options it was created with. */
async function detailedTable(table: TableSpec, from: CopyStore, planner: Planner): Promise<TableSpec> {
  const { again, signal } = planner
  const beside = from.beside?.()
  if (beside === undefined) return table
  const detailed = await again(() => onSide('source', () => beside.detailed(table, signal)))
  return await withSequences(detailed, from, 'source', planner)
}

/** The target's table with what is compared with the source's: only as far as that has anything of the kind. */
async function detailedTarget(
  found: TableSpec,
  source: TableSpec,
  to: CopyStore,
  planner: Planner,
): Promise<TableSpec> {
  const { again, signal } = planner
  const beside = to.beside?.()
  const computes = source.columns.some(({ expression }) => expression !== undefined)
  const numbers = source.columns.some(({ sequence }) => sequence !== undefined)
  const table =
    beside !== undefined && computes ? await again(() => onSide('target', () => beside.detailed(found, signal))) : found
  return numbers ? await withSequences(table, to, 'target', planner) : table
}

async function withSequences(
  table: TableSpec,
  store: CopyStore,
  side: 'source' | 'target',
  { again, signal }: Planner,
): Promise<TableSpec> {
  const beside = store.beside?.()
  const mayBe = table.columns.some(({ identity, hasDefault }) => identity === true || hasDefault === true)
  if (beside === undefined || !mayBe) return table
  const sequences = await again(() => onSide(side, () => beside.sequences(table, signal)))
  const columns = table.columns.map((column) => {
    const sequence = sequences.find((one) => one.column === column.name)
    return sequence === undefined ? column : { ...column, sequence }
  })
  return { ...table, columns }
}

type Around = Planner & { readonly from: CopyStore; readonly to: CopyStore }

/** @param old what was decided in another way when the copy was begun */
async function planOne(
  source: TableSpec,
  operation: CopyOperation,
  around: Around,
  old: Partial<TableWishes> = {},
): Promise<PlannedTable> {
  const { from, to, views, again, signal } = around
  const wanted = wantedName(source, operation)
  const accepted = acceptedOf(source, operation.acceptLossy)
  const compares = around.purpose === 'look' || around.purpose === 'mend'
  const wishes = { ...wishesOf(operation, accepted), ...(compares ? { anyExpression: true as const } : {}), ...old }
  try {
    const names = namesInTarget(wanted, source.table, from, to)
    const targetName = (await around.begun?.placeOf(from.identity, source.table, names)) ?? names[0]
    const found = await again(() => tableAt(targetName, to, signal))
    refuseItself([from, source], [to, targetName, found])
    refuseOwnTarget(targetName, found, to, operation, around.purpose ?? 'write')
    // Estimates of a table that was never analysed are nothing to cut by; small tables are counted.
    const counted = source.rows <= COUNT_UP_TO
    const keyed = withKey(source, wishes.key)
    const named = JSON.stringify([tableText(source.table), keyed.key])
    const extent =
      around.extents?.get(named) ??
      (await again(() => views.ask((view) => view.extent(keyed, operation.where ?? null, counted))))
    around.extents?.set(named, extent)
    refuseOddKey(keyed, extent)
    const sized = { ...(await detailedTable(source, from, around)), rows: extent.rows }
    const there = found === null ? null : await detailedTarget(found, sized, to, around)
    const ring = planRing(sized, extent, operation.ring ?? ringOfRows(sized, operation), operation.workers)
    const planned = planTable(from, to, sized, there, targetName, wishes)
    const made = await again(() => withCollations(planned, to, signal))
    const plan = await again(() => withFarTimes(made, from, to, (question) => views.ask(question), signal))
    if (plan.create) await again(async () => to.refuseUncreatable?.(plan.target, signal))
    // Ranges of a ring hold as many rows as happen to lie there: about so many.
    const part = ring === null ? extent : extentOfPart(extent, ring)
    const sizedPlan = ring === null ? plan : { ...plan, chunkRows: rowsOfRange(part, ring) }
    return { source, wishes, targetName, extent: part, ring, plan: sizedPlan, error: null }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (
      error.code === 'INTERNAL' ||
      error.kind === 'stopped' ||
      error.code === 'BAD_FLAG' ||
      error.code === 'BAD_PREDICATE'
    )
      throw thrown
    return { source, wishes, targetName: wanted, extent: UNKNOWN, ring: null, plan: null, error }
  }
}

/**
 * Decisions of plans that were made otherwise before: with JSON in canonical form, without a key of an enum, without values of generated columns, without the times
 * of collections, without rows in the target that say the types of columns.
 */
const BEFORE: readonly Partial<TableWishes>[] = [
  { rewritten: true },
  { key: [] },
  { key: [], rewritten: true },
  { ungenerated: true },
  { ungenerated: true, rewritten: true },
  { ungenerated: true, key: [] },
  { ungenerated: true, key: [], rewritten: true },
  { rowTimes: true },
  { intoEmpty: true },
]

/** What a plan of today may be refused for where one that was made before was not. */
const REPLANNED: ReadonlySet<string> = new Set(['LOSSY_TYPE', 'UNSUPPORTED_TYPE'])

/** Each table with the name that the ledger has a copy of it under, and its plan into the table of that name. */
async function placed(
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

/** The plan of today, into the tables of the target that the ledger names: what begins anew does so where it is, and not beside it. */
export async function asPlaced(
  planned: PlannedCopy,
  operation: CopyOperation,
  planner: Planner,
  begun: BegunPlans,
): Promise<PlannedCopy> {
  return { ...planned, tables: (await placed(planned, operation, planner, begun)).map(({ one }) => one) }
}

/**
 * Copies go on as they were begun: into the table of the target that the ledger names, and where the plan of today is another one, or refused for what it would lose, under the plan that the
 * ledger holds, if that is one of those that were made before.
 */
export async function asBegun(
  planned: PlannedCopy,
  operation: CopyOperation,
  planner: Planner,
  begun: BegunPlans,
): Promise<PlannedCopy> {
  const { from, to } = planned
  const kept: PlannedTable[] = []
  for (const { name, one } of await placed(planned, operation, planner, begun)) {
    const hash = one.plan === null && !REPLANNED.has(one.error.code) ? null : await begun.hashOf(name)
    let before: PlannedTable | null = null
    const isBegun = ({ plan }: PlannedTable): boolean =>
      hash !== null && plan !== null && isHashOf(hash, from.identity, plan)
    if (hash !== null && !isBegun(one)) {
      for (const old of BEFORE) {
        if (old.key !== undefined && operation.key !== undefined) continue
        const again = await planOne(one.source, operation, { from, to, ...planner, begun }, old)
        if (isBegun(again)) before ??= again
      }
    }
    kept.push(before ?? one)
  }
  return { ...planned, tables: kept }
}

/** A key of whole numbers that holds something else at one of its ends cannot be cut. @throws SluiceError VALUE_REFUSED */
function refuseOddKey(table: TableSpec, { low, high }: Extent): void {
  const [name, ...more] = table.key
  const column = more.length > 0 ? undefined : table.columns.find((one) => one.name === name)
  if (column?.type.kind === 'int' && table.ring === undefined)
    for (const end of [low, high]) if (end !== null) wholeKey(table, end)
}

/** Rows of a chunk that were asked for, as a number of ranges. */
function ringOfRows({ ring, rows }: TableSpec, { chunkRows }: CopyOperation): { readonly splits: number } | undefined {
  if (ring === undefined || chunkRows === undefined) return undefined
  return { splits: Math.max(1, Math.min(5000, Math.ceil(Number(rows) / chunkRows))) }
}

function rowsOfRange({ rows }: Extent, { splits }: RingPlan): number {
  return Math.max(1, Math.ceil(Number(rows) / splits))
}

function wishesOf(operation: CopyOperation, acceptLossy: readonly string[]): TableWishes {
  const { columns, where, chunkRows, key, constants, explodeMap, codecs } = operation
  return {
    ...(columns === undefined ? {} : { columns }),
    rename: new Map(Object.entries(operation.rename)),
    ...(where === undefined ? {} : { where }),
    onExisting: operation.onExisting,
    acceptLossy,
    ...(operation.acceptAllLossy === true ? { acceptAllLossy: true } : {}),
    ...(chunkRows === undefined ? {} : { chunkRows }),
    ...(operation.decimal === undefined ? {} : { decimal: operation.decimal }),
    verify: operation.verify,
    ...(key === undefined ? {} : { key }),
    ...(constants === undefined && explodeMap === undefined && codecs === undefined
      ? {}
      : {
          derived: {
            ...(constants === undefined ? {} : { constants }),
            ...(explodeMap === undefined ? {} : { explodeMap }),
            ...(codecs === undefined ? {} : { codecs }),
          },
        }),
  }
}

/** @returns null where there is none */
export async function tableAt(name: TableName, to: CopyStore, signal: AbortSignal): Promise<TableSpec | null> {
  const found = await onSide('target', () => to.tables(tableText(name), signal))
  const exact = found.find(({ table }) => table.name === name.name && table.schema === name.schema)
  if (exact !== undefined || to.can.folds?.tables === undefined) return exact ?? null
  return found.find(({ table }) => foldedName(table, to) === foldedName(name, to)) ?? null
}

/** What two names of tables have in common that are one in a store. */
function foldedName(name: TableName, { can }: CopyStore): string {
  const text = JSON.stringify([name.schema ?? null, name.name])
  return foldedText(text, can.folds?.tables ?? 'exact')
}

/** Two tables that would be one in the target are both refused: nobody knows which of them was meant. */
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
    const error = new SluiceError('TABLE_REFUSED', `${tableText(one.source.table)} and ${names} would be one table`, {
      where: to.label,
      reason: `the target takes ${tableText(one.targetName)} and ${others.map(({ targetName }) => tableText(targetName)).join(', ')} for the same name`,
      hint: 'copy each by itself, all but one of them with another --to-table',
    })
    return { ...one, ring: null, plan: null, error }
  })
}

/** A store of one database may name a table of another one. */
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
