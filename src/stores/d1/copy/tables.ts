/** Reads tables of a D1 database from its schema, in three requests for any number of tables. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { tablesNamed } from '../../common/sqlite-dialect/table-named.ts'
import type { D1Client, D1Row } from '../client.ts'
import { inspectD1Tables, type Inspections } from './inspect-tables.ts'
import type { D1Shape } from './shape.ts'
import {
  declaredConflicts,
  freeRowid,
  rowidBlocks,
  rowidColumn,
  sqliteColumnOf,
  sqliteIdentity,
  sqliteKeyOf,
} from '../../common/sqlite-dialect/table-facts.ts'
import { groupBy } from '../../../shared/group-by.ts'

/** @param pattern `name` or `main.name`, with `*` for any characters; case-insensitive, as SQLite @throws D1Failure */
export async function d1Tables(client: D1Client, pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
  const [listed] = await client.read(
    [
      {
        sql: `SELECT l.name, s.sql, l.wr, l.strict FROM pragma_table_list AS l JOIN sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
              WHERE l.schema = 'main' AND l.type = 'table' AND substr(l.name, 1, 7) <> 'sqlite_' AND lower(substr(l.name, 1, 4)) <> '_cf_'`,
        params: [],
      },
    ],
    { signal },
  )
  const all = (listed?.rows ?? []).map(([name, sql, wr, strict]) => ({
    name: String(name),
    sql: String(sql),
    withoutRowid: wr === 1,
    strict: strict === 1,
  }))
  const chosen = tablesNamed(all, pattern)
  if (chosen.length === 0) return []
  const names = JSON.stringify(chosen.map(({ name }) => name))
  const [columns, indexes] = await client.read(
    [
      {
        sql: `SELECT j.key, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden FROM json_each(?) AS j
              JOIN pragma_table_xinfo(j.value) AS x ORDER BY j.key, x.cid`,
        params: [names],
      },
      {
        sql: `SELECT j.key, i.name, i.origin, i."unique" AND NOT i.partial, c.name, c.coll FROM json_each(?) AS j
              JOIN pragma_index_list(j.value) AS i JOIN pragma_index_xinfo(i.name) AS c WHERE c."key" ORDER BY j.key, i.seq, c.seqno`,
        params: [names],
      },
    ],
    { signal },
  )
  const shapes = chosen.map((table, at) => shapeOf(table, rowsAt(columns?.rows, at), rowsAt(indexes?.rows, at)))
  const inspections = await inspectD1Tables(client, shapes, signal)
  return shapes.map((shape, at) => specOf(shape, inspections[at] ?? NO_FACTS))
}

const NO_FACTS: Inspections = { types: new Map(), collations: new Map(), rows: 0n, bytes: 0n, lastRowid: null }

/** Selects the rows whose first column is `at`, the index of a requested name, and removes this column. */
function rowsAt(rows: readonly D1Row[] | undefined, at: number): readonly D1Row[] {
  return (rows ?? []).filter(([key]) => key === at).map((row) => row.slice(1))
}

function shapeOf(
  { withoutRowid, ...table }: Pick<D1Shape, 'name' | 'sql' | 'strict'> & { readonly withoutRowid: boolean },
  columnRows: readonly D1Row[],
  indexRows: readonly D1Row[],
): D1Shape {
  const columns = columnRows
    .map(([column, type, notNull, initial, pk, hidden]) => ({
      name: String(column),
      type: String(type ?? ''),
      notnull: Number(notNull),
      dflt_value: initial == null ? null : String(initial),
      pk: Number(pk),
      hidden: Number(hidden),
    }))
    // `hidden` is 1 for hidden columns of virtual tables.
    .filter(({ hidden }) => hidden !== 1)
  const all = [...groupBy(indexRows, ([index]) => String(index)).values()].map((parts) => ({
    origin: String(parts[0]?.[1]),
    unique: parts[0]?.[2] === 1,
    names: parts.map(([, , , part]) => (part == null ? null : String(part))),
    collations: parts.map(([, , , , collation]) => String(collation).toUpperCase()),
  }))
  return {
    ...table,
    rowid: withoutRowid ? null : freeRowid(columns),
    alias: withoutRowid
      ? null
      : rowidColumn(
          columns,
          all.some(({ origin }) => origin === 'pk'),
        ),
    columns,
    indexes: all.flatMap(({ origin, unique, names, collations }) =>
      unique && names.every((part) => part !== null) ? [{ origin, names, collations }] : [],
    ),
  }
}

function specOf(shape: D1Shape, { types, collations, rows, bytes, lastRowid }: Inspections): TableSpec {
  const columns = shape.columns.map((info): Column => {
    const collation = collations.get(info.name)
    const column = sqliteColumnOf(info, shape.alias, types.get(info.name), shape.strict)
    return collation === undefined ? column : { ...column, collation }
  })
  return {
    table: { name: shape.name },
    identity: sqliteIdentity(shape.name, shape.sql),
    columns,
    ...(declaredConflicts(shape.sql).length === 0 ? {} : { declaresConflicts: true as const }),
    ...sqliteKeyOf(shape.alias, columns, shape.columns, shape.indexes),
    rows,
    bytes,
    ...(shape.rowid === null ? {} : { blocks: rowidBlocks(lastRowid) }),
  }
}
