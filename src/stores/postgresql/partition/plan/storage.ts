/** Findings about storage, sequences and comments of the table. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import type { About } from './about.ts'

type Storage = {
  readonly options: readonly string[] | null
  readonly space: string | null
  readonly method: string | null
  readonly statistics: readonly string[] | null
  readonly comments: string
  readonly identity: readonly string[] | null
  readonly sequences: readonly { readonly column: string; readonly sequence: string; readonly owned: boolean }[] | null
  readonly generated: readonly string[] | null
  readonly clustered: string | null
  readonly toast: string | null
  readonly unchecked: readonly string[] | null
  /** CHECK constraints with NO INHERIT. */
  readonly alone: readonly string[] | null
  /** Index columns with a statistics target. */
  readonly targets: readonly string[] | null
}

export async function storageOf(about: About): Promise<readonly PlanFinding[]> {
  const [storage] = await about.session.objects<Storage>(storageSql(about))
  if (storage === undefined) return []
  const found: PlanFinding[] = []
  const add = (verdict: PlanFinding['verdict'], what: string, object: string, detail: string, hint?: string): void =>
    void found.push({ verdict, about: what, object, detail, ...(hint === undefined ? {} : { hint }) })
  for (const column of storage.identity ?? []) {
    add(
      'changes',
      'identity',
      column,
      'the new table has its own sequence, with another name and other grants; a cutover sets it after the numbers of both tables',
    )
  }
  for (const { column, sequence, owned } of storage.sequences ?? []) {
    if (!owned)
      add('made', 'sequence', sequence, `${column} is numbered by it, as before; it does not belong to a table`)
    else
      add(
        'changes',
        'sequence',
        sequence,
        `both tables number ${column} by it; it belongs to the old table, which the server therefore does not drop`,
        `after the cutover: ALTER SEQUENCE ${sequence} OWNED BY ${about.sql}.${quoteName(column)}`,
      )
  }
  if (storage.generated !== null)
    add('made', 'generated column', storage.generated.join(', '), 'computed again when rows are written')
  if (storage.unchecked !== null) {
    add(
      'changes',
      'check',
      storage.unchecked.join(', '),
      'it was never checked (NOT VALID), and the new one is checked: a row that violates it is not copied',
      'VALIDATE CONSTRAINT finds such rows',
    )
  }
  if (storage.alone !== null) {
    const detail =
      'it is NO INHERIT, which the server refuses for a partitioned table: every partition gets it, and refuses the same rows'
    add('changes', 'check', storage.alone.join(', '), detail)
  }
  if (storage.targets !== null) {
    const hint = 'ALTER INDEX … ALTER COLUMN … SET STATISTICS for the index of each partition'
    add('changes', 'index statistics', storage.targets.join(', '), 'indexes of partitions do not inherit them', hint)
  }
  if (storage.options !== null) {
    add(
      'made',
      'storage parameters',
      storage.options.join(', '),
      'on every partition, because the server refuses them for the partitioned table; autovacuum handles the partitions, but you must run ANALYZE on the whole table yourself',
      `ANALYZE ${about.sql} regularly: autovacuum does not analyze a partitioned table`,
    )
  } else {
    add(
      'changes',
      'autovacuum',
      about.name,
      'it maintains every partition, but does not analyze the partitioned table',
      `ANALYZE ${about.sql} regularly, by a timer`,
    )
  }
  if (storage.space !== null) add('made', 'tablespace', storage.space, 'of the new table, whose partitions inherit it')
  if (storage.method !== null) add('made', 'access method', storage.method, 'of every partition')
  if (storage.statistics !== null)
    add(
      'made',
      'extended statistics',
      storage.statistics.join(', '),
      'on the new table, not on its partitions: they help queries over several periods',
    )
  if (storage.comments !== '0')
    add('made', 'comments', storage.comments, 'of the table, its columns, constraints and indexes')
  if (storage.clustered !== null)
    add(
      'changes',
      'order of rows',
      storage.clustered,
      'the server does not remember a CLUSTER index for a partitioned table',
      'CLUSTER each partition by its own index after its period has ended',
    )
  if (storage.toast !== null)
    add('fine', 'long values', storage.toast, 'stored outside of the rows, separately for each partition')
  return found
}

function storageSql({ oid }: About): string {
  const columns = (condition: string): string =>
    `(SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND ${condition})`
  return `
    SELECT pg_catalog.json_build_object(
      'options', (SELECT pg_catalog.json_agg(o) FROM (SELECT pg_catalog.unnest(c.reloptions) UNION ALL SELECT 'toast.' || pg_catalog.unnest(l.reloptions)
        FROM pg_catalog.pg_class l WHERE l.oid = c.reltoastrelid) AS options (o)),
      'space', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace),
      'method', (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'),
      'statistics', (SELECT pg_catalog.json_agg(s.stxname ORDER BY s.stxname) FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = c.oid),
      'comments', (SELECT count(*)::text FROM pg_catalog.pg_description d WHERE
        d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND (d.objoid = c.oid OR d.objoid IN (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid))
        OR d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::oid AND d.objoid IN (SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid)),
      'identity', ${columns("a.attidentity <> ''")},
      'generated', ${columns("a.attgenerated <> ''")},
      'sequences', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('column', a.attname, 'sequence', s.oid::pg_catalog.regclass::text,
          'owned', EXISTS (SELECT FROM pg_catalog.pg_depend o WHERE o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND o.objid = s.oid AND o.deptype = 'a' AND o.refobjid = c.oid)))
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
          JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid
          JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' WHERE a.attrelid = c.oid),
      'clustered', (SELECT x.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisclustered),
      'toast', (SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_relation_size(l.oid)) FROM pg_catalog.pg_class l WHERE l.oid = c.reltoastrelid AND pg_catalog.pg_relation_size(l.oid) > 0),
      'unchecked', (SELECT pg_catalog.json_agg(k.conname ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'n') AND NOT k.convalidated
        AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true)),
      'targets', (SELECT pg_catalog.json_agg(x.relname::text || ' (' || a.attnum::text || ': ' || a.attstattarget::text || ')' ORDER BY x.relname, a.attnum) FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_attribute a ON a.attrelid = x.oid AND a.attstattarget >= 0 WHERE i.indrelid = c.oid AND x.relkind = 'i'),
      'alone', (SELECT pg_catalog.json_agg(k.conname ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'n') AND k.connoinherit))
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}
