/** Runs the statements of a new table in its future database, and rolls them back. */
import type { Rehearsal, NewTableStatements } from '../../../../model/partition/plan-port.ts'
import { isPostgresBusy } from '../../server/locks.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** Lock timeout, ms: a foreign key blocks writers of the referenced table until the rollback. */
const LOCK_WAIT_MS = 300

/** @throws errors of the connection */
export async function rehearsed(session: CopySession, { all, late, types }: NewTableStatements): Promise<Rehearsal> {
  await session.begin('', `SET LOCAL lock_timeout = ${LOCK_WAIT_MS}; SET LOCAL search_path = ''`)
  try {
    const missing: string[] = []
    for (const type of new Set(types)) if (await isMissing(session, type)) missing.push(type)
    if (missing.length > 0) return { missing, refused: null, left: [] }
    const left: { readonly statement: string; readonly reason: string }[] = []
    const isLate = new Set(late)
    for (const statement of all) {
      const error = await refusalOf(session, statement)
      if (error === null) continue
      if (!isLate.has(statement)) return { missing, refused: error.message, left }
      // The session that holds a table now will release it later.
      if (!isPostgresBusy(error)) left.push({ statement, reason: error.message })
    }
    return { missing, refused: null, left }
  } finally {
    if (session.alive) await session.rollBack()
  }
}

/** A missing schema, or text that is no type name, is an error of the server. */
async function isMissing(session: CopySession, type: string): Promise<boolean> {
  let found: string | null = null
  const error = await refusalOf(session, async () => {
    const [row] = await session.ask(`SELECT pg_catalog.to_regtype(${literal(type)})`)
    found = row?.[0] ?? null
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
