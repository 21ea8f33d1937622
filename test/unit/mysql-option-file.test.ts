import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mysqlConfig } from '../../src/stores/mysql/config.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

test.each([
  ['user = u\npassword = secret # of u', 'u', 'secret'],
  ['user=u\npassword="a # b\\\\ \\s\\t"', 'u', 'a # b\\  \t'],
  ["user='u'\npassword=''", 'u', ''],
  ['password=for any user', 'me', 'for any user'],
  ['host=h\nuser=u\npassword=p', 'u', 'p'],
  ['host=other\nuser=u\npassword=p', 'me', ''],
  ['user=u\n[mysqld]\npassword=p', 'u', ''],
])('an option file with %j', (client, user, password) => {
  using folder = temporaryFolder()
  const file = join(folder.path, '.my.cnf')
  writeFileSync(file, `[mysql]\nuser=no\n; comment\n[client]\n${client}\n`)
  const env = { HOME: folder.path, USER: 'me' }
  chmodSync(file, 0o600)
  const config = mysqlConfig('mysql://h/d', env)
  expect([config.user, config.password()]).toEqual([user, password])
  expect(mysqlConfig('mysql://x:y@h/d', env).password()).toBe('y')
  expect(mysqlConfig(`mysql://${user}@h/d`, { ...env, MYSQL_PWD: 'w' }).password()).toBe('w')
  chmodSync(file, 0o640)
  expect(mysqlConfig('mysql://h/d', env).user).toBe('me')
  expect(mysqlConfig(`mysql://${user}@h/d`, env).password()).toBe('')
})

test('the password of the file is used only for the user that the file names', () => {
  using folder = temporaryFolder()
  writeFileSync(join(folder.path, '.my.cnf'), '[client]\nuser=u\npassword=p\n', { mode: 0o600 })
  expect(mysqlConfig('mysql://other@h/d', { HOME: folder.path }).password()).toBe('')
})
