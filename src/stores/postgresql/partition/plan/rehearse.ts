/** Runs the statements of a new table in its future database, and rolls them back. */
import type { NewTableLine, NewTableStatements, TrialResult } from '../../../../model/partition/plan-port.ts'
import { quoteName } from '../../server/connect.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** Lock timeout, ms: a foreign key blocks writers of the referenced table until the rollback. */
const LOCK_WAIT_MS = 300

/** Message of a statement about an object that an earlier statement could not create. */
const AFTERMATH = /^(?:relation|constraint|statistics object) .* does not exist$/

type Refused = TrialResult['refused'][number]

/**
 * Runs the statements and rolls them back.
 * @returns missing types and refused statements
 * @throws errors of the connection
 */
export async function rehearsed(session: CopySession, statements: NewTableStatements): Promise<TrialResult> {
  const { all, late, columns } = statements
  return await session.rolledBack(
    '',
    `SET LOCAL lock_timeout = ${LOCK_WAIT_MS}; SET LOCAL search_path = ''`,
    async () => {
      const missing: string[] = []
      for (const type of new Set(columns.map((column) => column.type)))
        if (await isMissing(session, type)) missing.push(type)
      const [refused, left] = [new Map<string, Refused>(), [] as { statement: string; reason: string }[]]
      const isLate = new Set(late)
      for (const statement of all) {
        const error = await refusalOf(session, statement)
        if (error === null) continue
        if (isLate.has(statement)) {
          // The lock of another session is temporary, so it is not reported.
          if (!isPostgresBusy(error)) left.push({ statement, reason: error.message })
          continue
        }
        const faults = await columnFaults(session, statement, columns, missing)
        for (const one of faults.refused) refused.set(one.reason, one)
        if (missing.length > 0) break
        if (faults.refused.length > 0) {
          if ((await refusalOf(session, faults.without)) === null) continue
          break
        }
        if (refused.size === 0 || !AFTERMATH.test(error.message)) refused.set(error.message, { reason: error.message })
        // Without the table all later statements are refused.
        if (/^CREATE (?:TABLE|SEQUENCE)/.test(statement)) break
      }
      return { missing, refused: [...refused.values()], left: missing.length > 0 ? [] : left }
    },
  )
}

/**
 * @returns the refused columns with the reasons; and the statement in which these columns have only their name and type
 */
async function columnFaults(
  session: CopySession,
  statement: string,
  columns: NewTableStatements['columns'],
  missing: readonly string[],
): Promise<{ readonly refused: readonly Refused[]; readonly without: string }> {
  const plain = ({ name, type }: NewTableLine): string =>
    `${quoteName(name)} ${missing.includes(type) ? 'pg_catalog.text' : type}`
  const bare = (kept: ReadonlySet<NewTableLine>): string =>
    columns.reduce(
      (text, one) => (kept.has(one) ? text : text.replace(`\n  ${one.line}`, () => `\n  ${plain(one)}`)),
      statement,
    )
  const [sound, refused] = [new Set<NewTableLine>(), [] as Refused[]]
  for (const column of columns) {
    const error = missing.includes(column.type) ? null : await probed(session, bare(new Set([column])))
    if (error === null) sound.add(column)
    else refused.push(refusalOfColumn(column, error, session.version))
  }
  return { refused: (await probed(session, bare(new Set()))) === null ? refused : [], without: bare(sound) }
}

function refusalOfColumn({ name, line }: NewTableLine, { message }: Error, version: number): Refused {
  if (version >= 180_000 || !/\) VIRTUAL(?: |$)/.test(line)) return { reason: `column ${name}: ${message}` }
  return {
    reason: `column ${name} is generated as VIRTUAL, which PostgreSQL has since version 18`,
    hint: 'make the new table on a server of version 18, or make the column STORED in the old table first: drop it there, and add it again as STORED',
  }
}

/** As `refusalOf`, but rolls the statement back. */
async function probed(session: CopySession, statement: string): Promise<Error | null> {
  const error = await refusalOf(session, statement)
  if (error === null) await session.ask('ROLLBACK TO SAVEPOINT try')
  return error
}

/**
 * True if the type does not exist. If its schema is missing, or the text is not a type name, the server throws an
 * error.
 */
async function isMissing(session: CopySession, type: string): Promise<boolean> {
  let found: string | null = null
  const error = await refusalOf(session, async () => {
    found = await session.one(`SELECT pg_catalog.to_regtype(${literal(type)})`)
  })
  return error !== null || found === null
}

/** The server's error for a statement; null if it runs. */
async function refusalOf(session: CopySession, statement: string | (() => Promise<void>)): Promise<Error | null> {
  await session.ask('SAVEPOINT try')
  try {
    await (typeof statement === 'string' ? session.ask(statement) : statement())
    return null
  } catch (error) {
    if (!session.alive || isConnectionLoss(error)) throw error
    await session.ask('ROLLBACK TO SAVEPOINT try')
    return error as Error
  }
}
