/** Detects a replica: its triggers do not fire for replicated rows. */
import { mysqlErrorNumber } from '../../error-numbers.ts'
import type { FollowRefusal } from '../../../../model/follow/port.ts'
import type { MysqlSession } from '../../session.ts'

/** Error numbers: no right on the whole server; a statement that the server does not have. */
const [DENIED, UNKNOWN] = [1227, 1064]

/** @returns null if the server is no replica */
export async function replicaFault(session: MysqlSession): Promise<FollowRefusal | null> {
  const [[readOnly] = []] = await session.rows('SELECT @@GLOBAL.read_only')
  if (Number(readOnly) !== 0) {
    return {
      message: 'the server is read_only, as replicas are, so changes cannot be recorded in it',
      hint: 'use the server that receives the writes',
    }
  }
  const sources = await replicating(session)
  if (sources === 0) return null
  return {
    message:
      'the server is a replica of another one, and triggers do not fire for replicated rows: they would not be recorded',
    hint: 'use the server that receives the writes; if this one no longer replicates from it: STOP REPLICA and RESET REPLICA ALL',
  }
}

async function replicating(session: MysqlSession): Promise<number> {
  const isMariadb = session.facts.flavour === 'mariadb'
  try {
    const rows = await session.command(isMariadb ? 'SHOW ALL REPLICAS STATUS' : 'SHOW REPLICA STATUS')
    return rows.length
  } catch (error) {
    const number = mysqlErrorNumber(error)
    // MySQL before 8.0.22 has only the older statement.
    if (number === UNKNOWN && !isMariadb) return (await session.command('SHOW SLAVE STATUS')).length
    if (number !== DENIED) throw error
    // Fallback without the right: the threads that apply replicated changes run under this user.
    const rows = await session.rows("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'system user' AND COMMAND LIKE 'Slave%'") // prettier-ignore
    return rows.length
  }
}
