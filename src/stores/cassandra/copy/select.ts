/** Statements that read a table: by tokens, by partition, by key. */
import type { RingSpec, TableSpec } from '../../../model/copy/column-type.ts'
import { RING_TOKENS, type TokenRange } from '../../../model/copy/ring.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { cassandraTableName } from './names.ts'

export type CqlQuery = { readonly cql: string; readonly parameters: readonly unknown[] }

/** Texts, quoted names and comments, in which keywords have no meaning. */
const SKIPPED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
/** Keywords that do more than select rows. */
const NOT_A_CONDITION = /\b(?:limit|order\s+by|group\s+by|per\s+partition|allow\s+filtering|using|or)\b|;/i

/** @throws SluiceError BAD_PREDICATE */
export function refuseInvalidCondition(where: string | null): void {
  if (where === null) return
  const word = NOT_A_CONDITION.exec(where.replaceAll(SKIPPED, ' '))?.[0]
  if (word === undefined) return
  throw new SluiceError('BAD_PREDICATE', `CQL has no ${word.toUpperCase()} in a condition`, {
    where,
    hint: 'write comparisons joined by AND, as after WHERE',
  })
}

/** SQL of the token of a row: `token("a", "b")`. */
export function tokenExpression(table: TableSpec, ring: RingSpec): string {
  const columns = table.key.slice(0, ring.columns).map(quotedName).join(', ')
  return `${ring.partitioner === 'ycql' ? 'partition_hash' : 'token'}(${columns})`
}

/** @param what list of columns */
export function byTokens(
  table: TableSpec,
  ring: RingSpec,
  what: string,
  { low, high }: TokenRange,
  where: string | null,
): CqlQuery {
  const whole = RING_TOKENS[ring.partitioner]
  const hash = tokenExpression(table, ring)
  // Leave the outermost bounds open: in a condition, the smallest token would also mean the end of the ring.
  const bounds = [
    ...(low > whole.low ? [{ text: `${hash} >= ?`, token: low }] : []),
    ...(high < whole.high ? [{ text: `${hash} <= ?`, token: high }] : []),
  ]
  const conditions = bounds.map(({ text }) => text)
  return {
    cql: `SELECT ${what} FROM ${cassandraTableName(table.table)}${behind(conditions, where)}`,
    parameters: bounds.map(({ token }) => tokenValue(token, ring)),
  }
}

/** All rows of a partition, or one row, by the first key columns. @param first only the first row that is found */
export function byKey(
  table: TableSpec,
  what: string,
  key: readonly unknown[],
  where: string | null,
  first = false,
): CqlQuery {
  const conditions = table.key.slice(0, key.length).map((name) => `${quotedName(name)} = ?`)
  return {
    cql: `SELECT ${what} FROM ${cassandraTableName(table.table)}${behind(conditions, where, first)}`,
    parameters: key,
  }
}

export function countQuery(table: TableSpec, ring: RingSpec, tokens: TokenRange, where: string | null): CqlQuery {
  return byTokens(table, ring, 'COUNT(*)', tokens, where)
}

function tokenValue(token: bigint, { partitioner }: RingSpec): bigint | number {
  return partitioner === 'ycql' ? Number(token) : token
}

function behind(conditions: readonly string[], where: string | null, first = false): string {
  // End the line here: a comment at the end of the user's text must not hide the rest of the statement.
  const all = where === null ? conditions : [...conditions, `${where}\n`]
  if (all.length === 0) return ''
  const limit = first ? ' LIMIT 1 ' : ''
  return ` WHERE ${all.join(' AND ')}${limit}${where === null ? '' : 'ALLOW FILTERING'}`
}
