/** Refuses columns that become texts, where the source would write another text than the archive has. */
import type { OtherText } from '../../../model/archive/expressions.ts'
import type { QueryColumn } from '../../../model/archive/query-port.ts'
import { callOf, isNode, otherAnswer, typeOf } from './other-expressions.ts'
import { parsedPlan, type PlanJson } from './needs.ts'

/** Type of such columns in the plan: it needs a cast to become a text, and takes literals that are compared with it. */
export const MARK = 'UUID'

/** Indexes of the columns to which the rule applies. */
export function columnsOf({ native, bytewise }: OtherText, columns: readonly QueryColumn[]): readonly number[] {
  const typesOf = ({ column, declared = [] }: QueryColumn): readonly string[] => [
    column.native,
    ...declared.flatMap(({ name, kind, parts }) =>
      kind === 'domain' && name === column.native ? parts.map(({ type = '' }) => type) : [],
    ),
  ]
  const isOne = (column: QueryColumn): boolean =>
    typesOf(column).some((type) => native.test(type)) && (bytewise !== true || column.column.collation === undefined)
  return columns.flatMap((column, i) => (isOne(column) ? [i] : []))
}

/**
 * @param plan of the statement before any optimizer, with the columns as `MARK`; one that DuckDB could not make, because
 * the statement does with a column what only a text can, has none of these casts
 * @throws SluiceError BAD_QUERY
 */
export function refuseOtherTexts(plan: string, rule: OtherText, names: readonly string[]): void {
  if (hasText(parsedPlan(plan), rule, [''])) throw otherAnswer(`${names.join(', ')} as a text`, rule.what, rule.instead)
}

/** @param outer names of the calls around this part, innermost first */
function hasText(part: PlanJson, rule: OtherText, outer: readonly string[]): boolean {
  if (part === null || typeof part !== 'object') return false
  if (Array.isArray(part)) return part.some((one: PlanJson) => hasText(one, rule, outer))
  if (!isNode(part)) return false
  const called = callOf(part)
  // A UUID that the statement itself casts to is none of these columns.
  const isText = called?.name === 'CAST to text' && called.parts.some(isMarked)
  const [innermost = ''] = outer
  if (isText && (rule.anywhere === true ? outer : [innermost]).some((name) => rule.within.test(name))) return true
  const inside = called === null ? (rule.anywhere === true ? outer : ['']) : [called.name, ...outer]
  return Object.values(part).some((inner) => hasText(inner, rule, inside))
}

function isMarked(part: PlanJson): boolean {
  return isNode(part) && typeOf(part) === MARK && callOf(part) === null
}
