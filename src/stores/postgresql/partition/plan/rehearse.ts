/** Statements of a new table, tried in the database that it is going to be in, and taken back. */
import type { Rehearsal, TwinStatements } from '../../../../model/partition/plan-port.ts'
import { isBusy } from '../../server/locks.ts'
import { isConnectionLoss } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

/** A foreign key keeps writers out of the table that it refers to until all is taken back. */
const LOCK_WAIT_MS = 300

/** @throws what the server says of the connection */
export async function rehearsed(session: CopySession, { all, late, types }: TwinStatements): Promise<Rehearsal> {
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
      // Who holds a table now lets go of it some day.
      if (!isBusy(error)) left.push({ statement, reason: error.message })
    }
    return { missing, refused: null, left }
  } finally {
    if (session.alive) await session.rollBack()
  }
}

/** A schema that is not there, or what is no type at all, is an error of the server. */
async function isMissing(session: CopySession, type: string): Promise<boolean> {
  let found: string | null = null
  const error = await refusalOf(session, async () => {
    const [row] = await session.ask(`SELECT pg_catalog.to_regtype(${literal(type)})`)
    found = row?.[0] ?? null
  })
  return error !== null || found === null
}

/** What the server says of a statement; null where it runs. */
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
