import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { numberPlaceholders } from '../../src/stores/postgresql/server/placeholders.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'

const NOTHING = { HOME: '/nowhere' }

describe('a PostgreSQL URL', () => {
  test('is read in all its parts, percent signs decoded', () => {
    const url =
      'postgresql://the%40user:p%2F%3A%25@db.example.com:6000/a%20b?schema=x%20y&pool_size=7&retry_seconds=0&prepare=off'
    expect(postgresSettings(url, NOTHING).password()).toBe('p/:%')
    expect(postgresSettings(url, NOTHING)).toMatchObject({
      host: 'db.example.com',
      port: 6000,
      user: 'the@user',
      database: 'a b',
      schema: 'x y',
      poolSize: 7,
      retryMs: 0,
      prepare: false,
      applicationName: 'sluice',
    })
    expect(postgresSettings('postgres://u:a/b@c@h/d', NOTHING).password()).toBe('a/b@c')
    expect(postgresSettings('postgres://u:a/b@c@h/d', NOTHING)).toMatchObject({
      host: 'h',
      user: 'u',
    })
    expect(postgresSettings('postgres://[2001:db8::1]:1/d', NOTHING)).toMatchObject({ host: '2001:db8::1', port: 1 })
    expect(postgresSettings('postgres://u@%2Ftmp%2Fs/d', NOTHING)).toMatchObject({ host: '/tmp/s' })
    expect(postgresSettings('postgres:///d?host=/tmp&user=v', NOTHING)).toMatchObject({ host: '/tmp', user: 'v' })
  })

  test('takes missing parts from the environment and the password file', () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'passes')
    writeFileSync(file, '# comment\nother:*:*:*:no\nh:5432:d:a\\:b:s\\\\ecret\n*:*:*:*:any\n')
    const environment = { PGPASSFILE: file, PGHOST: 'h', PGUSER: 'a:b', PGDATABASE: 'd' }
    chmodSync(file, 0o600)
    expect(postgresSettings('postgres://', environment)).toMatchObject({ user: 'a:b' })
    expect(postgresSettings('postgres://', environment).password()).toBe('s\\ecret')
    expect(postgresSettings('postgres://x@/', environment).password()).toBe('any')
    expect(postgresSettings('postgres://x:y@/', environment).password()).toBe('y')
    chmodSync(file, 0o644)
    expect(postgresSettings('postgres://', environment).password()).toBeNull()
  })

  test('takes missing parts from a service, whose values precede the environment', () => {
    using folder = temporaryFolder()
    const [own, system] = [join(folder.path, 'own'), join(folder.path, 'pg_service.conf')]
    writeFileSync(own, '# comment\n[a]\nhost=db\nport=6000\nuser=u\npassword= s#e=c\n[b]\noptions=-csearch_path=x\n')
    writeFileSync(system, '[a]\nhost=not read\n[c]\ndbname=d\nsslmode=disable\n')
    const environment = { PGSERVICEFILE: own, PGSYSCONFDIR: folder.path, PGHOST: 'h', PGPASSWORD: 'p' }
    const a = { host: 'db', port: 6000, user: 'u', database: 'u' }
    expect(postgresSettings('postgres:///?service=a', environment)).toMatchObject(a)
    expect(postgresSettings('postgres://', { ...environment, PGSERVICE: 'a' })).toMatchObject(a)
    expect(postgresSettings('postgres:///?service=a', environment).password()).toBe('s#e=c')
    expect(postgresSettings('postgres://x:y@z:1/w?service=a', environment)).toMatchObject({
      host: 'z',
      port: 1,
      user: 'x',
      database: 'w',
    })
    expect(postgresSettings('postgres://x:y@z/?service=a', environment).password()).toBe('y')
    expect(postgresSettings('postgres:///?service=c', environment)).toMatchObject({ host: 'h', database: 'd' })
    expect(postgresSettings('postgres://far/?service=c', environment).tls.mode).toBe('disable')
    expect(sluiceErrorOf(() => postgresSettings('postgres:///?service=b', environment)).message).toContain('options')
    expect(sluiceErrorOf(() => postgresSettings('postgres:///?service=no', environment)).message).toContain(own)
  })

  test.each([
    ['postgres://h/d?shema=x', 'unknown parameter: shema'],
    ['postgres://h/d?sslmode=on', 'sslmode=on'],
    ['postgres://h/d?pool_size=0', 'pool_size=0'],
    ['postgres://h/d?retry_seconds=soon', 'retry_seconds=soon'],
    ['postgres://h/d?sslrootcert=/not/there.pem', 'sslrootcert'],
    ['postgres://h/d?prepare=maybe', 'prepare=maybe'],
    ['postgres://a,b/d', 'one host'],
    ['postgres://h:0/d', 'port'],
    ['postgres://u:%zz@h/d', '%'],
    ['mysql://h/d', 'not a PostgreSQL URL'],
  ])('%s is refused, and the error names the parameter', (url, word) => {
    const error = sluiceErrorOf(() => postgresSettings(url, NOTHING))
    expect(error.code).toBe('BAD_CONFIG')
    expect(error.message).toContain(word)
  })

  test('verifies the certificate of a remote server, and not on this machine', () => {
    const mode = (host: string): string => postgresSettings(`postgres://${host}/d`, NOTHING).tls.mode
    expect(['db.example.com', '10.0.0.1', '127.evil.com'].map(mode)).toEqual(Array(3).fill('verify-full'))
    expect(['localhost', '127.0.0.1', '127.9.9.9', '[::1]'].map(mode)).toEqual(Array(4).fill('prefer'))
    expect(mode('%2Ftmp')).toBe('disable')
  })
})

test.each([
  ['a = ? AND b = ?', 'a = $1 AND b = $2'],
  ["'?' || ? || 'it''s ?'", "'?' || $1 || 'it''s ?'"],
  ["E'\\'?' || ?", "E'\\'?' || $1"],
  ["name'?' = ?", "name'?' = $1"],
  ['"a?""?" = ?', '"a?""?" = $1'],
  ['? -- ?\n, ?', '$1 -- ?\n, $2'],
  ['/* ? /* ? */ ? */ ?', '/* ? /* ? */ ? */ $1'],
  ['$$ ? $$ || ? || $a$ $$ ? $a$ || ?', '$$ ? $$ || $1 || $a$ $$ ? $a$ || $2'],
  ['a$1$ ? a$1$ ?', 'a$1$ $1 a$1$ $2'],
  ['1 - ? / ?', '1 - $1 / $2'],
  ["'never ended ?", "'never ended $1"],
])('%s becomes %s', (sql, text) => {
  expect(numberPlaceholders(sql)).toEqual({ text, count: text.split(/\$\d(?!\$)/).length - 1 })
})
