/**
 * The shape of a followed table: facts that change if rows are added, removed or read differently without a report in
 * the stream. These are columns, types, replica identity, partitions and files of rows. They are read without a lock
 * that could block other sessions.
 */
import { groupBy } from '../../../../shared/group-by.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** A table, or one of its partitions at any depth. */
export type Node = {
  readonly oid: string
  /** Null for the table itself. */
  readonly parent: string | null
  readonly name: string
  /** pg_class.relkind: `r` table, `p` partitioned table, `f` foreign table, `v` view … */
  readonly kind: string
  /** `p` permanent, `u` unlogged, `t` temporary. */
  readonly stored: string
  /**
   * File number of its rows: changes with TRUNCATE, VACUUM FULL, CLUSTER, rewriting ALTER TABLE; 0 without own rows.
   */
  readonly file: string
  /** Digest of the bounds of a partition; empty for the table itself. */
  readonly bounds: string
  /** Transaction that attached it; empty for the table itself. */
  readonly attached: string
  /** pg_class.relreplident (`d`, `i`, `f`, `n`), then the columns of this replica identity. */
  readonly identity: readonly string[]
}

export type ColumnShape = {
  /** Attribute number: stays the same when the column is renamed. */
  readonly place: string
  readonly name: string
  /** OID and modifier of the type. */
  readonly type: string
  readonly native: string
  /** `s` stored, `v` virtual, empty for a column that is not generated. */
  readonly generated: string
  /** Expression of a generated column, as the server prints it; absent for other columns. */
  readonly expression?: string
  /** Transaction that wrote the column's row in pg_attribute. */
  readonly changed: string
  /** The source has dropped it, and the stream continues without it: older changes in the log still contain it. */
  readonly dropped?: true
}

export type ReplicatedShape = {
  readonly columns: readonly ColumnShape[]
  /** Labels of enums and fields of composite types that its columns use, by the OID of the type. */
  readonly types: Readonly<Record<string, readonly string[]>>
  /** The table first, then its partitions by OID. */
  readonly nodes: readonly Node[]
}

/** A shape, with facts about how its tables were created and changed. */
export type SeenShape = {
  readonly shape: ReplicatedShape
  /** Partitions created as partitions, in one command: the stream reports all of their rows. */
  readonly bornInside: ReadonlySet<string>
  /** Transaction that wrote the node's row in pg_class, by node. */
  readonly changedBy: ReadonlyMap<string, number>
}

/** Text of a shape, as it is stored and compared. */
export function shapeText(shape: ReplicatedShape): string {
  return JSON.stringify(shape)
}

/** @throws SyntaxError if the text is not JSON */
export function parseReplicatedShape(text: string): ReplicatedShape {
  return JSON.parse(text) as ReplicatedShape
}

/**
 * Setting for the queries that read shapes. Without it, catalogs without statistics would be read completely for each
 * partition (2,000 partitions: 1.5 s, by index 0.3 s).
 */
export const BY_INDEX = 'SET LOCAL enable_seqscan TO off'

/** @returns shapes by OID of the table; dropped tables are missing */
export async function readShapes(
  session: CopySession,
  oids: readonly string[],
): Promise<ReadonlyMap<string, SeenShape>> {
  const list = `${literal(`{${oids.join(',')}}`)}::oid[]`
  const nodes = grouped(await session.ask(nodesSql(list)))
  const columns = grouped(await session.ask(columnsSql(list)))
  const types = grouped(await session.ask(typesSql(list)))
  return new Map(
    [...nodes].map(([oid, rows]) => [oid, seen(rows, columns.get(oid) ?? [], types.get(oid) ?? [])] as const),
  )
}

function seen(nodes: readonly TextRow[], columns: readonly TextRow[], types: readonly TextRow[]): SeenShape {
  const ids = nodes.map(([, oid]) => oid ?? '')
  return {
    shape: {
      columns: columns.map(([, place, name, type, native, generated, changed, expression]): ColumnShape => ({
        place: place ?? '',
        name: name ?? '',
        type: type ?? '',
        native: native ?? '',
        generated: generated ?? '',
        ...(expression == null ? {} : { expression }),
        changed: changed ?? '',
      })),
      types: Object.fromEntries(types.map(([, type, parts]) => [type ?? '', JSON.parse(parts ?? '[]') as string[]])),
      nodes: nodes.map(([, oid, parent = null, name, kind, stored, file, bounds, identity, ...more]): Node => ({
        oid: oid ?? '',
        parent,
        name: name ?? '',
        kind: kind ?? '',
        stored: stored ?? '',
        file: file ?? '',
        bounds: bounds ?? '',
        attached: more[2] ?? '',
        identity: JSON.parse(identity ?? '[]') as string[],
      })),
    },
    bornInside: new Set(ids.filter((_, at) => nodes[at]?.[9] === 't')),
    changedBy: new Map(ids.map((oid, at) => [oid, Number(nodes[at]?.[10])])),
  }
}

/** Rows by their first value. */
function grouped(rows: readonly TextRow[]): ReadonlyMap<string, TextRow[]> {
  return groupBy(rows, ([root]) => root ?? '')
}

/**
 * A partition that is being detached is left out: queries of its root no longer show its rows. An index identifies rows
 * in the stream under the conditions of the server's `RelationGetIndexList`: valid and immediate.
 *
 * CREATE TABLE … PARTITION OF writes inherited columns in the command that creates the table. ATTACH and DETACH write
 * each column again. So if one command wrote an inherited column and a system column (equal `xmin` and `cmin`), the
 * table was created as a partition of this parent. `xmax` must be 0: in a row that a later command has touched, `cmin`
 * has another meaning.
 */
function nodesSql(oids: string): string {
  return `
    WITH RECURSIVE tree AS (
      SELECT r.oid AS root, r.oid, NULL::oid AS parent, NULL::xid AS attached FROM pg_catalog.unnest(${oids}) AS r (oid)
      UNION ALL
      SELECT t.root, i.inhrelid, i.inhparent, i.xmin FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
      WHERE c.relispartition AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending'::text)::boolean, false))
    SELECT t.root, t.oid, t.parent, pg_catalog.concat(n.nspname, '.', c.relname), c.relkind, c.relpersistence, c.relfilenode,
      CASE WHEN t.parent IS NULL THEN '' ELSE pg_catalog.md5(c.relpartbound::text) END,
      (SELECT pg_catalog.json_build_array(c.relreplident)::jsonb || coalesce(pg_catalog.jsonb_agg(k.attname ORDER BY x.n), '[]')
       FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS x (n)
         JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = i.indkey[x.n]
       WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
         AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END),
      EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = -1
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND a.attinhcount > 0 AND NOT a.attisdropped
          AND a.xmin = s.xmin AND a.cmin = s.cmin AND a.xmax = 0::text::xid), c.xmin, t.attached
    FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    ORDER BY t.root, t.parent IS NOT NULL, t.oid`
}

function columnsSql(oids: string): string {
  return `
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid::text || ' ' || a.atttypmod::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
      a.attgenerated, a.xmin, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
    FROM pg_catalog.pg_attribute a
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
    WHERE a.attrelid = ANY (${oids}) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum`
}

/** User-defined types, also in domains, arrays, ranges and fields. OIDs below 16384 are the server's own. */
function typesSql(oids: string): string {
  return `
    WITH RECURSIVE used AS (
      SELECT a.attrelid AS root, a.atttypid AS type FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = ANY (${oids}) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384::oid
      UNION
      SELECT u.root, p.type FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type CROSS JOIN LATERAL (
        SELECT t.typbasetype UNION ALL SELECT t.typelem
        UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f
          WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid) AS p (type)
      WHERE p.type >= 16384::oid)
    SELECT u.root, u.type, CASE t.typtype
      WHEN 'e' THEN (SELECT pg_catalog.json_agg(e.oid::text || ' ' || e.enumlabel::text ORDER BY e.oid) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
      ELSE (SELECT pg_catalog.json_agg(f.attnum::text || ' ' || f.atttypid::text || ' ' || f.atttypmod::text ORDER BY f.attnum) FROM pg_catalog.pg_attribute f
        WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped) END
    FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.type WHERE t.typtype IN ('e', 'c') ORDER BY u.root, u.type::oid`
}
