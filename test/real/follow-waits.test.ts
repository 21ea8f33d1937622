/** A run that follows waits for its source: it does not poll for changes that cannot be there yet. */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { PacedStream } from '../../src/engine/follow/stream/paced-stream.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const MANY = `CREATE PROCEDURE many(transactions int) LANGUAGE plpgsql AS $$ BEGIN
  FOR n IN 1 .. transactions LOOP
    INSERT INTO t VALUES (n, repeat('x', 300)); INSERT INTO other VALUES (n); UPDATE t SET v = 'y' WHERE id = n; COMMIT;
  END LOOP; END $$`

let server: PostgresServer
let stage: Stage

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  server = await startFollowServer()
  const tables = ['CREATE TABLE t (id int PRIMARY KEY, v text)', 'CREATE TABLE other (id int PRIMARY KEY)']
  stage = await stageOf(server, [...tables, MANY], ['t', 'other'])
  await caughtUp(stage)
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

describe.skipIf(!POSTGRES_OWN)(`a run that follows ${POSTGRES_MISSING}`, () => {
  test.each([1, 2])('with %i lanes never has two requests for changes open at once', async (lanes) => {
    const real = PacedStream.prototype.next
    const asked = { waits: 0, again: 0 }
    let wasAtOnce = false
    const spy = vi.spyOn(PacedStream.prototype, 'next').mockImplementation(async function (this: PacedStream, waitMs) {
      const changes = await real.call(this, waitMs)
      const isAtOnce = changes.length === 0 && waitMs === 0
      if (isAtOnce && wasAtOnce) asked.again++
      if (changes.length === 0) asked.waits++
      wasAtOnce = isAtOnce
      return changes
    })
    try {
      const interrupt = new Interrupter()
      const running = perform({ ...stage.copy, follow: { lanes } }, { interrupt })
      const rows = async (): Promise<string> => (await stage.target.rows('SELECT count(*) FROM other'))[0]?.[0] ?? ''
      await stage.source.sql('CALL many(2000)')
      while ((await rows()) !== '2000') await new Promise((resolve) => setTimeout(resolve, 20))
      interrupt.requestStop()
      await running
    } finally {
      spy.mockRestore()
    }
    expect(asked.waits).toBeGreaterThan(0)
    expect(asked.again).toBe(0)
    await caughtUp(stage)
    await expectEqual(stage)
    await stage.source.sql('TRUNCATE t, other')
    await caughtUp(stage)
  })

  test('a small transaction is applied before the end of a large one behind it', async () => {
    const { source, target } = stage
    await target.sql(
      'CREATE TABLE seen (name text, xact xid8)',
      'CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME, pg_current_xact_id()); RETURN NULL; END $$',
      ...['t', 'other'].flatMap((name) => [
        `CREATE TRIGGER see AFTER INSERT ON ${name} EXECUTE FUNCTION see()`,
        `ALTER TABLE ${name} ENABLE ALWAYS TRIGGER see`,
      ]),
    )
    const large = new pg.Client(source.url)
    await large.connect()
    await large.query("BEGIN; INSERT INTO t SELECT i, 'x' FROM generate_series(1, 30000) AS i")
    await source.sql('INSERT INTO other VALUES (1)')
    await large.query('COMMIT')
    await large.end()
    await caughtUp(stage)
    const xacts = 'SELECT name, count(DISTINCT xact) FROM seen GROUP BY name ORDER BY name'
    expect(await target.rows(xacts)).toEqual([
      ['other', '1'],
      ['t', '1'],
    ])
    expect(await target.rows('SELECT count(DISTINCT xact) FROM seen')).toEqual([['2']])
    await expectEqual(stage)
  })
})
