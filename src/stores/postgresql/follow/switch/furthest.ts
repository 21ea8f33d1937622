/**
 * The furthest values of columns whose numbers come from sequences: the largest, or the smallest if a sequence counts
 * down. Rows may have values that no sequence issued, so a cutover sets its sequences beyond these, too. The values are
 * read before other sessions wait, because without an index on the column the whole table is read. Rows that change
 * later are read when they are compared.
 */
import type { FurthestValues } from '../../../../model/follow/switch-port.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { columnTypes } from './column-types.ts'
import { numberings, type Furthest, type Numbering } from './sequences.ts'
import type { CutoverTable } from './sides.ts'

/** Types of numbers that are compared with the range of a sequence. */
const NUMBERS: ReadonlySet<string | undefined> = new Set(['smallint', 'integer', 'bigint', 'numeric'])

export type NumberedColumn = Pick<Numbering, 'increment' | 'minimum' | 'maximum' | 'cache'> & {
  readonly name: string
  /**
   * Type of the bounds. The server has its own operators for exactly this type. They use indexes, and take precedence
   * over operators of users.
   */
  readonly boundType: 'bigint' | 'numeric'
}

/** Numbered columns, except those whose sequence cycles: near its end it would soon issue numbers of other rows. */
export async function numberedColumns(session: CopySession, side: CutoverTable): Promise<readonly NumberedColumn[]> {
  const types = await columnTypes(session, side)
  const found = await numberings(session, side)
  return found.flatMap(({ column, cycle, ...range }) => {
    const type = types.get(column)
    if (cycle || !NUMBERS.has(type)) return []
    return [{ ...range, name: column, boundType: type === 'numeric' ? 'numeric' : 'bigint' }]
  })
}

/** Furthest value of all rows. The server uses an index of the column by itself, if there is one. */
export async function furthestValues(session: CopySession, side: CutoverTable): Promise<FurthestValues> {
  const furthest: Furthest[] = []
  for (const one of await numberedColumns(session, side)) {
    const from = `${side.isPartitioned ? '' : 'ONLY '}${side.sql}`
    const [row] = await session.ask(
      `SELECT ${valueSql(one, quoteName(one.name))} FROM ${from} WHERE ${withinSql(one, quoteName(one.name))}`,
    )
    furthest.push(...furthestOf([one], row ?? []))
  }
  return { text: JSON.stringify(furthest) }
}

/** SQL of an aggregate. @param column SQL of the column */
export function furthestSql(one: NumberedColumn, column: string): string {
  return `${valueSql(one, column)} FILTER (WHERE ${withinSql(one, column)})`
}

/** @param values in the order of `columns`; null if there is no row */
export function furthestOf(columns: readonly NumberedColumn[], values: TextRow): readonly Furthest[] {
  return columns.flatMap(({ name }, at) => {
    const value = values[at] ?? null
    return value === null ? [] : [{ column: name, value: value.replace(/[.].*/, '') }]
  })
}

function valueSql({ increment }: NumberedColumn, column: string): string {
  return increment.startsWith('-') ? `pg_catalog.min(${column})` : `pg_catalog.max(${column})`
}

/**
 * SQL condition: after this value and the numbers that a session may have cached, the sequence still has numbers.
 * Larger values are ignored: they often mark special rows, and would use up the sequence.
 */
function withinSql({ boundType, ...range }: NumberedColumn, column: string): string {
  const [minimum, maximum, increment] = [BigInt(range.minimum), BigInt(range.maximum), BigInt(range.increment)]
  const needed = increment * (BigInt(range.cache) + 1n)
  const bound = (value: bigint): string => `'${value}'::${boundType}`
  if (increment < 0n) {
    const end = minimum - needed - 1n
    return `${column} > ${bound(end < maximum ? end : maximum)} AND ${column} <= ${bound(maximum)}`
  }
  const end = maximum - needed + 1n
  return `${column} >= ${bound(minimum)} AND ${column} < ${bound(end > minimum ? end : minimum)}`
}
