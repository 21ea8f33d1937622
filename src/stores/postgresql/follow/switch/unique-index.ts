/** Unique indexes of the two tables: which rows they refuse, and the statement that creates a missing one. */
import { suffixed } from '../../archive/move.ts'
import { quoteName } from '../../server/connect.ts'
import { treeSql } from '../../server/relation.ts'
import { withColumn } from '../../partition/plan/list-text.ts'

/** The properties of a unique index that decide which rows it refuses. */
export type UniqueKey = {
  readonly method: string
  /** Columns and expressions as the server prints them, without those of INCLUDE. */
  readonly keys: readonly string[]
  /** Predicate of a partial index. */
  readonly where: string | null
  /** NULLS NOT DISTINCT. */
  readonly nullsEqual: boolean
  /** When rows are checked: 0 as they are written, 1 at the end of a statement (DEFERRABLE), 2 at COMMIT by default. */
  readonly deferral: 0 | 1 | 2
}

const DEFERRAL = ['', ' DEFERRABLE', ' DEFERRABLE INITIALLY DEFERRED'] as const

type Lacking = {
  readonly name: string
  /** Definition, from the index method on. */
  readonly what: string
  readonly key: UniqueKey
}

/**
 * SQL: the `UniqueKey` of index `x` (`i` in the catalog); NULL if it is not unique. An operator class that is not the
 * default, or a collation that treats different texts as equal, makes a different key of the same column.
 */
export const uniqueKeySql = `(SELECT pg_catalog.json_build_object('method', m.amname, 'deferral', CASE WHEN i.indimmediate THEN 0 ELSE 1 +
      (SELECT pg_catalog.count(*) FROM pg_catalog.pg_constraint d WHERE d.conindid = x.oid AND d.conrelid = i.indrelid AND d.condeferred) END, 'where', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
    'nullsEqual', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean, false),
    'keys', (SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(x.oid, g.at + 1, false),
        (SELECT l.oid::pg_catalog.regcollation::text FROM pg_catalog.pg_collation l WHERE l.oid = i.indcollation[g.at] AND NOT l.collisdeterministic),
        (SELECT o.opcname FROM pg_catalog.pg_opclass o WHERE o.oid = i.indclass[g.at] AND NOT o.opcdefault)) ORDER BY g.at)
      FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at)))
  FROM pg_catalog.pg_am m WHERE m.oid = x.relam AND i.indisunique)`

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
    one.deferral <= other.deferral &&
    one.keys.every((key) => other.keys.includes(key) || but.includes(key))
  )
}

/** True if both refuse the same rows, or if neither index is unique (null). @param but as of `refusesAll` */
export function refuseSame(one: UniqueKey | null, other: UniqueKey | null, but: readonly string[] = []): boolean {
  if (one === null || other === null) return one === other
  return refusesAll(one, other, but) && refusesAll(other, one, but)
}

/** @param by partition columns of the table, which its unique indexes need */
export function makeUnique(sql: string, { name, what, key }: Lacking, by: readonly string[]): string {
  const added = by.filter((column) => !key.keys.includes(column))
  const made = quoteName(suffixed(name, 'p'))
  if (key.deferral === 0) return `CREATE UNIQUE INDEX ${made} ON ${sql} ${added.reduce(withColumn, what)}`
  const nulls = key.nullsEqual ? ' NULLS NOT DISTINCT' : ''
  return `ALTER TABLE ${sql} ADD CONSTRAINT ${made} UNIQUE${nulls} (${[...key.keys, ...added].join(', ')})${DEFERRAL[key.deferral]}`
}

/** Definition for messages: `what`, and when the index checks rows. */
export function indexText({ what, key }: { readonly what: string; readonly key: UniqueKey | null }): string {
  return `${what}${DEFERRAL[key?.deferral ?? 0]}`
}
