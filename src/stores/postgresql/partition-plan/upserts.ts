/** Statements with ON CONFLICT on keys that become wider, from the statistics of the server where it keeps them and lets them be read. */
import type { PlanFinding } from '../../partition-plan-port.ts'
import { sqlStateOf } from '../errors.ts'
import { literal } from '../copy/sql.ts'
import type { About } from './about.ts'

/** A key without the column: its name, and its columns; null for an expression. */
type Narrow = { readonly name: string; readonly columns: readonly (string | null)[] }

const SHOWN = 160
const MOST = 5
/** Where others' statements stand that this role may not read. */
const HIDDEN = '<insufficient privilege>'

export async function conflictUsers(about: About, narrow: readonly Narrow[]): Promise<readonly PlanFinding[]> {
  if (narrow.length === 0) return []
  const statements = await recorded(about)
  const one = { about: 'ON CONFLICT', object: narrow.map(({ name }) => name).join(', ') }
  const look = 'look for ON CONFLICT and its columns in the code that writes the table'
  if (typeof statements === 'string') return [{ ...one, verdict: 'not looked', detail: statements, hint: look }]
  const users = statements.filter((text) => text !== HIDDEN && narrow.some((unique) => namesColumns(text, unique)))
  const found: PlanFinding[] = users.slice(0, MOST).map((text) => ({
    verdict: 'refused',
    about: 'ON CONFLICT',
    object: cut(text),
    detail: 'the server refuses it once the key has the column in it: no unique index fits it any more',
    hint: `name the columns of the wider key, ${about.column} with them; it then finds a row only where that is the same, too`,
  }))
  for (const text of statements
    .filter((each) => narrow.some((unique) => namesConstraint(each, unique)))
    .slice(0, MOST)) {
    const detail = `it names the key by its constraint: it then finds a row only where ${about.column} is the same, too`
    const hint = 'give the constraint of the new table the old name once the old table is gone'
    found.push({ verdict: 'changes', about: 'ON CONFLICT', object: cut(text), detail, hint })
  }
  if (users.length > MOST) {
    found.push({ ...one, verdict: 'refused', detail: `and ${users.length - MOST} more statements of that kind` })
  }
  if (statements.includes(HIDDEN)) {
    const detail = 'pg_stat_statements hides the statements of other roles from this one'
    found.push({
      ...one,
      verdict: 'not looked',
      detail,
      hint: 'GRANT pg_read_all_stats to the role of --from, or look in the code',
    })
  }
  if (found.length === 0) {
    const detail = 'no statement that pg_stat_statements has kept names the key there; rare ones may be gone from it'
    found.push({ ...one, verdict: 'fine', detail })
  }
  return found
}

/** Statements with ON CONFLICT that name the table; in words, why nobody could look. */
async function recorded({ session, name }: About): Promise<readonly string[] | string> {
  const [row] = await session.ask(
    `SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements'`,
  )
  if (row === undefined) return 'the extension pg_stat_statements is not in this database'
  await session.ask('SAVEPOINT looking')
  try {
    const rows = await session.ask(
      `SELECT DISTINCT query FROM ${row[0]}.pg_stat_statements
       WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
         AND (query = ${literal(HIDDEN)} OR query ~* 'on\\s+conflict' AND (pg_catalog.strpos(lower(query), lower(${literal(name)})) > 0
           OR pg_catalog.strpos(query, ${literal(name.replaceAll('"', '""'))}) > 0))`,
    )
    await session.ask('RELEASE SAVEPOINT looking')
    return rows.map(([text]) => text ?? '')
  } catch (error) {
    // The library is not loaded, or the role may not read it.
    if (!session.alive || !['55000', '42501'].includes(sqlStateOf(error) ?? '')) throw error
    await session.ask('ROLLBACK TO SAVEPOINT looking; RELEASE SAVEPOINT looking')
    return `pg_stat_statements cannot be read: ${(error as Error).message}`
  }
}

/** Whether a statement names the columns of a key, in any order. */
function namesColumns(text: string, { columns }: Narrow): boolean {
  const list = /\bon\s+conflict\s*\(([^()]*)\)/i.exec(text)?.[1]
  if (list === undefined) return false
  const named = list.split(',').map((part) => plain(part.trim().split(/\s+/)[0] ?? ''))
  return named.length === columns.length && named.every((one) => columns.includes(one))
}

function namesConstraint(text: string, { name }: Narrow): boolean {
  const by = /\bon\s+conflict\s+on\s+constraint\s+("(?:[^"]|"")+"|[\w$]+)/i.exec(text)?.[1]
  return by !== undefined && plain(by) === name
}

function plain(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}
