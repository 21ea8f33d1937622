/**
 * Rows of a COPY in one message with other statements: whichever part is refused, the session continues, and reports
 * the cause.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { makePlace, missing } from '../support/copy-systems.ts'

const absent = await missing('postgresql')
const PIECE = Buffer.from('1\n2\n'.repeat(16_384))

describe.skipIf(absent !== '')(`COPY among other statements ${absent}`, () => {
  let session: CopySession

  beforeAll(async () => {
    const place = await makePlace('postgresql', '')
    await place.sql('CREATE TABLE numbers (n int)', 'CREATE TABLE sums (s bigint)')
    session = await CopySession.open(postgresSettings(place.url), 'write')
  })
  afterAll(() => session.close())

  function* pieces(many: number): Generator<Buffer> {
    for (let i = 0; i < many; i++) yield PIECE
  }

  test('statements before and after it run, in order', async () => {
    const sum = 'INSERT INTO sums SELECT sum(n) FROM numbers'
    expect(await session.copyAmong(['TRUNCATE numbers', 'COPY numbers FROM STDIN', sum], pieces(3))).toBe(98_304n)
    expect(await session.ask('SELECT s FROM sums')).toEqual([['147456']])
  })

  test.each([
    [
      'a statement before it',
      ['DELETE FROM numbers WHERE n = 1 / 0', 'COPY numbers FROM STDIN', 'SAVEPOINT a'],
      '22012',
    ],
    ['the COPY', ['SAVEPOINT a', 'COPY nowhere FROM STDIN', 'SAVEPOINT a'], '42P01'],
    ['a row', ['SAVEPOINT a', 'COPY numbers (n) FROM STDIN WHERE n / 0 > 1', 'SAVEPOINT a'], '22012'],
    [
      'a statement behind it',
      ['SAVEPOINT a', 'COPY numbers FROM STDIN', 'DELETE FROM numbers WHERE n = 1 / 0'],
      '22012',
    ],
  ])('%s is refused, whatever is still being sent', async (_, statements, code) => {
    for (const many of [0, 1, 300]) {
      const refused = { 'a row': many === 0 }[_] === true ? null : code
      await session.ask('BEGIN')
      const ended = session.copyAmong(statements, pieces(many))
      if (refused === null) await ended
      else await expect(ended).rejects.toMatchObject({ code: refused })
      await session.rollBack()
      expect(await session.ask('SELECT count(*) FROM numbers')).toEqual([['98304']])
    }
  })

  test('rows that end with an error of the program are discarded', async () => {
    function* broken(): Generator<Buffer> {
      yield PIECE
      throw new Error('no more')
    }
    await session.ask('BEGIN')
    await expect(session.copyAmong(['SAVEPOINT a', 'COPY numbers FROM STDIN', 'SAVEPOINT b'], broken())).rejects.toThrow('no more') // prettier-ignore
    await session.rollBack()
    expect(await session.ask('SELECT count(*) FROM numbers')).toEqual([['98304']])
  })
})
