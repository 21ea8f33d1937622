import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import type { Range } from '../../src/model/copy/range.ts'
import type { RemoveRequest, StepEnd } from '../../src/model/archive/port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import { asThemselves, psql, request, SIGNAL, tableNamed, type Psql } from './copy-postgresql-kit.ts'
import { archivedColumns, closingFor, ledgerStatus, reopenLedger } from './postgresql-archive-kit.ts'

const FIRST: Range = { by: 'key', after: null, through: ['100'] }

describe.skipIf(!POSTGRES_AVAILABLE)(`rows that are removed from PostgreSQL ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql
  let table: TableSpec

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('rows')
    direct = await psql(server.url('rows'))
    other = await psql(`${server.url('rows')}?application_name=nightly%20report`)
    store = await openPostgresCopy(server.url('rows'))
  })

  beforeEach(async () => {
    await other.run('ROLLBACK')
    await direct.run(`DROP TABLE IF EXISTS refers, plain; CREATE TABLE plain (id int PRIMARY KEY, note text, raw bytea, js jsonb, made int GENERATED ALWAYS AS (id) STORED);
      INSERT INTO plain SELECT i, E'note "' || i || E'",\\n', decode(md5(i::text), 'hex'), to_jsonb(i) FROM generate_series(1, 300) i`)
    await reopenLedger(direct)
    table = await tableNamed(store, 'plain')
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  async function asked(more: Partial<RemoveRequest> = {}, columns = archivedColumns(table)): Promise<RemoveRequest> {
    const { range = FIRST, where = null } = more
    await using view = await store.source(SIGNAL)
    const digest = await view.digest({ ...request(table, { columns }), range, where }, SIGNAL)
    return { table, columns, range, where, expect: digest, closing: closingFor(), signal: SIGNAL, ...more }
  }

  async function remove(what: RemoveRequest): Promise<StepEnd> {
    const end = await store.target().remove?.(what)
    if (end === undefined) throw new Error('nothing can be removed')
    return end
  }

  async function left(): Promise<readonly [number, unknown]> {
    return [Number((await direct.rows('SELECT count(*) FROM plain'))[0]?.[0]), await ledgerStatus(direct)]
  }

  test.each(['by a sum of the server', 'by reading what is deleted'])('a range is removed, proved %s', async (how) => {
    // The canonical form of JSON needs the program.
    const columns = how.includes('server')
      ? archivedColumns(table).map((column) =>
          column.name === 'js' ? { ...column, as: { kind: 'native', name: 'jsonb' } as const } : column,
        )
      : asThemselves(table)
    const what = await asked({ where: 'id % 10 <> 3' }, columns)
    expect(what.expect.rows).toBe(90n)
    expect(await remove({ ...what, expect: { ...what.expect, sum: '0000000000000000' } })).toBe('differs')
    expect(await remove({ ...what, where: 'id % 10 <> 4' })).toBe('differs')
    expect(await left()).toEqual([300, 'open'])
    expect(await remove(what)).toBe('done')
    expect(await left()).toEqual([210, 'closed'])
    expect(await direct.rows('SELECT id FROM plain ORDER BY id LIMIT 2 OFFSET 9')).toEqual([['93'], ['101']])
    await reopenLedger(direct)
    expect(await remove(what)).toBe('differs')
  })

  test('changed, deleted and inserted rows, and new columns, keep all of them', async () => {
    const what = await asked()
    for (const [change, back] of [
      ["UPDATE plain SET note = 'x' WHERE id = 50", 'UPDATE plain SET note = E\'note "50",\\n\' WHERE id = 50'],
      ['INSERT INTO plain (id) VALUES (-1)', 'DELETE FROM plain WHERE id = -1'],
      ['UPDATE plain SET id = 1000 WHERE id = 50', 'UPDATE plain SET id = 50 WHERE id = 1000'],
      ['ALTER TABLE plain ADD later text', 'ALTER TABLE plain DROP later'],
      ['ALTER TABLE plain RENAME note TO said', 'ALTER TABLE plain RENAME said TO note'],
    ] as const) {
      await direct.run(change)
      expect(await remove(what)).toBe('differs')
      await direct.run(back)
    }
    expect(await left()).toEqual([300, 'open'])
    expect(await remove(what)).toBe('done')
    expect(await left()).toEqual([200, 'closed'])
  })

  test('a writer with a lock on a row is waited for, and its change is not removed', async () => {
    const what = await asked()
    await other.run("BEGIN; UPDATE plain SET note = 'late' WHERE id = 7")
    const removed = remove(what)
    setTimeout(() => void other.run('COMMIT'), 200)
    expect(await removed).toBe('differs')
    await other.run("BEGIN; UPDATE plain SET note = 'later' WHERE id = 7")
    await expect(remove(what)).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      reason: expect.stringContaining('nightly report'),
    })
    await other.run('ROLLBACK')
    expect(await left()).toEqual([300, 'open'])
  })

  test('another table of that name, and a missing one, are distinguished from the archived one', async () => {
    const what = await asked()
    await direct.run(
      'ALTER TABLE plain RENAME TO was; CREATE TABLE plain (LIKE was INCLUDING ALL); INSERT INTO plain SELECT id, note, raw, js FROM was',
    )
    expect(await remove(what)).toBe('gone')
    await direct.run('DROP TABLE plain')
    expect(await remove(what)).toBe('gone')
    await direct.run('ALTER TABLE was RENAME TO plain')
    expect(await remove({ ...what, closing: closingFor(6) })).toBe('fenced')
    const late = { ...closingFor(6), guard: { sql: 'SELECT 1', parameters: [] } }
    expect(await remove({ ...what, closing: late })).toBe('fenced')
    expect(await left()).toEqual([300, 'open'])
    expect(await remove(what)).toBe('done')
  })

  test('they stay if rows of other tables would be deleted with them', async () => {
    const what = await asked()
    await direct.run('CREATE TABLE refers (id int REFERENCES plain ON DELETE CASCADE); INSERT INTO refers VALUES (5)')
    await expect(remove(what)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      message: expect.stringContaining('refers'),
    })
    await direct.run(
      'DROP TABLE refers; CREATE TABLE refers (id int REFERENCES plain DEFERRABLE INITIALLY DEFERRED); INSERT INTO refers VALUES (5)',
    )
    await expect(remove(what)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      hint: expect.stringContaining('refer to these'),
    })
    expect(await left()).toEqual([300, 'open'])
  })
})
