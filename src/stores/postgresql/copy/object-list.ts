/** Indexes, constraints and defaults of tables, as the system catalogs describe them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { ForeignKey, IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'

type IndexFacts = {
  readonly name: string
  readonly unique: boolean
  readonly primary: boolean
  readonly sound: boolean
  readonly method: string
  /** The part of CREATE INDEX from the table name on. */
  readonly tail: string
  /** The table name as spelled in `tail`. */
  readonly relation: string
  readonly where: string | null
  readonly nullsEqual: boolean
  readonly parts: readonly {
    readonly column: string | null
    readonly descending: boolean
    readonly first: boolean
    readonly ordered: boolean
    readonly special: string | null
  }[]
  readonly include: readonly string[]
  readonly columns: readonly string[] | null
  /** pg_constraint.contype: `u`, `p` or `x`; null if the index belongs to no constraint. */
  readonly constraint: string | null
  readonly definition: string | null
}

type ConstraintFacts = {
  readonly name: string
  readonly kind: string
  readonly definition: string
  readonly columns: readonly string[]
  readonly valid: boolean
  readonly schema: string | null
  readonly table: string | null
  readonly to: readonly string[] | null
  readonly onDelete: string
  readonly onUpdate: string
  readonly setColumns: string | null
  readonly full: boolean
  readonly deferrable: boolean
  readonly deferred: boolean
  readonly enforced: boolean
}

const ACTIONS: Readonly<Record<string, string>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
}

/** @returns objects of each table, in the order of `tables` */
export async function listPostgresObjects(
  session: CopySession,
  tables: readonly TableName[],
): Promise<readonly (readonly SchemaObject[])[]> {
  const lists = tables.map((): SchemaObject[] => [])
  if (tables.length === 0) return lists
  const names = tables.map(
    ({ schema, name }, at) =>
      `(${at}, ${literal(schema ?? 'public')}::pg_catalog.name, ${literal(name)}::pg_catalog.name)`,
  )
  const from = `(VALUES ${names.join(', ')}) AS w (at, schema, name) JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')`
  const read = async <T>(sql: string): Promise<readonly (readonly [SchemaObject[] | undefined, T])[]> =>
    (await session.ask(sql)).map(([at, json]) => [lists[Number(at)], JSON.parse(json ?? 'null') as T])
  for (const [list, facts] of await read<IndexFacts>(indexesSql(from))) list?.push(indexObject(facts))
  for (const [list, facts] of await read<ConstraintFacts>(constraintsSql(from))) list?.push(constraintObject(facts))
  for (const [list, { column, own }] of await read<{ readonly column: string; readonly own: string }>(
    `SELECT w.at, pg_catalog.json_build_object('column', a.attname, 'own', pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM ${from} JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped AND a.attgenerated = ''
      JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum ORDER BY a.attnum`,
  ))
    list?.push({ kind: 'default', name: column, own, columns: [column] })
  return lists
}

function indexObject(facts: IndexFacts): SchemaObject {
  const { name, unique, primary, sound, method, tail, where, nullsEqual, include, columns, constraint } = facts
  const own = constraint === null ? tail.slice(facts.relation.length).trim() : (facts.definition ?? '')
  const named = { name, own, columns, ...(sound ? {} : { broken: true as const }) }
  if (constraint === 'x') return { ...named, kind: 'exclusion' }
  return {
    ...named,
    kind: constraint === null ? 'index' : 'unique',
    unique,
    ...(primary ? { primary } : {}),
    method,
    parts: facts.parts.map(partOf),
    include,
    ...(where === null ? {} : { where }),
    ...(nullsEqual ? { nullsEqual } : {}),
  }
}

function partOf({ column, descending, first, ordered, special }: IndexFacts['parts'][number]): IndexPart {
  return {
    column,
    ...(ordered && descending ? { descending } : {}),
    ...(ordered && descending !== first ? { nulls: first ? ('first' as const) : ('last' as const) } : {}),
    ...(special === null ? {} : { special }),
  }
}

function constraintObject(facts: ConstraintFacts): SchemaObject {
  const { name, kind, definition: own, columns } = facts
  return kind === 'f' ? foreignKey(facts) : { kind: 'check', name, own, columns }
}

function foreignKey(facts: ConstraintFacts): ForeignKey {
  const { name, definition, columns, valid, schema, table, to, setColumns, full, deferrable, deferred } = facts
  const rest = [
    ...(full ? ['MATCH FULL'] : []),
    ...(deferrable ? ['DEFERRABLE'] : []),
    ...(deferred ? ['INITIALLY DEFERRED'] : []),
    ...(facts.enforced ? [] : ['NOT ENFORCED']),
  ]
  return {
    kind: 'foreign key',
    name,
    own: definition,
    columns,
    from: columns,
    to: { table: { ...(schema === null ? {} : { schema }), name: table ?? '' }, columns: to ?? [] },
    onDelete: `${ACTIONS[facts.onDelete] ?? 'NO ACTION'}${setColumns ?? ''}`,
    onUpdate: ACTIONS[facts.onUpdate] ?? 'NO ACTION',
    rest: rest.join(' '),
    ...(valid ? {} : { unchecked: true }),
  }
}

/** @param from tables as `w`, `n` and `c` */
function indexesSql(from: string): string {
  const names = (numbers: string): string => `(SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY k.n), '[]')
      FROM ${numbers} JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n])`
  return `
    SELECT w.at, pg_catalog.json_build_object('name', x.relname, 'unique', i.indisunique, 'primary', i.indisprimary,
      'sound', i.indisvalid AND i.indisready, 'method', m.amname,
      'tail', pg_catalog.regexp_replace(pg_catalog.substr(pg_catalog.pg_get_indexdef(x.oid), pg_catalog.length('CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END
        || 'INDEX ' || pg_catalog.quote_ident(x.relname) || ' ON ') + 1), '^(ONLY )?', ''),
      'relation', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
      'where', pg_catalog.pg_get_expr(i.indpred, i.indrelid),
      'nullsEqual', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean, false),
      'parts', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('column', a.attname, 'descending', i.indoption[k.n] & 1::int2 = 1,
          'first', i.indoption[k.n] & 2::int2 = 2, 'ordered', m.amname = 'btree',
          'special', nullif(pg_catalog.concat_ws(' ', CASE WHEN NOT o.opcdefault THEN o.opcname END,
            CASE WHEN a.attnum IS NOT NULL AND i.indcollation[k.n] <> a.attcollation THEN (SELECT 'COLLATE ' || l.collname::text
              FROM pg_catalog.pg_collation l WHERE l.oid = i.indcollation[k.n]) END, y.attoptions::text), '')) ORDER BY k.n)
        FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k (n) JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k.n]
          JOIN pg_catalog.pg_attribute y ON y.attrelid = x.oid AND y.attnum = k.n + 1
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n] AND a.attnum > 0),
      'include', ${names('pg_catalog.generate_series(i.indnkeyatts, i.indnatts - 1) AS k (n)')},
      'columns', (SELECT pg_catalog.json_agg(u.attname) FILTER (WHERE u.attnum > 0) FROM (
          SELECT a.attnum, a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attnum > 0
          UNION SELECT d.refobjsubid, a.attname FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_attribute a
            ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid AND a.attnum > 0
          WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid AND d.objid = x.oid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid AND d.refobjid = i.indrelid) AS u),
      'constraint', k.contype, 'definition', pg_catalog.pg_get_constraintdef(k.oid))
    FROM ${from} JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = x.relam
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = c.oid AND k.contype IN ('u', 'p', 'x')
    ORDER BY x.relname`
}

/** @param from tables as `w`, `n` and `c` */
function constraintsSql(from: string): string {
  const names = (
    relation: string,
    numbers: string,
  ): string => `(SELECT coalesce(pg_catalog.json_agg(a.attname ORDER BY u.place), '[]')
      FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = u.attnum)`
  return `
    SELECT w.at, pg_catalog.json_build_object('name', k.conname, 'kind', k.contype, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'columns', ${names('k.conrelid', 'k.conkey')}, 'valid', k.convalidated, 'schema', fn.nspname, 'table', f.relname,
      'to', ${names('k.confrelid', 'k.confkey')}, 'onDelete', k.confdeltype, 'onUpdate', k.confupdtype,
      'setColumns', (SELECT ' (' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
        FROM pg_catalog.jsonb_array_elements_text(nullif(pg_catalog.to_jsonb(k) -> 'confdelsetcols'::text, 'null'::jsonb)) AS s (attnum)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = s.attnum::int),
      'full', k.confmatchtype = 'f', 'deferrable', k.condeferrable, 'deferred', k.condeferred,
      'enforced', coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true))
    FROM ${from} JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype IN ('c', 'f')
      LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
    WHERE NOT EXISTS (
      -- A foreign key to a partitioned table has a copy for each partition of that table.
      SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
    ORDER BY k.conname`
}
