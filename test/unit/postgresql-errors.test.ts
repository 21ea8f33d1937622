/** Errors while a connection is opened. The test servers require passwords, so they never report a missing role. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isTransient, postgresConnectFailed, postgresError } from '../../src/stores/postgresql/server/server-errors.ts'
import { isPostgresBusy } from '../../src/stores/postgresql/server/locks.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

const settings = postgresSettings('postgresql://nobody@127.0.0.1/db', { HOME: '/nonexistent' })
const said = (code: string, message: string): Error => Object.assign(new Error(message), { code, severity: 'FATAL' })

describe('an internal error', () => {
  it.each([
    ['XX001', 'invalid page in block 3 of relation base/5/16384', 'TARGET_CORRUPT', false],
    ['XX002', 'index "i" contains unexpected zero page at block 3', 'TARGET_CORRUPT', false],
    ['XX000', 'tuple concurrently updated', 'TARGET_BUSY', true],
    ['XX000', 'tuple concurrently deleted', 'TARGET_BUSY', true],
    ['XX000', 'cache lookup failed for relation 16384', 'TARGET_IO', false],
  ])('%s %s', (code, message, expected, isRetried) => {
    const thrown = Object.assign(new Error(message), { code, severity: 'ERROR' })
    const error = postgresError(thrown, settings)
    expect(error).toMatchObject({ code: expected, retryable: isRetried })
    expect((error as SluiceError).where).toContain(message)
    expect(isTransient(thrown)).toBe(isRetried)
    expect(isPostgresBusy(thrown)).toBe(isRetried)
  })
})

describe('a connection that fails', () => {
  it.each([
    ['28000', 'role "nobody" does not exist', 'the server has no role of this name', /before the @/],
    ['3D000', 'database "db" does not exist', 'the server has no database of this name', /psql --list/],
    [
      '42501',
      'permission denied for database "db"',
      'nobody may not connect to this database',
      /^as the owner of the database or a superuser: GRANT CONNECT ON DATABASE "db" TO "nobody"$/,
    ],
    [
      '28P01',
      'password authentication failed for user "nobody"',
      'the server asks for the password of nobody, and none was given (Network or authentication issues)',
      /^Check database URL and credentials: set PGPASSWORD, or write 127\.0\.0\.1:5432:db:nobody:PASSWORD into ~\/\.pgpass/,
    ],
    [
      '28000',
      'no pg_hba.conf entry for host "127.0.0.1", user "nobody", database "db", no encryption',
      'the server refuses nobody from this machine (Network or authentication issues)',
      /^Check database URL and credentials: write sslmode=require/,
    ],
    ['28000', 'something new', 'Network or authentication issues', /^Check database URL and credentials$/],
  ])('%s %s', (code, message, reason, hint) => {
    const error = postgresConnectFailed(said(code, message), settings)
    expect(error).toMatchObject({
      code: 'CONNECT_FAILED',
      message: 'Database connection failed',
      reason,
      retryable: false,
    })
    expect(error.hint).toMatch(hint)
  })

  const system = (code: string, message: string): Error => Object.assign(new Error(message), { code })

  it.each([
    [system('ECONNREFUSED', 'connect ECONNREFUSED'), 'nothing listens at 127.0.0.1:5432'],
    [system('ENOTFOUND', 'getaddrinfo ENOTFOUND'), 'the host name cannot be resolved: 127.0.0.1'],
    [system('EHOSTUNREACH', 'connect EHOSTUNREACH'), 'there is no route to 127.0.0.1:5432'],
    [new Error('timeout expired'), '127.0.0.1:5432 did not answer within 10 s'],
    [new Error('timeout exceeded when trying to connect'), '127.0.0.1:5432 did not answer within 10 s'],
    [new Error('Connection terminated unexpectedly'), '127.0.0.1:5432 ended the connection before it was ready'],
    [
      new AggregateError([system('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')]),
      'nothing listens at 127.0.0.1:5432',
    ],
  ])('%s', (thrown, reason) => {
    expect(postgresConnectFailed(thrown, settings).reason).toBe(`${reason} (Network or authentication issues)`)
  })

  it('names a password file that is ignored because other users may read it', () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'pgpass')
    writeFileSync(file, '*:*:*:*:word\n', { mode: 0o644 })
    const open = postgresSettings('postgresql://nobody@127.0.0.1/db', { PGPASSFILE: file })
    const asked = said('28P01', 'password authentication failed for user "nobody"')
    expect(postgresConnectFailed(asked, open).hint).toContain(`chmod 600 ${file}`)
    chmodSync(file, 0o600)
    const closed = postgresSettings('postgresql://nobody@127.0.0.1/db', { PGPASSFILE: file })
    expect(postgresConnectFailed(asked, closed).reason).toMatch(/^the server refuses the password of nobody/)
  })
})
