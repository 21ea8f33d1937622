import { sqlLiteral } from '../../shared/sql-text.ts'
import type { MysqlSession } from './session.ts'

/** The account of the session, as GRANT accepts it. */
export async function loginOf(session: MysqlSession): Promise<string> {
  const [[user] = []] = await session.rows('SELECT CURRENT_USER()')
  const [, name = '', host = '%'] = /^(.*)@([^@]*)$/s.exec(String(user)) ?? []
  return `${sqlLiteral(name)}@${sqlLiteral(host)}`
}
