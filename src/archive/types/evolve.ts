/**
 * Evolves an archive when the columns of its table change. A column keeps its physical name as long as it exists, so
 * that older files stay readable; column mapping connects this name with the column's name in the Delta table. Dropped
 * columns, and columns with an earlier type, keep their physical names permanently.
 */
import { tableText, type Column, type Expression, type TableSpec } from '../../model/copy/column-type.ts'
import type { ColumnNumbers, StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { folded, isFreeName } from './names.ts'
import { renamedType } from './declared.ts'
import { ruleFor, travelsAs } from './rule.ts'
import { ruled } from './ruled.ts'
import { isSameType, isWidening } from './same-type.ts'
import { doubtfulNames, type TakenName } from './taken-names.ts'

export type ColumnChange =
  | { readonly kind: 'added'; readonly column: StoredColumn }
  | { readonly kind: 'dropped'; readonly column: StoredColumn }
  | { readonly kind: 'renamed'; readonly from: string; readonly column: StoredColumn }
  /** `kept`: the column with the earlier type, under its name in the Delta table. */
  | { readonly kind: 'retyped'; readonly kept: StoredColumn; readonly column: StoredColumn }
  | { readonly kind: 'widened'; readonly from: StoredColumn; readonly column: StoredColumn }

export type EvolveOptions = {
  /** Column numbers of the source; null if it does not identify columns. */
  readonly numbers: ColumnNumbers | null
  /** New names by old ones, for sources that cannot identify renamed columns. A kept name is mapped to itself. */
  readonly renamed: ReadonlyMap<string, string>
  /** Columns that were dropped, not renamed; for sources that cannot identify renamed columns. */
  readonly dropped: ReadonlySet<string>
  /** False if the system cannot rename columns. */
  readonly canRename: boolean
  /** Columns that certainly kept their names, as `keptNames` found from recorded rows. */
  readonly sure?: ReadonlySet<string>
  /** Columns that are stored as text from now on. */
  readonly asText: readonly string[]
  /** True if the source does not enforce column types (`StoreAbilities.looseTypes`). */
  readonly isLoose: boolean
  /** True: a column with a wider type keeps its field (Delta type widening); readers must support that. */
  readonly widen: boolean
  readonly comments: Readonly<Record<string, string>>
}

/**
 * Uncertain columns. `gone`, `fresh`: columns that were removed and added, or renamed. `taken`: columns that may be
 * another archived column under a new name.
 */
export type Unsure = {
  readonly gone: readonly StoredColumn[]
  readonly fresh: readonly string[]
  readonly taken: readonly TakenName[]
}

export type Evolved = {
  readonly stored: StoredTable
  readonly changes: readonly ColumnChange[]
  /** Uncertain columns; null if all columns are certain. */
  readonly unsure: Unsure | null
}

/** A present column, and the same column in the archive; null if it is new. */
type Match = { readonly column: Column; readonly old: StoredColumn | null }

/** @throws SluiceError UNSUPPORTED_TYPE, PLAN_CHANGED if a column would have the name of the partition column */
export function evolved(table: TableSpec, before: StoredTable, options: EvolveOptions): Evolved {
  // An archive that was created with column mapping has ids by position.
  const stored = before.mapped ? numbered(before) : before
  const { matches, gone, unsure } = matched(table, stored, options)
  refusePartitionName(table, stored)
  const { asText, isLoose } = options
  // In a source without types the detected type depends on the rows, so the type in the archive is kept.
  const stays = (old: StoredColumn | null, { name, native }: Column): old is StoredColumn =>
    isLoose && old !== null && old.column.native === native && !asText.includes(name)
  const changes: ColumnChange[] = []
  const names = new Names(stored, table.columns)
  const kept: StoredColumn[] = (stored.kept ?? []).map((one) => ({ ...one, name: names.logical(one.name) }))
  const columns = matches.map(({ column: { expression, typeSql, ...column }, old: found }): StoredColumn => {
    const { name } = column
    const old = found === null ? null : recomputed(found, expression)
    const rule = stays(old, column)
      ? { as: travelsAs(old), stored: old.stored }
      : ruled(column, asText.includes(name) || (old !== null && isAsText(old)), tableText(table.table), isLoose)
    if (old === null) {
      const comment = Object.hasOwn(options.comments, name) ? options.comments[name] : undefined
      const about = comment === undefined || comment === '' ? {} : { comment }
      const plain = { name, ...names.physical(name), column, ...rule, ...about, ...notedOf(options.numbers, name) }
      const added = recomputed(plain, expression)
      changes.push({ kind: 'added', column: added })
      return added
    }
    const as = renamedType(travelsAs(old), old, options.numbers?.declared.get(name))
    const isSame = isSameType({ as, stored: old.stored }, rule)
    if (isSame && (isLoose || !isZeroPadded(old.column.native, column.native))) {
      const same = { ...old, name, column, ...rule, ...notedOf(options.numbers, name) }
      if (old.name !== name) changes.push({ kind: 'renamed', from: old.name, column: same })
      return same
    }
    if (options.widen && isWidening(old, rule)) {
      const narrower = [...(old.narrower ?? []), old.stored]
      const widened = { ...old, name, column, ...rule, ...notedOf(options.numbers, name), narrower }
      changes.push({ kind: 'widened', from: old, column: widened })
      return widened
    }
    const { number: _, ...earlier } = found ?? old
    const was = { ...earlier, name: names.logical(`${old.name}__${typeWord(old.column.native)}`) }
    kept.push(was)
    const retyped: StoredColumn = {
      name,
      ...names.physical(name),
      column,
      ...rule,
      ...(old.comment === undefined ? {} : { comment: old.comment }),
      ...notedOf(options.numbers, name),
      was: [old.physical, ...(old.was ?? [])],
    }
    const now = recomputed(retyped, expression)
    changes.push({ kind: 'retyped', kept: was, column: now })
    return now
  })
  for (const column of gone) changes.push({ kind: 'dropped', column })
  const retired = [...(stored.retired ?? []), ...gone.map(({ physical }) => physical)]
  const by = new Map(matches.flatMap(({ old, column }) => (old === null ? [] : [[old.name, column.name] as const])))
  const next: StoredTable = {
    ...stored,
    columns,
    sortBy: stored.sortBy.flatMap((name) => by.get(name) ?? []),
    ...(kept.length === 0 ? {} : { kept }),
    ...(retired.length === 0 ? {} : { retired }),
    ...(changes.length === 0 ? {} : { shape: (stored.shape ?? 0) + 1 }),
    ...(options.numbers === null ? {} : { numbersOf: options.numbers.of }),
  }
  return { stored: changes.length === 0 && !next.mapped ? next : numbered(next), changes, unsure }
}

/** `Evolved.unsure`, also for a table with a column that no archive can store. */
export function unsureOf(
  table: TableSpec,
  stored: StoredTable,
  options: Pick<EvolveOptions, 'numbers' | 'canRename' | 'sure'>,
): Unsure | null {
  return matched(table, stored, { ...options, renamed: new Map(), dropped: new Set() }).unsure
}

function matched(
  { columns, key }: TableSpec,
  stored: StoredTable,
  {
    numbers,
    renamed,
    dropped,
    canRename,
    sure,
  }: Pick<EvolveOptions, 'numbers' | 'renamed' | 'dropped' | 'canRename' | 'sure'>,
): { readonly matches: readonly Match[]; readonly gone: readonly StoredColumn[]; readonly unsure: Unsure | null } {
  const isNumbered =
    numbers !== null && numbers.of === stored.numbersOf && stored.columns.every(({ number }) => number !== undefined)
  const isSaid = (old: StoredColumn, name: string): boolean => (renamed.get(old.name) ?? old.name) === name
  const matches = columns.map((column): Match => {
    const old = stored.columns.find((one) =>
      isNumbered ? one.number === numbers.numbers.get(column.name) : isSaid(one, column.name),
    )
    return { column, old: old ?? null }
  })
  const met = new Set(matches.map(({ old }) => old?.physical))
  const gone = stored.columns.filter(({ physical }) => !met.has(physical))
  const fresh = matches.flatMap(({ old, column }) => (old === null ? [column.name] : []))
  const unsaid = isNumbered ? [] : gone.filter(({ name }) => !dropped.has(name))
  const isSure = (name: string, old: StoredColumn): boolean =>
    renamed.get(old.name) === name || key.includes(name) || sure?.has(name) === true
  const taken = canRename
    ? doubtfulNames(
        matches.flatMap(({ column, old }) => (old === null ? [] : [{ column, old, isSure: isSure(column.name, old) }])),
        stored.columns.filter((one) => !gone.includes(one) || unsaid.includes(one)),
        unsaid,
      )
    : []
  const isUnsure = unsaid.length > 0 && fresh.length + taken.length > 0
  return { matches, gone, unsure: isUnsure ? { gone: unsaid, fresh, taken } : null }
}

/** Adds the source's column numbers and declared types to the columns. */
export function withNumbers(stored: StoredTable, numbers: ColumnNumbers | null): StoredTable {
  if (numbers === null) return stored
  const columns = stored.columns.map((column): StoredColumn => ({ ...column, ...notedOf(numbers, column.name) }))
  return { ...stored, columns, numbersOf: numbers.of }
}

/** True if a column of type `to` has a fixed length, so that MySQL appends zero bytes to values of type `from`. */
function isZeroPadded(from: string, to: string): boolean {
  return from !== to && /^binary\b/i.test(to)
}

/** The column with the present expression; without an expression if it is unknown. */
export function recomputed({ computed: _, ...column }: StoredColumn, now: Expression | undefined): StoredColumn {
  return now === undefined ? column : { ...column, computed: now }
}

/**
 * True if a generated column had another expression, which may still compute the same values. Servers of different
 * versions may print the same expression differently.
 */
export function hasOtherExpression({ computed: then }: StoredColumn, { computed: now }: StoredColumn): boolean {
  return then !== undefined && now !== undefined && then.sql !== now.sql && then.printedBy === now.printedBy
}

function notedOf(noted: ColumnNumbers | null, name: string): Pick<StoredColumn, 'number' | 'declared'> {
  const number = noted?.numbers.get(name)
  const declared = noted?.declared.get(name)
  return { ...(number === undefined ? {} : { number }), ...(declared === undefined ? {} : { declared }) }
}

/** Names in use: in the Delta table, and in any file. */
class Names {
  readonly #physical: Set<string>
  readonly #logical: Set<string>
  #next: number

  constructor(stored: StoredTable, columns: readonly Column[]) {
    const all = [...stored.columns, ...(stored.kept ?? [])]
    this.#physical = new Set([
      folded(stored.partitionColumn),
      ...all.map(({ physical }) => folded(physical)),
      ...(stored.retired ?? []).map(folded),
    ])
    this.#logical = new Set([folded(stored.partitionColumn), ...columns.map(({ name }) => folded(name))])
    this.#next = (stored.lastId ?? all.length + 1) + 1
  }

  /** A physical name that no file has used: the column's own name if possible. */
  physical(name: string): Pick<StoredColumn, 'physical'> {
    let physical = name
    while (!isFreeName(physical, this.#physical)) physical = `col-${this.#next++}`
    this.#physical.add(folded(physical))
    return { physical }
  }

  /** A name in the Delta table that no column of the source has. */
  logical(name: string): string {
    let free = name
    for (let i = 2; this.#logical.has(folded(free)); i++) free = `${name}_${i}`
    this.#logical.add(folded(free))
    return free
  }
}

/** Adds an id to each column, if any column needs mapping. */
function numbered(stored: StoredTable): StoredTable {
  const all = [...stored.columns, ...(stored.kept ?? [])]
  const isMapped =
    stored.mapped || (stored.retired ?? []).length > 0 || all.some(({ name, physical }) => name !== physical)
  if (!isMapped) return stored
  let last = stored.lastId ?? 0
  const withId = (column: StoredColumn): StoredColumn => (column.id === undefined ? { ...column, id: ++last } : column)
  const columns = stored.columns.map(withId)
  const kept = (stored.kept ?? []).map(withId)
  const partitionId = stored.partitionId ?? ++last
  return { ...stored, mapped: true, columns, ...(kept.length === 0 ? {} : { kept }), partitionId, lastId: last }
}

/** True if the column is stored as text on request. */
export function isAsText({ as, column }: StoredColumn): boolean {
  return as.kind === 'native' && JSON.stringify(ruleFor(column, false)?.as) !== JSON.stringify(as)
}

/** A type as part of a name: `numeric(10,2)` becomes `numeric_10_2`. */
function typeWord(native: string): string {
  return (
    native
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '_')
      .replaceAll(/^_|_$/g, '') || 'old'
  )
}

function refusePartitionName({ table, columns }: TableSpec, { partitionColumn }: StoredTable): void {
  const same = columns.find(({ name }) => folded(name) === folded(partitionColumn))
  if (same === undefined) return
  throw new SluiceError('PLAN_CHANGED', `the archive of ${tableText(table)} already has a column ${partitionColumn}`, {
    where: tableText(table),
    hint: `give the column ${same.name} another name, or put the rows into a table of another name, which gets its own archive`,
  })
}

/** Text about a changed type: the types in the table if these differ, otherwise the stored types. */
export function retypedText(was: StoredColumn, now: StoredColumn): string {
  const typeOf = ({ column }: StoredColumn): string => (column.native === '' ? 'without a type' : column.native)
  if (was.column.native !== now.column.native) return `${now.name} was ${typeOf(was)} and is ${typeOf(now)}`
  const storedAs = (one: StoredColumn): string => (isAsText(one) ? 'text' : one.stored)
  const [before, after] = [storedAs(was), storedAs(now)]
  return before === after
    ? `${now.name} is now stored in another way`
    : `${now.name} was stored as ${before} and is stored as ${after}`
}
