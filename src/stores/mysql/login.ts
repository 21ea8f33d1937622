/** The login of a session: what statements that give it a right call it. */
import { literal } from '../../shared/sql-text.ts'
import type { Session } from './session.ts'

/** The account that the server has found for the session, as GRANT takes it. */
export async function loginOf(session: Session): Promise<string> {
  const [[user] = []] = await session.rows('SELECT CURRENT_USER()')
  const [, name = '', host = '%'] = /^(.*)@([^@]*)$/s.exec(String(user)) ?? []
  return `${literal(name)}@${literal(host)}`
}
