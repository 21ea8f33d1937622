/**
 * What an archive becomes when the columns of its table change. A column keeps its physical name as long as it lives, so that older files stay readable:
 * the name of the Delta table is mapped to it. What was dropped, and earlier types of a column, keep theirs for ever.
 */
import type { Column, Expression, TableSpec } from '../../model/copy/column-type.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { ColumnNumbers, StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import { SluiceError } from '../../shared/errors.ts'
import { folded, isFreeName } from './names.ts'
import { ruleFor, travelsAs } from './rule.ts'
import { ruled } from './ruled.ts'
import { isSameType, isWidening } from './same-type.ts'

export type ColumnChange =
  | { readonly kind: 'added'; readonly column: StoredColumn }
  | { readonly kind: 'dropped'; readonly column: StoredColumn }
  | { readonly kind: 'renamed'; readonly from: string; readonly column: StoredColumn }
  /** `kept`: the column of the earlier type, under the name that the Delta table has for it. */
  | { readonly kind: 'retyped'; readonly kept: StoredColumn; readonly column: StoredColumn }
  | { readonly kind: 'widened'; readonly from: StoredColumn; readonly column: StoredColumn }

export type EvolveWishes = {
  /** Null where the source has no such numbers. */
  readonly numbers: ColumnNumbers | null
  /** New names of columns by old ones, where the source cannot tell. */
  readonly renamed: ReadonlyMap<string, string>
  /** Columns that are gone for good, where the source cannot tell. */
  readonly dropped: ReadonlySet<string>
  /** Columns that are stored as text from now on. */
  readonly asText: readonly string[]
  /** `StoreAbilities.looseTypes` of the source. */
  readonly isLoose: boolean
  /** A column with a wider type stays the field that it is, which readers without type widening refuse. */
  readonly widen: boolean
  readonly comments: Readonly<Record<string, string>>
}

/** Columns that the table has lost, and names that are new in it, where a renamed column cannot be told from a dropped and an added one. */
export type Unsure = { readonly gone: readonly StoredColumn[]; readonly fresh: readonly string[] }

export type Evolved = {
  readonly stored: StoredTable
  readonly changes: readonly ColumnChange[]
  /** Null where it is sure. */
  readonly unsure: Unsure | null
}

/** A column of the table now, and the one of the archive that it is. */
type Match = { readonly column: Column; readonly old: StoredColumn | null }

/** @throws SluiceError UNSUPPORTED_TYPE, PLAN_CHANGED where a column would have the name of the partition column */
export function evolved(table: TableSpec, before: StoredTable, wishes: EvolveWishes): Evolved {
  // An archive that was mapped when it was made has its ids by the places of its columns.
  const stored = before.mapped ? numbered(before) : before
  const { matches, gone, unsure } = matched(table, stored, wishes)
  refusePartitionName(table, stored)
  const { asText, isLoose } = wishes
  // What a source without types is taken to hold depends on its rows: the type in which the archive has the column stays.
  const stays = (old: StoredColumn | null, { name, native }: Column): old is StoredColumn =>
    isLoose && old !== null && old.column.native === native && !asText.includes(name)
  const changes: ColumnChange[] = []
  const names = new Names(stored, table.columns)
  const kept: StoredColumn[] = (stored.kept ?? []).map((one) => ({ ...one, name: names.logical(one.name) }))
  const columns = matches.map(({ column: { expression, ...column }, old: found }): StoredColumn => {
    const { name } = column
    const old = found === null ? null : recomputed(found, expression)
    const rule = stays(old, column)
      ? { as: travelsAs(old), stored: old.stored }
      : ruled(column, asText.includes(name) || (old !== null && isAsText(old)), tableText(table.table), isLoose)
    if (old === null) {
      const comment = Object.hasOwn(wishes.comments, name) ? wishes.comments[name] : undefined
      const about = comment === undefined || comment === '' ? {} : { comment }
      const plain = { name, ...names.physical(name), column, ...rule, ...about, ...notedOf(wishes.numbers, name) }
      const added = recomputed(plain, expression)
      changes.push({ kind: 'added', column: added })
      return added
    }
    if (isSameType({ as: travelsAs(old), stored: old.stored }, rule)) {
      const same = { ...old, name, column, ...rule, ...notedOf(wishes.numbers, name) }
      if (old.name !== name) changes.push({ kind: 'renamed', from: old.name, column: same })
      return same
    }
    if (wishes.widen && isWidening(old, rule)) {
      const narrower = [...(old.narrower ?? []), old.stored]
      const widened = { ...old, name, column, ...rule, ...notedOf(wishes.numbers, name), narrower }
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
      ...notedOf(wishes.numbers, name),
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
    ...(wishes.numbers === null ? {} : { numbersOf: wishes.numbers.of }),
  }
  return { stored: changes.length === 0 && !next.mapped ? next : numbered(next), changes, unsure }
}

/** `Evolved.unsure`, also of a table that has a column which no archive can hold. */
export function unsureOf(table: TableSpec, stored: StoredTable, numbers: ColumnNumbers | null): Unsure | null {
  return matched(table, stored, { numbers, renamed: new Map(), dropped: new Set() }).unsure
}

function matched(
  { columns }: TableSpec,
  stored: StoredTable,
  { numbers, renamed, dropped }: Pick<EvolveWishes, 'numbers' | 'renamed' | 'dropped'>,
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
  return { matches, gone, unsure: unsaid.length > 0 && fresh.length > 0 ? { gone: unsaid, fresh } : null }
}

/** Notes what the source calls the columns of a table. */
export function withNumbers(stored: StoredTable, numbers: ColumnNumbers | null): StoredTable {
  if (numbers === null) return stored
  const columns = stored.columns.map((column): StoredColumn => ({ ...column, ...notedOf(numbers, column.name) }))
  return { ...stored, columns, numbersOf: numbers.of }
}

/** The column, noted with what it is computed from now; without such a note where that is not known. */
export function recomputed({ computed: _, ...column }: StoredColumn, now: Expression | undefined): StoredColumn {
  return now === undefined ? column : { ...column, computed: now }
}

function notedOf(noted: ColumnNumbers | null, name: string): Pick<StoredColumn, 'number' | 'declared'> {
  const number = noted?.numbers.get(name)
  const declared = noted?.declared.get(name)
  return { ...(number === undefined ? {} : { number }), ...(declared === undefined ? {} : { declared }) }
}

/** Names that are taken: in the Delta table, and in any file. */
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

  /** A name that no file has yet: the column's own where that is one. */
  physical(name: string): Pick<StoredColumn, 'physical'> {
    let physical = name
    while (!isFreeName(physical, this.#physical)) physical = `col-${this.#next++}`
    this.#physical.add(folded(physical))
    return { physical }
  }

  /** A name of a column of the Delta table that is none of the source. */
  logical(name: string): string {
    let free = name
    for (let i = 2; this.#logical.has(folded(free)); i++) free = `${name}_${i}`
    this.#logical.add(folded(free))
    return free
  }
}

/** With an id for each column, where the names of any are mapped. */
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

/** Somebody has asked for the text of it. */
export function isAsText({ as, column }: StoredColumn): boolean {
  return as.kind === 'native' && JSON.stringify(ruleFor(column, false)?.as) !== JSON.stringify(as)
}

/** `numeric(10,2)` becomes `numeric_10_2`. */
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
  throw new SluiceError(
    'PLAN_CHANGED',
    `the archive of ${tableText(table)} has a column ${partitionColumn} of its own`,
    {
      where: tableText(table),
      hint: `give the column ${same.name} another name, or put the rows into a table of another name, which gets an archive of its own`,
    },
  )
}

/** What a column of another type was and is, for people: the type of the table where that is another one, and otherwise how it is stored. */
export function retypedText(was: StoredColumn, now: StoredColumn): string {
  const typeOf = ({ column }: StoredColumn): string => (column.native === '' ? 'without a type' : column.native)
  if (was.column.native !== now.column.native) return `${now.name} was ${typeOf(was)} and is ${typeOf(now)}`
  const storedAs = (one: StoredColumn): string => (isAsText(one) ? 'text' : one.stored)
  const [before, after] = [storedAs(was), storedAs(now)]
  return before === after
    ? `${now.name} is stored in another way since`
    : `${now.name} was stored as ${before} and is stored as ${after}`
}
