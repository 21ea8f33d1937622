/** Findings about properties that a cutover does not exchange between the two tables. Each may have a hint. */
import type { CutoverTables, CutoverStep } from './sides.ts'

type Left = {
  readonly identity: readonly [string, string]
  readonly analyzed: boolean
  readonly comment: boolean
  readonly options: boolean
  /** Sessions that are idle in a transaction and keep a snapshot. */
  readonly snapshots: number
}

export async function cutoverLeftFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  const { from, to } = sides
  const [left] = await sides.session.objects<Left>(leftSql(sides))
  if (left === undefined) return []
  const steps: CutoverStep[] = []
  if (!left.analyzed) {
    steps.push({
      verdict: 'left',
      about: 'statistics',
      detail: `the planner has no statistics of ${to.sql}: its plans are guesses until it has them`,
      hint: `ANALYZE ${to.sql}, before the cutover`,
    })
  }
  if (left.identity[0] !== left.identity[1]) {
    const detail = `it is ${left.identity[0]} of ${from.sql} and ${left.identity[1]} of ${to.sql}: other subscribers get old rows in another form`
    steps.push({ verdict: 'left', about: 'replica identity', detail })
  }
  if (left.comment) {
    steps.push({ verdict: 'left', about: 'comment', detail: 'comments of the tables or of their columns differ' })
  }
  if (left.snapshots > 0) {
    steps.push({
      verdict: 'left',
      about: 'old snapshots',
      detail: `${left.snapshots} open transactions have a snapshot from before the cutover: if one first reads the table after the cutover, it sees ${to.sql} as of that snapshot, without changes that were applied later`,
      hint: 'end transactions in REPEATABLE READ or SERIALIZABLE before the cutover',
    })
  }
  if (left.options) {
    steps.push({ verdict: 'left', about: 'storage', detail: 'each table keeps its own settings and tablespace' })
  }
  return steps
}

function leftSql({ from, to }: CutoverTables): string {
  const comments = (
    oid: string,
  ): string => `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, d.description) ORDER BY a.attname)::text FROM pg_catalog.pg_description d
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
    WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.objoid = ${oid}::oid)`
  return `
    SELECT pg_catalog.json_build_object('identity', pg_catalog.json_build_array(o.relreplident, f.relreplident),
      'analyzed', f.reltuples >= 0::real,
      'snapshots', (SELECT count(*) FROM pg_catalog.pg_stat_activity s WHERE s.datname = pg_catalog.current_database() AND s.state ~ '^idle in transaction' AND s.backend_xmin IS NOT NULL),
      'comment', ${comments(from.oid)} IS DISTINCT FROM ${comments(to.oid)},
      'options', o.relkind = f.relkind AND (o.reloptions IS DISTINCT FROM f.reloptions OR o.reltablespace <> f.reltablespace))
    FROM pg_catalog.pg_class o, pg_catalog.pg_class f WHERE o.oid = ${from.oid}::oid AND f.oid = ${to.oid}::oid`
}
