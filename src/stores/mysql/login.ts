import { literal } from '../../shared/sql-text.ts'
import type { Session } from './session.ts'

/** The account of the session, as GRANT accepts it. */
export async function loginOf(session: Session): Promise<string> {
  const [[user] = []] = await session.rows('SELECT CURRENT_USER()')
  const [, name = '', host = '%'] = /^(.*)@([^@]*)$/s.exec(String(user)) ?? []
  return `${literal(name)}@${literal(host)}`
}
