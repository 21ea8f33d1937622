/** Unique indexes of the two tables: which rows they refuse, and the statement that creates a missing one. */
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { treeSql } from '../../server/relation.ts'
import { withColumn } from '../../partition/plan/list-text.ts'

/** What decides which rows a unique index refuses. */
export type UniqueKey = {
  readonly method: string
  /** Columns and expressions as the server prints them, without those of INCLUDE. */
  readonly keys: readonly string[]
  /** Predicate of a partial index. */
  readonly where: string | null
  /** NULLS NOT DISTINCT. */
  readonly nullsEqual: boolean
}

type Lacking = {
  readonly name: string
  /** Definition, from the index method on. */
  readonly what: string
  readonly key: UniqueKey
}

/**
 * SQL: the `UniqueKey` of index `x` (`i` in the catalog). Another operator class than the default, or a collation that
 * takes different texts as equal, makes another key of the same column.
 */
export const uniqueKeySql = `(SELECT pg_catalog.json_build_object('method', m.amname, 'where', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
    'nullsEqual', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean, false),
    'keys', (SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(x.oid, g.at + 1, false),
        (SELECT l.oid::pg_catalog.regcollation::text FROM pg_catalog.pg_collation l WHERE l.oid = i.indcollation[g.at] AND NOT l.collisdeterministic),
        (SELECT o.opcname FROM pg_catalog.pg_opclass o WHERE o.oid = i.indclass[g.at] AND NOT o.opcdefault)) ORDER BY g.at)
      FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at)))
  FROM pg_catalog.pg_am m WHERE m.oid = x.relam)`

/** SQL: columns by which the table with this OID and its partitions are partitioned, as JSON. They are in each key. */
export const partitionKeysSql = (oid: string): string =>
  `(SELECT coalesce(pg_catalog.json_agg(DISTINCT pg_catalog.quote_ident(a.attname)), '[]') FROM pg_catalog.pg_partitioned_table p
    JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs) WHERE p.partrelid IN (${treeSql(oid)}))`

/**
 * True if `one` refuses each row that `other` refuses.
 * @param but columns that do not count: a partitioned table enforces uniqueness within each partition only
 */
export function refusesAll(one: UniqueKey, other: UniqueKey, but: readonly string[] = []): boolean {
  return (
    one.method === other.method &&
    (one.where === null || one.where === other.where) &&
    (one.nullsEqual || !other.nullsEqual) &&
    one.keys.every((key) => other.keys.includes(key) || but.includes(key))
  )
}

/** @param by partition columns of the table, which its unique indexes need */
export function makeUnique(sql: string, { name, what, key }: Lacking, by: readonly string[]): string {
  const tail = by.filter((column) => !key.keys.includes(column)).reduce(withColumn, what)
  return `CREATE UNIQUE INDEX ${quoteName(suffixed(name, 'p'))} ON ${sql} ${tail}`
}
