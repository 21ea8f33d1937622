/** What a server says while a connection is made. The servers of the tests ask for passwords, and so never say that a role is missing. */
import { describe, expect, it } from 'vitest'
import { connectFailed } from '../../src/stores/postgresql/errors.ts'
import { postgresSettings } from '../../src/stores/postgresql/settings.ts'

const settings = postgresSettings('postgresql://nobody@127.0.0.1/db', {})
const said = (code: string, message: string): Error => Object.assign(new Error(message), { code, severity: 'FATAL' })

describe('a connection that fails', () => {
  it.each([
    ['28000', 'role "nobody" does not exist', 'the server has no role of this name', /before the @/],
    ['3D000', 'database "db" does not exist', 'the server has no database of this name', /psql --list/],
    [
      '28P01',
      'password authentication failed for user "nobody"',
      'Network or authentication issues',
      /^Check database URL and credentials$/,
    ],
    [
      '28000',
      'no pg_hba.conf entry for host "127.0.0.1"',
      'Network or authentication issues',
      /^Check database URL and credentials$/,
    ],
  ])('%s %s', (code, message, reason, hint) => {
    const error = connectFailed(said(code, message), settings)
    expect(error).toMatchObject({
      code: 'CONNECT_FAILED',
      message: 'Database connection failed',
      reason,
      retryable: false,
    })
    expect(error.hint).toMatch(hint)
  })
})
