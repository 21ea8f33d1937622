/** Refuses a statement that the source would answer otherwise: expressions, and columns that become texts. */
import type { OtherText } from '../../../model/archive/expressions.ts'
import type { QueryColumn, QueryRequest } from '../../../model/archive/query-port.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { definitionCode } from '../../common/definition-text.ts'
import {
  anyNode,
  callOf,
  isNode,
  isPlan,
  otherAnswer,
  refuseOtherCasts,
  refuseOtherExpressions,
  typeOf,
  type Node,
} from './other-expressions.ts'
import { parsedPlan, type PlanJson } from './needs.ts'
import type { QuerySession } from './session.ts'

/** A type for the columns of a rule in the plan. Columns and literals of the source never have it. */
export type Mark = 'UUID' | 'UHUGEINT'

/** UUID takes literals that are compared with it, UHUGEINT arithmetic, and both need a cast to become a text. */
const markOf = ({ number }: OtherText): Mark => (number === true ? 'UHUGEINT' : 'UUID')

/**
 * @param read names of the columns that the statement reads
 * @param show shows the columns with these indexes in the type, and all others in their own
 * @throws SluiceError BAD_QUERY
 */
export async function refuseOthers(
  session: QuerySession,
  { expressions, columns, sql }: QueryRequest,
  read: ReadonlySet<string>,
  show: (marked: readonly number[], mark?: Mark) => Promise<void>,
): Promise<void> {
  if (expressions === undefined) return
  // Only DuckDB has SUMMARIZE. It adds expressions to the plan that the user did not write, so they are not checked.
  const [, summed] = /^\s*SUMMARIZE\b(.*)/is.exec(sql) ?? []
  if (summed !== undefined && !/^\s*(?:SELECT|FROM|WITH|\()/i.test(summed)) return
  refuseOtherCasts(sql, expressions)
  const planned = async (): Promise<PlanJson> => {
    const [[json] = []] = await session.rows(`SELECT json_serialize_plan(${sqlLiteral(summed ?? sql)})`)
    return parsedPlan(String(json))
  }
  const plain = await planned()
  const isReal = ({ name, stored }: QueryColumn): boolean =>
    (stored === 'float' || stored === 'double') && read.has(name)
  const made = expressions.reals?.test(definitionCode(sql)) === true
  refuseOtherExpressions(plain, expressions, { read: columns.some(isReal), made })
  const rules = expressions.texts.map((rule) => ({ rule, marked: columnsOf(rule, columns) }))
  const applying = rules.filter(({ marked }) => marked.length > 0)
  if (applying.length === 0) return
  // Without it, functions of texts would not take marked columns.
  await session.run('SET old_implicit_casting = true')
  for (const { rule, marked } of applying) {
    await show(marked, markOf(rule))
    const typed = await planned()
    const names = marked.flatMap((i) => columns[i]?.name ?? [])
    if (isPlan(typed) ? hasText(typed, rule, ['']) : mayHaveText(plain, rule))
      throw otherAnswer(`${names.join(', ')} as a text`, rule.what, rule.instead)
  }
  await session.run('RESET old_implicit_casting')
  await show([])
}

/** Indexes of the columns to which the rule applies. */
function columnsOf({ native, collation = /^/ }: OtherText, columns: readonly QueryColumn[]): readonly number[] {
  const typesOf = ({ column, declared = [] }: QueryColumn): readonly string[] => [
    column.native,
    ...declared.flatMap(({ name, kind, parts }) =>
      kind === 'domain' && name === column.native ? parts.map(({ type = '' }) => type) : [],
    ),
  ]
  const isOne = (column: QueryColumn): boolean =>
    typesOf(column).some((type) => native.test(type)) && collation.test(column.column.collation ?? '')
  return columns.flatMap((column, i) => (isOne(column) ? [i] : []))
}

/**
 * True if a text may be one of the columns: with a mark, DuckDB cannot plan COLLATE and others that only take texts.
 */
function mayHaveText(plain: PlanJson, rule: OtherText): boolean {
  return rule.within.test('') || anyNode(plain, (node) => rule.within.test(callOf(node)?.name ?? ''))
}

/** @param outer names of the calls around this part, innermost first */
function hasText(part: PlanJson, rule: OtherText, outer: readonly string[]): boolean {
  if (part === null || typeof part !== 'object') return false
  if (Array.isArray(part)) return part.some((one: PlanJson) => hasText(one, rule, outer))
  if (!isNode(part)) return false
  const called = callOf(part)
  // No arithmetic takes a UUID: any cast of one has its text.
  const isCast = called?.name === 'CAST to text' || (rule.number !== true && called?.name.startsWith('CAST') === true)
  const isText = isCast && called.parts.some((one) => isMarked(one, markOf(rule)))
  const [innermost = ''] = outer
  if (isText && (rule.anywhere === true ? outer : [innermost]).some((name) => rule.within.test(name))) return true
  const inside = called === null ? (rule.anywhere === true ? outer : ['']) : [called.name, ...outer]
  return Object.values(part).some((inner) => hasText(inner, rule, inside))
}

/** True for a column, and for a function that returns one of its arguments, such as max. */
function isMarked(part: Node, mark: Mark): boolean {
  if (typeOf(part) !== mark) return false
  const called = callOf(part)
  // Neither a cast to the type nor arithmetic has a word as its name, and uuid() no arguments.
  return called === null || (/^\w+$/.test(called.name) && called.parts.length > 0)
}
