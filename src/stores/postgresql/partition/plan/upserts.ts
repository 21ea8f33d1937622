/**
 * Finds statements with ON CONFLICT that depend on a key to which the column is added. Sources: the server's statement
 * statistics, if they exist and can be read; and functions and rules, whose statements the server may not count.
 */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import { isDenied, sqlStateOf } from '../../server/server-errors.ts'
import { literal } from '../../server/sql.ts'
import type { About } from './about.ts'
import { conflictClauses, type ConflictClause } from './conflict-clauses.ts'

/** A key without the column to partition by: its name, and its columns (null for an expression). */
type Narrow = { readonly name: string; readonly columns: readonly (string | null)[] }

/** A table or a view through which rows are inserted into the table. */
type InsertTarget = { readonly schema: string; readonly name: string }
type Source = { readonly object: string; readonly text: string }

const SHOWN = 160
const MOST = 5
/** The server's text for statements of other roles that this role may not read. */
const HIDDEN = '<insufficient privilege>'
const LOOK = 'search ON CONFLICT in the code that writes to the table'

export async function conflictUsers(about: About, narrow: readonly Narrow[]): Promise<readonly PlanFinding[]> {
  if (narrow.length === 0) return []
  const statements = await recorded(about)
  const all = { about: 'ON CONFLICT', object: narrow.map(({ name }) => name).join(', ') }
  const ways = await about.session.objects<InsertTarget>(insertTargetsSql(about))
  const kept: readonly Source[] =
    typeof statements === 'string' ? [] : statements.map((text) => ({ object: cut(text), text }))
  const sources = [...kept, ...(await about.session.objects<Source>(BODIES))]
  const users = sources.flatMap((source) => {
    const finding = userOf(source, ways, narrow, about)
    return finding === null ? [] : [finding]
  })
  const found: PlanFinding[] = []
  for (const verdict of ['refused', 'not looked'] as const) {
    const such = users.filter((one) => one.verdict === verdict)
    found.push(...such.slice(0, MOST))
    if (such.length > MOST) found.push({ ...all, verdict, detail: `and ${such.length - MOST} more of that kind` })
  }
  if (typeof statements === 'string') found.push({ ...all, verdict: 'not looked', detail: statements, hint: LOOK })
  else if (statements.includes(HIDDEN)) {
    const detail = 'pg_stat_statements hides the statements of other roles from this one'
    const hint = 'GRANT pg_read_all_stats to the role of --from, or search the code'
    found.push({ ...all, verdict: 'not looked', detail, hint })
  }
  if (found.length === 0) {
    const detail =
      'functions and rules of this database and statements in pg_stat_statements do not depend on the key; rare statements may be missing there'
    found.push({ ...all, verdict: 'fine', detail })
  }
  return found
}

/** Finding about a statement, function or rule that depends, or may depend, on one of the keys; otherwise null. */
function userOf(
  { object, text }: Source,
  ways: readonly InsertTarget[],
  narrow: readonly Narrow[],
  { column }: About,
): PlanFinding | null {
  const mentions = ways.some(({ name }) => text.toLowerCase().includes(name.replaceAll('"', '""').toLowerCase()))
  if (!mentions) return null
  const one = { about: 'ON CONFLICT', object }
  const clauses = conflictClauses(text)
  const why = clauses.map((clause) => (isInto(clause, ways) ? clauseChange(clause, narrow, column) : null))
  const detail = why.find((reason) => reason !== null)
  if (detail !== undefined && detail !== null) {
    const hint = `name the columns of the wider key, including ${column}; it then finds a row only if that value is equal, too`
    return { ...one, verdict: 'refused', detail, hint }
  }
  if (clauses.every(({ into }) => into !== null)) return null
  const pieces = 'it builds a statement with ON CONFLICT, and its table is unknown'
  return { ...one, verdict: 'not looked', detail: pieces, hint: 'check it by hand' }
}

function isInto({ into }: ConflictClause, ways: readonly InsertTarget[]): boolean {
  const [schema, name] = into === null ? [] : into.length === 1 ? [undefined, into[0]] : into.slice(-2)
  return ways.some((way) => way.name === name && (schema === undefined || way.schema === schema))
}

/** Describes what changes for the clause when the column is added to the keys; null if nothing changes. */
function clauseChange(
  { target, columns: given }: ConflictClause,
  narrow: readonly Narrow[],
  column: string,
): string | null {
  const wider = `finds a row only if ${column} is equal, too: rows that it skips or changes today would be inserted a second time`
  if (target === null) {
    // A key with a column that the statement does not name is left out: the database fills this column.
    const reached = narrow.some(({ columns }) =>
      columns.every((key) => key === null || given === null || given.includes(key)),
    )
    return reached ? `it does not name a key, and ${wider}` : null
  }
  if ('constraint' in target) {
    return narrow.some(({ name }) => name === target.constraint)
      ? `it names the key by its constraint, and ${wider}`
      : null
  }
  return target.columns.includes(column)
    ? null
    : `the server will refuse it: after ${column} is added to the key, no unique index matches its columns`
}

/** Statements with ON CONFLICT from the server's statistics; a text with the reason if these cannot be read. */
async function recorded({ session }: About): Promise<readonly string[] | string> {
  const [row] = await session.ask(
    `SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements'`,
  )
  if (row === undefined) return 'the extension pg_stat_statements is not in this database'
  // Statements that create functions and rules are left out: the texts of these objects are read from the catalogs.
  const making = String.raw`^\s*create\s+(or\s+replace\s+)?(function|procedure|rule)\M`
  const found = await session.attempt(
    () =>
      session.texts(
        `SELECT DISTINCT query FROM ${row[0]}.pg_stat_statements
         WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           AND (query = ${literal(HIDDEN)} OR query ~* 'conflict' AND query !~* ${literal(making)}) ORDER BY 1`,
      ),
    // The library is not loaded, or the role may not read it.
    (error) => sqlStateOf(error) === '55000' || isDenied(error),
  )
  return 'refused' in found ? `pg_stat_statements cannot be read: ${found.refused.message}` : found.result
}

/** The table, and views through which the server inserts into it. */
function insertTargetsSql({ oid }: About): string {
  return `
    WITH RECURSIVE way (oid) AS (
      SELECT ${oid}::oid UNION SELECT v.oid FROM way
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = way.oid
        JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind = 'v')
    SELECT pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname)
    FROM way JOIN pg_catalog.pg_class c ON c.oid = way.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`
}

/** SQL of function bodies and rules: the server counts their statements only with `pg_stat_statements.track = all`. */
const BODIES = `
  SELECT pg_catalog.json_build_object('object', object, 'text', text) FROM (
    SELECT p.oid::pg_catalog.regprocedure::text, CASE p.prosrc WHEN '' THEN pg_catalog.pg_get_functiondef(p.oid) ELSE p.prosrc END
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.prokind IN ('f', 'p') AND l.lanname NOT IN ('internal', 'c') AND p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace::oid
    UNION ALL SELECT r.rulename::text || ' on ' || r.ev_class::pg_catalog.regclass::text, pg_catalog.pg_get_ruledef(r.oid)
    FROM pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN' AND r.ev_class >= 16384::oid
  ) AS bodies (object, text) WHERE text ~* 'conflict' ORDER BY object`

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}
