/**
 * Behaviour of a copy with existing rows, changed plans, refused rows, stops, pauses, and changed numbers of workers.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { taskEnd } from '../../src/app/share/task-end.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
let source: Place
let target: Place

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-does-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

beforeEach(async () => {
  source = await makePlace('sqlite', folder)
  target = await makePlace('sqlite', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO t VALUES ${rows(1, 300)}`,
  )
})

function rows(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, i) => `(${from + i}, 'row ${from + i}', ${(from + i) * 10})`).join(
    ', ',
  )
}

function of<T extends EventBody['type']>(events: readonly Event[], type: T): readonly Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type)
}

const copy = (more: Parameters<typeof copyOf>[3] = {}) => copyOf(source, target, 't', { chunkRows: 100, ...more })
const all = (place: Place) => place.rows('SELECT * FROM t ORDER BY id')

test('existing rows make the copy fail, and stay unchanged', async () => {
  await target.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    "INSERT INTO t VALUES (150, 'mine', 0)",
  )
  const refused = await perform(copy())
  expect(refused.finished).toMatchObject({ exitCode: 1, error: { code: 'CHUNKS_FAILED' } })
  expect(of(refused.events, 'chunk.failed')).toMatchObject([{ error: { code: 'TARGET_NOT_EMPTY' } }])
  expect(await target.rows('SELECT name FROM t WHERE id = 150')).toEqual([['mine']])
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['201']])
})

describe('D1, in the middle of a chunk', async () => {
  const why = await missing('d1')

  /** A copy whose only chunk is unfinished: two of its three rows are stored, and the source has changed one of them. */
  async function begun(
    more: Parameters<typeof copyOf>[3],
    cursor: string | null,
  ): Promise<readonly [Operation, Place]> {
    const [from, to] = [await makePlace('sqlite', folder), await makePlace('d1', folder)]
    await from.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)', 'INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)')
    const operation = copyOf(from, to, 't', more)
    expect((await perform(operation)).finished.exitCode).toBe(0)
    await to.sql(
      `UPDATE migration_checkpoints SET status = 'pending'${cursor === null ? '' : `, cursor_key = '${cursor}'`}`,
    )
    if (cursor !== null) await to.sql('DELETE FROM t WHERE id = 3')
    await from.sql('UPDATE t SET n = 10 WHERE id = 1')
    return [operation, to]
  }

  const CHANGED = [
    ['1', '10'],
    ['2', '2'],
    ['3', '3'],
  ]

  test.skipIf(why !== '')(`a chunk made pending by hand is copied from its beginning${why}`, async () => {
    const [operation, to] = await begun({ onExisting: 'upsert' }, null)
    expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    expect(await all(to)).toEqual(CHANGED)
  })

  test.skipIf(why !== '').each([
    ['upsert', {}, /^run the same command again/],
    ['refuse', { again: true }, /^add --again/],
  ] as const)(
    `rows that changed after they were stored are repaired, with %s${why}`,
    async (onExisting, more, hint) => {
      const [operation, to] = await begun({ onExisting }, '["2"]')
      const failed = of((await perform(operation)).events, 'chunk.failed')
      expect(failed).toMatchObject([
        {
          error: {
            code: 'PROOF_FAILED',
            reason: expect.stringMatching(/^the source changed rows/) as string,
            hint: expect.stringMatching(hint) as string,
          },
        },
      ])
      const { finished } = await perform({ ...operation, ...more })
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      expect(await all(to)).toEqual(CHANGED)
    },
  )
})

test.for(['sqlite', 'd1', 'duckdb', 'mysql', 'postgresql'] as const)(
  'existing rows among keys of text make a copy into %s fail',
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const [from, to] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await from.sql('CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER)', "INSERT INTO t VALUES ('a', 1), ('c', 3)")
    await to.sql('CREATE TABLE t (id VARCHAR(20) PRIMARY KEY, n INTEGER)', "INSERT INTO t VALUES ('b', 7), ('c', 4)")
    const operation = copyOf(from, to, 't')
    const { events, finished } = await perform(operation)
    expect([finished.status, of(events, 'row.aside')]).toEqual(['failed', []])
    const { code, hint } = (of(events, 'chunk.failed')[0] ?? of(events, 'table.finished')[0])?.error ?? {}
    expect([code, hint]).toEqual(['TARGET_NOT_EMPTY', expect.stringContaining('--on-existing upsert')])
    expect(await all(to)).toEqual([
      ['b', '7'],
      ['c', '4'],
    ])
  },
)

test.each([
  ['upsert', [['row 150'], ['extra']]],
  ['replace-range', [['row 150']]],
] as const)('--on-existing %s', async (onExisting, expected) => {
  await target.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    "INSERT INTO t VALUES (150, 'mine', 0), (-5, 'extra', 1)",
  )
  const { finished } = await perform(copy({ onExisting }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(await target.rows('SELECT name FROM t WHERE id IN (150, -5) ORDER BY id DESC')).toEqual(expected)
})

test('replace-range removes all rows of the target, and is refused with a condition', async () => {
  const [from, to] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await from.sql('CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO r VALUES (100, 'x'), (200, 'x')")
  await to.sql(
    'CREATE TABLE r (id INTEGER PRIMARY KEY, v TEXT)',
    "INSERT INTO r VALUES (1, 'y'), (150, 'y'), (999, 'y')",
  )
  const replaced = copyOf(from, to, 'r', { onExisting: 'replace-range' })
  const refused = await perform({ ...replaced, where: 'id < 150' })
  expect(refused.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect(await to.rows('SELECT count(*) FROM r')).toEqual([['3']])
  expect((await perform(replaced)).finished.exitCode).toBe(0)
  expect(await to.rows('SELECT id FROM r ORDER BY id')).toEqual([['100'], ['200']])
})

test('append adds rows; existing ones must have the same values', async () => {
  await target.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    "INSERT INTO t VALUES (-5, 'extra', 1), (7, 'row 7', 70)",
  )
  const added = await perform(copy({ onExisting: 'append' }))
  expect(added.finished).toMatchObject({ exitCode: 0, totals: { read: '300', written: '299', skipped: '1' } })
  expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['301']])
  const other = await makePlace('sqlite', folder)
  await other.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    "INSERT INTO t VALUES (150, 'mine', 0)",
  )
  const taken = await perform(copyOf(source, other, 't', { chunkRows: 100, onExisting: 'append' }))
  expect(taken.finished).toMatchObject({ exitCode: 1, totals: { written: '200' } })
  expect(of(taken.events, 'chunk.failed')).toMatchObject([{ error: { code: 'PROOF_FAILED' } }])
  expect(await other.rows('SELECT name FROM t WHERE id = 150')).toEqual([['mine']])
})

test('a plan with the hash format of a newer sluice is refused by name', async () => {
  await perform(copy())
  await target.sql("UPDATE migration_plans SET plan_hash = '9:' || plan_hash")
  const refused = await perform(copy())
  expect(refused.finished).toMatchObject({
    exitCode: 5,
    error: { code: 'PLAN_CHANGED', reason: 'a newer sluice made that plan' },
  })
  // The same command would be refused again.
  expect(refused.finished.resumeCommand).toBeUndefined()
  await target.sql('UPDATE migration_plans SET plan_hash = substr(plan_hash, 3)')
  const known = await perform(copy())
  expect(known.finished).toMatchObject({ exitCode: 0 })
  expect(of(known.events, 'chunk.done')).toEqual([])
})

test('a changed plan is refused with its differences, and --restart begins again', async () => {
  await perform(copy())
  const changed = await perform(copy({ where: 'id > 5' }))
  expect(changed.finished).toMatchObject({
    exitCode: 5,
    error: { code: 'PLAN_CHANGED', reason: 'where: was nothing, is id > 5' },
  })
  const again = await perform(copy({ restart: true, onExisting: 'upsert' }))
  expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: '300', chunks: '3' } })
  expect(await target.rows('SELECT reason, COUNT(*) FROM migration_chunk_history GROUP BY reason')).toEqual([
    ['restart', '3'],
  ])
})

test('another chunk size, number of workers or rate does not change the plan', async () => {
  await perform(copy())
  const { finished } = await perform(copy({ chunkRows: 7, workers: 3, rate: 1_000_000, batchRows: 2 }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { chunks: '3' } })
})

test('a refused row is quarantined with its cause, all others are proved, and a corrected row is retried', async () => {
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (n <> 1770 AND n <> 2220))')
  const first = await perform(copy())
  expect(first.finished).toMatchObject({
    exitCode: 1,
    error: { code: 'ROWS_ASIDE' },
    totals: { read: '300', written: '298', skipped: '0', quarantined: '2', proved: '3' },
  })
  expect(of(first.events, 'row.aside').map(({ key }) => key)).toEqual([['177'], ['222']])
  expect(await target.rows('SELECT row_key, error_code, message FROM migration_quarantine ORDER BY row_key')).toEqual([
    ['["177"]', 'ROW_REFUSED', expect.stringContaining('CHECK constraint failed')],
    ['["222"]', 'ROW_REFUSED', expect.stringContaining('CHECK constraint failed')],
  ])
  // Quarantined rows stay in the count of the next run.
  expect((await perform(copy())).finished).toMatchObject({ exitCode: 1, totals: { written: '298', quarantined: '2' } })

  await source.sql('UPDATE t SET n = 1 WHERE id = 177', 'DELETE FROM t WHERE id = 222')
  const retried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
  expect(retried.finished).toMatchObject({ exitCode: 0, totals: { written: '1', gone: '1' } })
  expect(await all(target)).toEqual(await all(source))
  expect((await perform(copy())).finished).toMatchObject({
    exitCode: 0,
    totals: { read: '299', written: '299', quarantined: '0' },
  })
  expect(await ledgerProblems(target, 't', 299)).toEqual([])
  // The checksums of the ledger are those of the target's present rows.
  const compared = await perform({ ...copy(), kind: 'diff', limit: 5, fix: false, deleteExtra: false })
  expect(compared.finished.exitCode).toBe(0)
})

test('a row that another program wrote under the key of a quarantined one stays, unless the copy overwrites rows', async () => {
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (n <> 1770 AND n <> 2220))')
  const retry: Operation = { kind: 'retry-quarantine', to: target.url, from: source.url }
  const written = async (): Promise<unknown> => target.rows('SELECT id, name FROM t WHERE id IN (177, 222) ORDER BY id')
  expect((await perform(copy())).finished.totals).toMatchObject({ quarantined: '2' })
  await source.sql('UPDATE t SET n = 1 WHERE id IN (177, 222)')
  await target.sql("INSERT INTO t SELECT 177, 'other', 5", 'INSERT INTO t SELECT 222, NULL, 5')
  for (const operation of [retry, copy()]) {
    const { events, finished } = await perform(operation)
    expect(finished.exitCode).toBe(1)
    expect(of(events, 'row.aside').map(({ error }) => error.code)).toEqual(['ROW_REFUSED', 'ROW_REFUSED'])
    expect(await written()).toEqual([
      ['177', 'other'],
      ['222', null],
    ])
  }
  await perform({ ...copy(), kind: 'diff', limit: 5, fix: true, deleteExtra: false })
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { written: '2', quarantined: '0' } })
  expect(await all(target)).toEqual(await all(source))
})

test('a row that --again could not overwrite is not overwritten by a retry, whose hint brings it', async () => {
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (n <> 5))')
  expect((await perform(copy())).finished.exitCode).toBe(0)
  await source.sql('UPDATE t SET n = 5 WHERE id = 7')
  expect((await perform(copy({ again: true }))).finished.error?.code).toBe('ROWS_ASIDE')
  await source.sql('UPDATE t SET n = 6 WHERE id = 7')
  const retry: Operation = { kind: 'retry-quarantine', to: target.url, from: source.url }
  const refused = await perform(retry)
  expect(refused.finished.exitCode).toBe(1)
  expect(of(refused.events, 'row.aside').map(({ error }) => error.hint)).toEqual([
    expect.stringMatching(/^run the same copy with --again: it overwrites the row/),
  ])
  expect((await perform(copy({ again: true }))).finished.exitCode).toBe(0)
  expect(await all(target)).toEqual(await all(source))
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { read: '0' } })
})

test('a chunk that is copied again does not count rows that an earlier attempt quarantined', async () => {
  const upsert = copy({ onExisting: 'upsert' })
  await source.sql('UPDATE t SET n = NULL WHERE id IN (150, 177, 199)')
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER NOT NULL)')
  expect((await perform(upsert)).finished).toMatchObject({ totals: { quarantined: '3' } })
  await source.sql('UPDATE t SET n = 1 WHERE id IN (150, 177)')
  await target.sql("UPDATE migration_checkpoints SET status = 'pending' WHERE chunk_no = 2")
  const { finished } = await perform(upsert)
  expect(finished).toMatchObject({
    error: { code: 'ROWS_ASIDE' },
    totals: { read: '300', written: '299', quarantined: '1' },
  })
  expect(await target.rows('SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL')).toEqual([['["199"]']])
  await source.sql('UPDATE t SET n = 1 WHERE id = 199')
  expect((await perform(upsert)).finished).toMatchObject({
    exitCode: 0,
    totals: { read: '300', written: '300', quarantined: '0' },
  })
  expect(await ledgerProblems(target, 't', 300)).toEqual([])
})

test('a value of another type than its column is quarantined during the read', async () => {
  await source.sql("UPDATE t SET n = 'twelve' WHERE id = 12")
  const { finished, events } = await perform(copy())
  expect(finished).toMatchObject({ exitCode: 1, totals: { read: '300', written: '299', quarantined: '1' } })
  expect(of(events, 'row.aside')).toMatchObject([{ key: ['12'], error: { code: 'VALUE_REFUSED' } }])
})

test('too many quarantined rows end the table, and no other one', async () => {
  await source.sql('CREATE TABLE u (id INTEGER PRIMARY KEY)', 'INSERT INTO u VALUES (1), (2)')
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (n < 0))')
  const { finished, events } = await perform({ ...copy({ maxAside: 10 }), tables: ['t', 'u'] })
  expect(finished).toMatchObject({ exitCode: 1, totals: { tables: '2', ok: '1' } })
  expect(Object.fromEntries(of(events, 'table.finished').map(({ table, status }) => [table, status]))).toEqual({
    t: 'failed',
    u: 'ok',
  })
})

test('rows that an earlier run has quarantined count towards the limit', async () => {
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (id % 100 > 3))')
  const interrupt = new Interrupter()
  const onEvent = ({ type }: Event): void => void (type === 'chunk.done' && interrupt.requestStop())
  // Each chunk has four rows that the target refuses.
  await perform(copy({ workers: 1, maxAside: 7 }), { interrupt, onEvent })
  const { finished, events } = await perform(copy({ workers: 1, maxAside: 7 }))
  expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
  expect(finished.error?.message).toBe('more than 7 rows of t were refused: the copy of this table ends')
  expect(of(events, 'chunk.started')).toHaveLength(1)
})

test('a chunk that failed for too many refused rows is copied by the next run', async () => {
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER CHECK (n < 0 OR id > 100))')
  const given = copy({ maxAside: 10 })
  const failed = await perform(given)
  const error = {
    code: 'ROWS_ASIDE',
    reason: expect.stringMatching(/^cause of the last refused row: .*CHECK/) as string,
  }
  expect(failed.finished).toMatchObject({ exitCode: 1, error })
  await source.sql('UPDATE t SET n = -1 WHERE id <= 100')
  const again = await perform(given)
  expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({
    exitCode: 0,
    totals: { written: '300' },
  })
  expect(await all(target)).toEqual(await all(source))
})

test('a stop takes effect after the running chunks, and the next run copies the rest', async () => {
  const interrupt = new Interrupter()
  const stopped = await perform(copy({ workers: 1 }), {
    interrupt,
    onEvent: ({ type }) => {
      if (type === 'chunk.done') interrupt.requestStop()
    },
  })
  expect(stopped.finished).toMatchObject({ status: 'stopped', exitCode: 75, totals: { proved: '1' } })
  const rest = await perform(copy())
  expect(rest.finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(of(rest.events, 'chunk.started')).toHaveLength(2)
})

test('a paused copy starts no chunk, and the number of workers can change while it runs', async () => {
  const control = { paused: false, lanes: null as number | null }
  const running = perform(copy(), {
    control,
    interrupt: new Interrupter(),
    onEvent: ({ type }) => {
      if (type === 'plan.ready') control.paused = true
    },
  })
  const begun = async (): Promise<unknown> =>
    target.rows('SELECT COUNT(*) FROM migration_checkpoints').catch(() => 'no ledger yet')
  await expect.poll(begun, { timeout: 20_000 }).toEqual([['3']])
  const taken = "SELECT COUNT(*) FROM migration_checkpoints WHERE status <> 'pending'"
  for (let inspections = 0; inspections < 10; inspections++) {
    await new Promise((wake) => setTimeout(wake, 40))
    expect(await target.rows(taken)).toEqual([['0']])
  }
  control.paused = false
  expect((await running).finished.exitCode).toBe(0)
})

test('each job of a shared copy copies its part', async () => {
  const parts = [1, 2].map((no) => copy({ part: { no, of: 2 }, chunkRows: 50 }))
  const first = await perform(parts[0] ?? copy())
  expect(of(first.events, 'chunk.done').map(({ chunk }) => Number(chunk) % 2)).toEqual([1, 1, 1])
  expect(first.finished.exitCode).toBe(0)
  const second = await perform(parts[1] ?? copy())
  expect(of(second.events, 'chunk.done').map(({ chunk }) => Number(chunk) % 2)).toEqual([0, 0, 0])
  expect(await all(target)).toEqual(await all(source))
})

test('columns, names and conditions are applied', async () => {
  const chosen = copy({ columns: ['id', 'n'], rename: { n: 'amount' }, toTable: 'u', where: 'id % 2 = 0' })
  expect((await perform(chosen)).finished).toMatchObject({ exitCode: 0, totals: { written: '150' } })
  expect(await target.rows('SELECT id, amount FROM u ORDER BY id LIMIT 2')).toEqual([
    ['2', '20'],
    ['4', '40'],
  ])
})

test('a renamed column has the place of its source column in the created table', async () => {
  expect((await perform(copy({ rename: { name: 'title' }, toTable: 'v' }))).finished.exitCode).toBe(0)
  expect(await target.rows("SELECT name FROM pragma_table_info('v')")).toEqual([['id'], ['title'], ['n']])
})

test('a dry run reports everything and changes nothing', async () => {
  const { finished, events } = await perform(copy({ dryRun: true }))
  expect(finished.exitCode).toBe(0)
  expect(of(events, 'plan.ready')).toMatchObject([
    {
      tables: '1',
      chunks: '3',
      copies: [{ table: 't', rows: '300', create: true, key: ['id'], columns: [{ from: 'id' }, {}, {}] }],
    },
  ])
  expect(existsSync(target.url.slice('sqlite:///'.length))).toBe(false)
})

test('a copy that is refused creates no file', async () => {
  const refused: readonly (readonly [Parameters<typeof copy>[0], string])[] = [
    [{ columns: ['id', 'nothing'] }, 'BAD_FLAG'],
    [{ where: 'id >' }, 'BAD_PREDICATE'],
    [{ key: ['nothing'] }, 'BAD_FLAG'],
    [{ acceptDifference: ['nothing'] }, 'BAD_FLAG'],
    [{ follow: { cdc: 'slot', lanes: 1 } as never }, 'NOT_FOLLOWABLE'],
  ]
  const place = dirname(target.url.slice('sqlite:///'.length))
  const before = readdirSync(place)
  for (const [more, code] of refused) {
    const { finished } = await perform(copy(more))
    expect([finished.error?.code, readdirSync(place)]).toEqual([code, before])
  }
})

test('a table without a key is copied whole, proved by its checksum, and begins again after an interruption', async () => {
  await source.sql('CREATE TABLE k (a INTEGER, b TEXT)', `INSERT INTO k SELECT n % 7, name FROM t`)
  const keyless = { ...copy({ chunkRows: 100 }), tables: ['k'] }
  const interrupt = new Interrupter()
  const broken = await perform(
    { ...keyless, workers: 1 },
    {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'chunk.done') interrupt.requestStop()
      },
    },
  )
  expect(broken.finished.exitCode).toBe(75)
  const whole = await perform(keyless)
  expect(whole.finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(await target.rows('SELECT a, b FROM k ORDER BY b')).toEqual(await source.rows('SELECT a, b FROM k ORDER BY b'))
  expect((await perform(keyless)).finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
})

test.each([
  [1000, 'canonical'],
  [100, 'table'],
] as const)(
  'the ledger has the checksum of a table without a key in the target, in chunks of %i',
  async (chunkRows, proof) => {
    await source.sql('CREATE TABLE k (a INTEGER, b TEXT)', `INSERT INTO k SELECT n % 7, name FROM t`)
    const keyless = { ...copy({ chunkRows }), tables: ['k'] }
    const ledger = () =>
      target.rows(
        `SELECT proof, COUNT(DISTINCT target_checksum), COUNT(*) - COUNT(target_checksum) FROM migration_checkpoints WHERE status = 'completed' GROUP BY proof`,
      )
    expect((await perform(keyless)).finished.exitCode).toBe(0)
    expect(await ledger()).toEqual([[proof, '1', '0']])
    // As after a kill before the comparison of the whole table.
    await target.sql(`UPDATE migration_checkpoints SET proof = 'canonical', target_checksum = NULL`)
    expect((await perform(keyless)).finished.exitCode).toBe(0)
    expect(await ledger()).toEqual([[proof, '1', '0']])
    await target.sql(
      `UPDATE k SET b = 'other' WHERE b = 'row 7'`,
      `UPDATE migration_checkpoints SET target_checksum = NULL`,
    )
    expect((await perform(keyless)).finished.exitCode).toBe(1)
    expect((await ledger()).map(([, sums]) => sums)).toEqual(['0'])
  },
)

test('a diff names each key that differs, repairs the rows, and undoes the repair', async () => {
  await perform(copy())
  await target.sql(
    "UPDATE t SET name = 'other' WHERE id = 7",
    'DELETE FROM t WHERE id = 8',
    "INSERT INTO t VALUES (1000, 'new', 1)",
  )
  const before = await all(target)
  const options = { ...copy(), kind: 'diff', limit: 10, fix: false, deleteExtra: false } as const
  const found = await perform(options)
  expect(found.finished).toMatchObject({ exitCode: 1, totals: { missing: '1', extra: '1', different: '1' } })
  expect(of(found.events, 'difference').map(({ key, difference }) => [key[0], difference])).toEqual([
    ['7', 'different'],
    ['8', 'missing'],
    ['1000', 'extra'],
  ])
  const kept = await perform({ ...options, fix: true })
  expect(kept.finished).toMatchObject({ exitCode: 1, totals: { fixed: '2', extra: '1' } })
  const repaired = await perform({ ...options, fix: true, deleteExtra: true })
  expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '1' } })
  expect(of(repaired.events, 'table.finished')[0]?.notes?.[0]).toMatch(
    /^before the repair: .* 1 extra, .*; 1 repaired$/,
  )
  expect(await all(target)).toEqual(await all(source))
  const runId = (run: typeof repaired): string => run.events[0]?.runId ?? ''
  const undo = (run: typeof repaired): Promise<typeof repaired> =>
    perform({ kind: 'diff-undo', runId: runId(run), to: target.url, tables: [] })
  expect((await undo(repaired)).finished).toMatchObject({ exitCode: 0, totals: { undone: '1' } })
  expect((await undo(kept)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
  expect(await all(target)).toEqual(before)
  // A repair that was undone cannot be undone again.
  expect((await undo(kept)).finished).toMatchObject({ error: { code: 'NO_SUCH_TABLE' } })
  expect(
    await target.rows("SELECT DISTINCT status FROM migration_runs WHERE operation LIKE 'diff%' ORDER BY status"),
  ).toEqual([['completed'], ['failed']])
})

test('a ledger of the script is adopted: its completed chunks are proved before they count', async () => {
  await target.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO t VALUES ${rows(1, 150)}`,
    `CREATE TABLE migration_checkpoints (id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, start_id INTEGER NOT NULL,
       end_id INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'pending', records_processed INTEGER DEFAULT 0, error_message TEXT,
       created_at DATETIME DEFAULT CURRENT_TIMESTAMP)`,
    `INSERT INTO migration_checkpoints (table_name, start_id, end_id, status, records_processed) VALUES
       ('t', 1, 100, 'completed', 100), ('t', 101, 200, 'in_progress', 0), ('t', 201, 300, 'pending', 0)`,
  )
  const { finished, events } = await perform(copy({ onExisting: 'upsert' }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(
    of(events, 'chunk.done')
      .map(({ chunk }) => chunk)
      .toSorted(),
  ).toEqual(['2', '3'])
  expect(await all(target)).toEqual(await all(source))
  const [progress] = await target.rows(
    `SELECT CAST(SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS REAL) / COUNT(*) * 100 as progress_percent
     FROM migration_checkpoints WHERE table_name = 't'`,
  )
  expect(progress).toEqual(['100'])
})

test('chunks that the script wrongly calls completed are copied again', async () => {
  await target.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `INSERT INTO t VALUES ${rows(1, 99)}`,
    `CREATE TABLE migration_checkpoints (id INTEGER PRIMARY KEY AUTOINCREMENT, table_name TEXT NOT NULL, start_id INTEGER NOT NULL,
       end_id INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'pending', records_processed INTEGER DEFAULT 0, error_message TEXT,
       created_at DATETIME DEFAULT CURRENT_TIMESTAMP)`,
    `INSERT INTO migration_checkpoints (table_name, start_id, end_id, status, records_processed) VALUES
       ('t', 1, 100, 'completed', 100), ('t', 101, 300, 'pending', 0)`,
  )
  const { finished } = await perform(copy({ onExisting: 'upsert' }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(await all(target)).toEqual(await all(source))
})

test('an empty table is copied, and the next run finds its first rows', async () => {
  await source.sql('CREATE TABLE e (id INTEGER PRIMARY KEY, name TEXT)')
  const empty = { ...copy(), tables: ['e'] }
  expect((await perform(empty)).finished).toMatchObject({ exitCode: 0, totals: { written: '0' } })
  await source.sql("INSERT INTO e VALUES (1, 'first')")
  expect((await perform(empty)).finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
  expect(await target.rows('SELECT * FROM e')).toEqual([['1', 'first']])
})

test('rows whose key is NULL are a separate chunk', async () => {
  await source.sql(
    'CREATE TABLE nk (a INTEGER UNIQUE, b TEXT)',
    'INSERT INTO nk SELECT CASE WHEN id % 3 = 0 THEN NULL ELSE id END, name FROM t',
  )
  const nullable = { ...copy(), tables: ['nk'] }
  expect((await perform(nullable)).finished).toMatchObject({ exitCode: 0, totals: { written: '300' } })
  expect(await target.rows('SELECT a, b FROM nk ORDER BY b')).toEqual(
    await source.rows('SELECT a, b FROM nk ORDER BY b'),
  )
  const again = await perform(nullable)
  expect(of(again.events, 'chunk.started')).toEqual([])
})

test('values of accepted lossy columns are shortened, and proved in that form', async () => {
  await source.sql(
    'CREATE TABLE l (id INTEGER PRIMARY KEY, price DECIMAL_TEXT(20,5), at TIMESTAMP_TEXT(6))',
    "INSERT INTO l VALUES (1, '1.23456', '2024-01-02 03:04:05.678901'), (2, '-0.005', '2024-01-02 00:00:00'), (3, NULL, NULL)",
  )
  await target.sql('CREATE TABLE l (id INTEGER PRIMARY KEY, price DECIMAL_TEXT(20,2), at DATE_TEXT)')
  const refused = await perform({ ...copy(), tables: ['l'] })
  expect(refused.finished).toMatchObject({ exitCode: 6, error: { code: 'LOSSY_TYPE' } })
  // The same command would be refused again.
  expect(refused.finished).not.toHaveProperty('resumeCommand')
  const lossy = { ...copy({ acceptLossy: ['price', 'at'] }), tables: ['l'] }
  expect((await perform(lossy)).finished).toMatchObject({ exitCode: 0, totals: { written: '3' } })
  expect(await target.rows('SELECT price, at FROM l ORDER BY id')).toEqual([
    ['1.23', '2024-01-02'],
    ['-0.01', '2024-01-02'],
    [null, null],
  ])
})

test('a table without a key is copied first', async () => {
  await source.sql('CREATE TABLE loose (name TEXT)', "INSERT INTO loose VALUES ('a'), ('b')")
  const operation = { ...copyOf(source, target, 't', { chunkRows: 100, workers: 1 }), tables: ['t', 'loose'] }
  const { finished, events } = await perform(operation)
  expect(finished.exitCode).toBe(0)
  expect(of(events, 'chunk.started').map(({ table }) => table)).toEqual(['loose', 't', 't', 't'])
})

test('one task of a shared run copies a table without a key, while another one copies the other tables', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const shared = await makePlace('postgresql', folder)
  await source.sql('CREATE TABLE loose (name TEXT)', "INSERT INTO loose VALUES ('a'), ('b')")
  const control = { paused: false, lanes: null }
  let has = (): void => undefined
  const taken = new Promise<void>((resolve) => (has = resolve))
  const first = perform(copyOf(source, shared, 'loose', { workers: 1 }), {
    sharedRun: '7',
    control,
    onEvent: ({ type }) => {
      if (type === 'plan.ready') control.paused = true
      if (type === 'copy.started') has()
    },
  })
  await taken
  const done: string[] = []
  const both = { ...copyOf(source, shared, 't', { chunkRows: 100, workers: 1 }), tables: ['loose', 't'] }
  const second = await perform(both, {
    sharedRun: '7',
    onEvent: (event) => {
      if (event.type === 'chunk.done') done.push(event.table)
      if (done.length === 3) control.paused = false
    },
  })
  const { finished, events } = await first
  expect([finished.error, second.finished.error]).toEqual([undefined, undefined])
  expect(of(events, 'chunk.done').map(({ table }) => table)).toEqual(['loose'])
  expect(done).toEqual(['t', 't', 't'])
  expect(await shared.rows('SELECT name FROM loose ORDER BY name')).toEqual([['a'], ['b']])
})

test.for([
  ['CONNECT_FAILED', 'rest'],
  ['TABLE_LOCKED', 'rest'],
  ['PROOF_FAILED', 'none'],
] as const)('a chunk that another task of a shared run failed with %s', async ([code, left], { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const shared = await makePlace('postgresql', folder)
  const control = { paused: false, lanes: null }
  let isDone = (): void => undefined
  const done = new Promise<void>((resolve) => (isDone = resolve))
  const running = perform(copyOf(source, shared, 't', { chunkRows: 100, workers: 1 }), {
    sharedRun: '7',
    control,
    onEvent: ({ type }) => {
      if (type !== 'chunk.done') return
      control.paused = true
      isDone()
    },
  })
  await done
  await shared.sql(
    `UPDATE migration_checkpoints SET status = 'failed', error_code = '${code}', error_message = 'gone' WHERE status = 'pending'`,
  )
  control.paused = false
  const { exitCode, error } = (await running).finished
  expect(error?.message).toBe('2 of 3 chunks of t failed: gone')
  expect(taskEnd({ exitCode, crashed: false, ...(error && { error }) }, { times: 0, cause: null }).left).toBe(left)
  const again = await perform(copyOf(source, shared, 't', { chunkRows: 100 }), { sharedRun: '7' })
  expect(again.finished.exitCode).toBe(0)
})
