/** Generated columns: values are compared if the target computes them too, or copied into a plain target column. */
import { tableText, type Column, type Expression, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ColumnPlan } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { columnCalled } from './column-plans.ts'
import { pairTypes } from './pair-types.ts'
import type { TableOptions } from './table-options.ts'

/** @property sameWords true if the servers of both sides print expressions alike */
export type SystemComparison = { readonly sameSystem: boolean; readonly sameWords: boolean }

/** True if the target also computes a generated column of the source. */
export function isComputedBy(target: TableSpec, { name, generated }: Column, { rename }: TableOptions): boolean {
  return generated === true && columnCalled(rename.get(name) ?? name, target)?.generated === true
}

/** True if the target has a plain column for the values of a generated one. */
export function isCopiedAsValue(
  column: Column,
  found: TableSpec | null,
  { rename, ungenerated }: Pick<TableOptions, 'rename' | 'ungenerated'>,
): boolean {
  if (found === null || ungenerated === true) return false
  const there = columnCalled(rename.get(column.name) ?? column.name, found)
  return there !== undefined && there.generated !== true
}

/** Columns that both sides compute, if comparable. @throws SluiceError TABLE_REFUSED if their expressions differ */
export function checkedColumns(
  source: TableSpec,
  target: TableSpec,
  options: TableOptions,
  likeness: SystemComparison,
): readonly ColumnPlan[] {
  return source.columns.flatMap((column): readonly ColumnPlan[] => {
    const { name } = column
    if (!isComputedBy(target, column, options) || options.columns?.includes(name) === false) return []
    const other = columnCalled(options.rename.get(name) ?? name, target)
    if (other === undefined) return []
    const isSame = hasSameExpression(column, other, likeness)
    if (isSame === false && options.anyExpression !== true && options.rename.size === 0) {
      throw otherExpression(source, target, column, other)
    }
    if (options.ungenerated === true && !wasChecked(source, column, other, likeness)) return []
    const pairing = comparablePair(column, other, likeness.sameSystem)
    return pairing === null ? [] : [{ from: name, to: other.name, source: column, target: other, ...pairing }]
  })
}

/** Compared columns that older versions (before docs/decisions/0016-generated-columns.md) did not compare. */
export function newlyChecked(
  source: TableSpec,
  checked: readonly ColumnPlan[],
  likeness: SystemComparison,
): readonly string[] {
  return checked.flatMap((one) => (wasChecked(source, one.source, one.target, likeness) ? [] : [one.from]))
}

/** True if versions before decision 0016 compared the column too. */
function wasChecked({ key }: TableSpec, column: Column, other: Column, { sameSystem }: SystemComparison): boolean {
  const [one, another] = [column.expression, other.expression]
  if (key.length === 0 || !sameSystem || one === undefined || another === undefined) return false
  const isAlike = column.name === other.name && column.native === other.native
  const isLocal = one.local === true || another.local === true
  return isAlike && !isLocal && bareSql(one) === bareSql(another)
}

/** Expression in the form that versions before decision 0016 compared, so that the plans of these versions match. */
function bareSql({ sql }: Expression): string {
  return sql.replaceAll(/[\s()]/g, '')
}

/**
 * True if both columns have the same expression. Null if unknown: a server does not show its expression, or the servers
 * may print the same expression differently.
 */
function hasSameExpression(
  { expression: one }: Column,
  { expression: other }: Column,
  { sameWords }: SystemComparison,
): boolean | null {
  if (!sameWords || one === undefined || other === undefined) return null
  if (plainText(one) === plainText(other)) return true
  // Names of a user's own functions may be printed with or without their schema.
  const isLocal = one.local === true || other.local === true
  return isLocal || one.printedBy !== other.printedBy ? null : false
}

/** Type in which both columns are compared; null if there is none, or if values may lose precision in it. */
function comparablePair(column: Column, other: Column, sameSystem: boolean): Pick<ColumnPlan, 'as'> | null {
  try {
    const { as, lossy } = pairTypes(column, other, sameSystem)
    return lossy === undefined ? { as } : null
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'UNSUPPORTED_TYPE') throw thrown
    return null
  }
}

/**
 * The expression without differences that do not change its meaning: blanks, case of words, brackets around all of it.
 */
function plainText({ sql }: Expression): string {
  const quoted = /('(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)/
  const split = sql.split(quoted)
  const parts = split.map((part, at) => {
    if (at % 2 === 1) return part
    return withoutIntroducer(part, split[at + 1] ?? '')
      .toLowerCase()
      .replaceAll(/\s+/g, ' ')
      .replaceAll(/ ?([^\w ]) ?/g, '$1')
  })
  let text = parts.join('').trim()
  while (isBracketed(text)) text = text.slice(1, -1).trim()
  return text
}

/** Removes the character set that MySQL puts before a text; before an ASCII text it has no effect. */
function withoutIntroducer(before: string, text: string): string {
  if (!/^'[\x20-\x7e]*'$/.test(text)) return before
  return before.replace(/(?<!\w)_(?!binary)[a-z]\w*\s*$/i, '')
}

/** True if the last bracket closes the first one. */
function isBracketed(text: string): boolean {
  if (!text.startsWith('(') || !text.endsWith(')')) return false
  let depth = 0
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at)
    if (quote !== '') quote = letter === quote ? '' : quote
    else if (`'"\``.includes(letter)) quote = letter
    else if (letter === '(') depth++
    else if (letter === ')' && --depth === 0) return at === text.length - 1
  }
  return false
}

function otherExpression(source: TableSpec, target: TableSpec, column: Column, other: Column): SluiceError {
  const named = `${tableText(source.table)}.${column.name}`
  return new SluiceError('TABLE_REFUSED', `${named} is computed from another expression in the target`, {
    where: `${tableText(target.table)}.${other.name}`,
    reason: `the source has ${column.expression?.sql ?? ''}, and the target ${other.expression?.sql ?? ''}`,
    hint: 'give both columns the same expression, make the column of the target a plain one, or exclude it with --columns: then it is not compared',
  })
}
