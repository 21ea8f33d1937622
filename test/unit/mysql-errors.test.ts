/** Errors for which the driver has no code. */
import { expect, test } from 'vitest'
import { mysqlFailure, isConnectionGone } from '../../src/stores/mysql/error-numbers.ts'
import { mysqlError } from '../../src/stores/mysql/errors.ts'

test('a command on a connection that was just closed is CONNECTION_LOST', () => {
  const thrown = Object.assign(new Error("Can't add new command when connection is in closed state"), { fatal: true })
  const failure = mysqlFailure(thrown)
  expect(failure !== null && isConnectionGone(failure)).toBe(true)
  expect(mysqlError(thrown, 'mysql://db')).toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
  expect(mysqlFailure(new Error('a mistake of ours'))).toBeNull()
})
