/** Catalog facts about a table that receives changes: columns, indexes (also of partitions), way of applying. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { refuseReorderedTarget } from '../../../common/column-order.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { missingTable, findRelation, type PostgresRelation } from '../../server/relation.ts'
import type { CopySession, TextRow } from '../../server/session.ts'

/** First version with MERGE. */
const MERGE = 150_000

type Ask = (sql: string) => Promise<readonly TextRow[]>

/** A column of the table itself. */
export type PostgresShapeColumn = {
  readonly name: string
  /** For a domain, its base type. */
  readonly typeOid: number
  /** The same type with length and precision, for a column declaration. */
  readonly typeSql: string
  readonly generated: boolean
  /** True for GENERATED ALWAYS AS IDENTITY: no UPDATE may set the column. */
  readonly alwaysNumbered: boolean
}

type IndexFacts = {
  /** Names of the index and of its table, as the server writes them. */
  readonly name: string
  readonly of: string
  readonly relation: string
  readonly unique: boolean
  readonly exclusion: boolean
  readonly immediate: boolean
  readonly valid: boolean
  readonly partial: boolean
  readonly method: string
  /** Columns of the key, in order; null for an expression, or if collation or operator class are not the column's. */
  readonly key: readonly (string | null)[]
  /** Columns that the index uses, also in expressions and its condition; null if it uses whole rows. */
  readonly columns: readonly string[] | null
}

type MemberFacts = { readonly oid: string; readonly name: string; readonly kind: string; readonly isRoot: boolean }

export type PostgresApplyShape = {
  readonly relation: PostgresRelation
  /** Names of all columns, in order. */
  readonly names: readonly string[]
  /** Columns of the request, in its order; null if the table has no such column. */
  readonly columns: readonly (PostgresShapeColumn | null)[]
  /** The table, its partitions, and tables that inherit from it. */
  readonly members: readonly MemberFacts[]
  /** `merge`: update rows in place, by a unique index on the row key. `replace`: delete and insert each changed row. */
  readonly way: 'merge' | 'replace'
  /**
   * Columns of the `secondary` indexes. A row in which one of them changes is deleted before other rows are written, so
   * that values can move from row to row. Other rows are updated in place.
   */
  readonly guarded: readonly string[]
  /** Exclusion constraints, and unique indexes that can refuse a row although no other row has its row key. */
  readonly secondary: readonly IndexFacts[]
  /** Tables that hold rows and have no index that finds a row by its row key. */
  readonly unindexed: readonly string[]
  /** Fingerprint: changes when statements or a staging table made for this shape become invalid. */
  readonly mark: string
}

/** @returns null if the table does not exist */
export async function readPostgresApplyShape(
  request: ChangeTable,
  session: CopySession,
): Promise<PostgresApplyShape | null> {
  const ask: Ask = (sql) => session.ask(sql)
  const relation = await findRelation(request.table.table, ask)
  if (relation === null) return null
  const found = await readColumns(relation, ask)
  const members = await readMembers(relation, ask)
  const indexes = await readIndexes(members, ask)
  const columns = request.columns.map(({ name }) => found.get(name) ?? null)
  const { identity } = request
  const secondary = indexes.filter((index) => (index.unique || index.exclusion) && !covers(index, identity))
  const root = members.find(({ isRoot }) => isRoot)
  const isFlat = root?.kind === 'p' || members.length === 1
  const always = [...found.values()].some(({ name, alwaysNumbered }) => alwaysNumbered && !identity.includes(name))
  const arbiter = indexes.some((index) => index.relation === root?.oid && isArbiter(index, identity))
  const guarded = [...new Set(secondary.flatMap((index) => index.columns ?? []))]
  const isGuarded =
    secondary.every((index) => index.columns !== null) &&
    guarded.every((name) => columns.some((column) => column?.name === name && !column.generated))
  const merges = session.version >= MERGE && arbiter && isFlat && isGuarded && !always
  const way = merges ? 'merge' : 'replace'
  const holders = members.filter(({ kind }) => kind === 'r')
  const unindexed = holders
    .filter(({ oid }) => !indexes.some((index) => index.relation === oid && finds(index, identity)))
    .map(({ name }) => name)
  const names = [...found.keys()]
  const mark = JSON.stringify([relation.oid, relation.only, columns, way, guarded, names])
  return { relation, names, columns, members, way, guarded, secondary, unindexed, mark }
}

/**
 * Reads the shape of a target table and checks that changes can be applied to it.
 * @param label of the database
 * @throws SluiceError TABLE_REFUSED if the table does not exist, lacks a column, or has columns that exchanged their
 * names; also if one of its tables with rows has no index that finds a row by its row key
 */
export async function soundPostgresShape(
  request: ChangeTable,
  session: CopySession,
  label: string,
): Promise<PostgresApplyShape> {
  const shape = await readPostgresApplyShape(request, session)
  const where = tableText(request.table.table)
  if (shape === null) {
    throw new SluiceError('TABLE_REFUSED', missingTable(request.table.table), {
      where,
      hint: 'it was renamed or dropped: restore it, or copy the table again',
    })
  }
  const lacking = request.columns.filter(({ column }, at) => column.generated !== true && shape.columns[at] === null)
  if (lacking.length > 0) {
    throw new SluiceError('TABLE_REFUSED', `${where} has no column ${lacking.map(({ name }) => name).join(', ')}`, {
      where,
      hint: 'add the column to the target, with the type of the source',
    })
  }
  refuseReorderedTarget(request.table, shape.names, label)
  if (shape.unindexed.length > 0) {
    throw new SluiceError('TABLE_REFUSED', unindexedText(request, shape), { where, hint: indexHint(request) })
  }
  return shape
}

export function unindexedText({ identity }: ChangeTable, { unindexed }: PostgresApplyShape): string {
  return `no index of ${unindexed.slice(0, 5).join(', ')} finds rows by (${identity.join(', ')}): each change would read the whole table`
}

export function indexHint({ identity }: ChangeTable): string {
  return `create an index whose first columns are (${identity.join(', ')})`
}

/** True if the index always prevents two rows with the same row key. */
function isArbiter(index: IndexFacts, identity: readonly string[]): boolean {
  const { unique, exclusion, immediate, valid, partial, key } = index
  return unique && !exclusion && immediate && valid && !partial && sameNames(key, identity)
}

/** True if rows with different row keys never conflict in the index. */
function covers({ exclusion, key }: IndexFacts, identity: readonly string[]): boolean {
  return !exclusion && identity.every((name) => key.includes(name))
}

/** True if a lookup by row key reads only few rows of the index. */
function finds({ unique, valid, partial, method, key }: IndexFacts, identity: readonly string[]): boolean {
  if (!valid || partial) return false
  if (method === 'hash') return identity.length === 1 && sameNames(key, identity)
  if (method !== 'btree') return false
  const within = key.every((name) => name !== null && identity.includes(name))
  return (unique && within) || sameNames(key.slice(0, identity.length), identity)
}

function sameNames(key: readonly (string | null)[], identity: readonly string[]): boolean {
  return key.length === identity.length && identity.every((name) => key.includes(name))
}

async function readColumns({ oid }: PostgresRelation, ask: Ask): Promise<ReadonlyMap<string, PostgresShapeColumn>> {
  const rows = await ask(
    `WITH RECURSIVE typed AS (
       SELECT a.attnum, a.attname, a.attgenerated, a.attidentity, a.atttypid AS type, a.atttypmod AS modifier
       FROM pg_catalog.pg_attribute a WHERE a.attrelid = ${oid}::oid AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL SELECT d.attnum, d.attname, d.attgenerated, d.attidentity, t.typbasetype, t.typtypmod
       FROM typed d JOIN pg_catalog.pg_type t ON t.oid = d.type WHERE t.typtype = 'd')
     SELECT d.attname, d.type, pg_catalog.format_type(d.type, d.modifier), d.attgenerated <> '', d.attidentity = 'a'
     FROM typed d JOIN pg_catalog.pg_type t ON t.oid = d.type WHERE t.typtype <> 'd' ORDER BY d.attnum`,
  )
  return new Map(
    rows.map(([name, type, typeSql, generated, always]) => [
      name ?? '',
      {
        name: name ?? '',
        typeOid: Number(type),
        typeSql: typeSql ?? '',
        generated: generated === 't',
        alwaysNumbered: always === 't',
      },
    ]),
  )
}

async function readMembers({ oid, only }: PostgresRelation, ask: Ask): Promise<readonly MemberFacts[]> {
  const below = only ? '' : 'UNION SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid'
  const rows = await ask(
    `WITH RECURSIVE tree AS (SELECT ${oid}::oid AS oid ${below})
     SELECT c.oid, c.oid::pg_catalog.regclass, c.relkind FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid`,
  )
  return rows.map(([member, name, kind]) => ({
    oid: member ?? '',
    name: name ?? '',
    kind: kind ?? '',
    isRoot: member === oid,
  }))
}

async function readIndexes(members: readonly MemberFacts[], ask: Ask): Promise<readonly IndexFacts[]> {
  const oids = members.map(({ oid }) => `${oid}::oid`).join(',')
  const rows = await ask(
    `SELECT i.indexrelid::pg_catalog.regclass, i.indrelid::pg_catalog.regclass, i.indrelid, i.indisunique, i.indisexclusion, i.indimmediate,
       i.indisvalid AND i.indisready AND i.indislive, i.indpred IS NOT NULL, m.amname,
       (SELECT coalesce(pg_catalog.json_agg(CASE WHEN o.opcdefault AND coalesce(a.attcollation, 0) = k.colloid THEN a.attname END ORDER BY k.place), '[]')
        FROM unnest(i.indkey::int2[], i.indcollation::oid[], i.indclass::oid[]) WITH ORDINALITY AS k(attnum, colloid, opclass, place)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
        LEFT JOIN pg_catalog.pg_opclass o ON o.oid = k.opclass
        WHERE k.place <= i.indnkeyatts),
       CASE WHEN pg_catalog.concat(i.indexprs, i.indpred) !~ ':varattno 0 ' THEN
         (SELECT coalesce(pg_catalog.json_agg(a.attname), '[]') FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
            SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.objid = i.indexrelid
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))) END
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam
     WHERE i.indrelid IN (${oids})`,
  )
  return rows.map(([name, of, relation, unique, exclusion, immediate, valid, partial, method, key, columns]) => ({
    name: name ?? '',
    of: of ?? '',
    relation: relation ?? '',
    unique: unique === 't',
    exclusion: exclusion === 't',
    immediate: immediate === 't',
    valid: valid === 't',
    partial: partial === 't',
    method: method ?? '',
    key: JSON.parse(key ?? '[]') as (string | null)[],
    columns: columns == null ? null : (JSON.parse(columns) as string[]),
  }))
}
