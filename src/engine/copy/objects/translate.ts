/**
 * Translates an object of a source table for the target, under other names or for another system; or returns why this
 * is not possible.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import {
  isPlainIndex,
  type ForeignKey,
  type IndexObject,
  type SchemaObject,
} from '../../../model/copy/schema-object.ts'

/** @property wanted a refused object in words of the target, where the user may have created it by hand */
export type Translated = SchemaObject | { readonly refused: string; readonly wanted?: SchemaObject }

/** Context of a translation between two tables and two systems. */
export type TranslationContext = {
  readonly plan: TablePlan
  /** True if the target accepts the source's own definitions. */
  readonly sameWords: boolean
  /** Plans of the same run's tables, by `tableText` of the source. */
  readonly plans: ReadonlyMap<string, TablePlan>
  /** Name in the target of a table that this run does not copy. */
  readonly elsewhere: (table: TableName) => TableName
  /** Name of the source's system, for messages. */
  readonly from: string
}

/** Index methods that count as ordered. */
export const ORDERED: ReadonlySet<string> = new Set(['btree', 'art'])

export function translateObject(object: SchemaObject, passage: TranslationContext): Translated {
  const { plan } = passage
  const lost = object.columns?.find((name) => targetColumn(name, plan) === null)
  if (lost !== undefined) return { refused: `the column ${lost} is not copied` }
  switch (object.kind) {
    case 'index':
    case 'unique':
      return isPlainIndex(object) ? plainIndex(object, passage) : verbatim(object, passage)
    case 'foreign key':
      return foreignKey(object, passage)
    case 'default':
      if (/\bnextval\s*\(/i.test(object.own)) return { refused: 'its values come from a sequence of the source' }
      if (object.own === '') return { refused: 'the source does not print its value as it is' }
      if (!passage.sameWords) return { refused: `its value is written in the SQL of ${passage.from}` }
      return { ...object, name: targetColumn(object.name, plan) ?? object.name }
    case 'check':
    case 'exclusion':
      return verbatim(object, passage)
  }
}

/** Copies SQL text unchanged, and only if all names in it have the same meaning in the target. */
function verbatim(
  object: Exclude<SchemaObject, ForeignKey>,
  { plan, sameWords, from }: TranslationContext,
): Translated {
  const what = nameOf(object)
  if (!sameWords) return { refused: `${what} is written in the SQL of ${from}, and is not translated` }
  if (object.own === '') return { refused: `${what} is part of the table's definition` }
  if (object.columns === null) {
    const missing = plan.source.columns.some(({ name }) => targetColumn(name, plan) === null)
    const renamed = [...plan.columns, ...(plan.checked ?? [])].some((column) => column.from !== column.to)
    if (!missing && !renamed) return object
    return { refused: `${what} may use a column that is not copied, or has another name in the target` }
  }
  const renamed = object.columns.find((name) => targetColumn(name, plan) !== name)
  if (renamed === undefined) return object
  return { refused: `${what} is written in SQL, and its column ${renamed} has another name in the target` }
}

function plainIndex(object: IndexObject, passage: TranslationContext): Translated {
  const { plan, sameWords, from } = passage
  const names = [...object.parts.flatMap(({ column }) => (column === null ? [] : [column])), ...object.include]
  const isAsBefore = names.every((name) => targetColumn(name, plan) === name)
  if (sameWords && isAsBefore) return object
  const special = object.parts.find((part) => part.special !== undefined)?.special
  if (special !== undefined && !(sameWords && ORDERED.has(object.method) && object.own === '')) {
    return { refused: `it uses ${special}, which ${sameWords ? 'cannot be rewritten' : `only ${from} has`}` }
  }
  if (!ORDERED.has(object.method)) {
    return sameWords
      ? { refused: `it is a ${object.method} index, and one of its columns has another name in the target` }
      : { refused: `only ${from} has ${object.method} indexes` }
  }
  if (object.nullsEqual === true && !sameWords) return { refused: `only ${from} treats NULLs as equal` }
  const prefix = object.parts.find((part) => part.prefix !== undefined)
  if (prefix !== undefined && object.unique && !sameWords) {
    return { refused: `the source requires only the beginnings of ${prefix.column ?? ''} to be unique` }
  }
  const renamed = (name: string): string => targetColumn(name, plan) ?? name
  return {
    ...object,
    own: '',
    columns: names.map(renamed),
    include: object.include.map(renamed),
    parts: object.parts.map(({ column, descending, nulls, prefix: length, special: word }) => ({
      column: renamed(column ?? ''),
      ...(descending === true ? { descending } : {}),
      ...(nulls === undefined || !sameWords ? {} : { nulls }),
      ...(length === undefined || !sameWords ? {} : { prefix: length }),
      ...(word === undefined ? {} : { special: word }),
    })),
  }
}

/** Translates a foreign key. Refused if the run does not copy the referenced table: referenced rows may be missing. */
function foreignKey(object: ForeignKey, passage: TranslationContext): Translated {
  const { plan, sameWords, from } = passage
  const rename = (names: readonly string[], within: TablePlan): readonly string[] =>
    names.map((name) => targetColumn(name, within) ?? name)
  const own = { ...object, own: '', from: rename(object.from, plan), columns: rename(object.from, plan) }
  const other = planOf(object.to.table, passage)
  if (other === undefined) {
    const wanted = { ...own, to: { ...object.to, table: passage.elsewhere(object.to.table) } }
    return { refused: `${tableText(object.to.table)} is not copied`, wanted }
  }
  if (object.rest !== '' && !sameWords) return { refused: `only ${from} supports ${object.rest}` }
  if (/\(/.test(object.onDelete) && object.from.some((name) => targetColumn(name, plan) !== name)) {
    return { refused: `${object.onDelete} names a column that has another name in the target` }
  }
  const columns = object.to.columns.length === 0 ? other.source.key : object.to.columns
  const lost = columns.find((name) => targetColumn(name, other) === null)
  if (lost !== undefined) return { refused: `the column ${lost} of ${tableText(object.to.table)} is not copied` }
  return { ...own, to: { table: other.target.table, columns: rename(columns, other) } }
}

/** Plan of a table of this run; undefined if the run has none. SQLite ignores the case of names. */
function planOf(table: TableName, { plans }: TranslationContext): TablePlan | undefined {
  const text = tableText(table)
  const exact = plans.get(text)
  if (exact !== undefined) return exact
  for (const [name, plan] of plans) if (name.toLowerCase() === text.toLowerCase()) return plan
  return undefined
}

/** Null if the target lacks the column: a column that both sides compute is in the target. */
function targetColumn(name: string, { columns, checked = [] }: TablePlan): string | null {
  return [...columns, ...checked].find(({ from }) => from === name)?.to ?? null
}

function nameOf(object: Exclude<SchemaObject, ForeignKey>): string {
  switch (object.kind) {
    case 'index':
    case 'unique':
      return object.where === undefined ? 'an index on an expression' : 'an index of some rows only'
    case 'check':
      return 'the check'
    case 'exclusion':
      return 'the exclusion constraint'
    case 'default':
      return 'the default'
  }
}
