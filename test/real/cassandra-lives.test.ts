/** Values expire in source and target at the same time, even if a copy is delayed. */
import { concurrent } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, failures, texts } from './cassandra-target-kit.ts'

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `TTLs${CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`}`,
  { timeout: 90_000 },
  () => {
    /** Unix seconds at which values expire. */
    async function ends({ link, name }: TestKeyspace): Promise<ReadonlyMap<string, number>> {
      const now = Math.floor(Date.now() / 1000)
      const cql = `SELECT a, b, ttl(s), ttl(v) FROM ${name}.t`
      const { rows } = await link.client.execute(cql, [], { prepare: true, fetchSize: 5000 })
      return new Map(
        rows.flatMap((row) => {
          const [a, b, s, v] = row.values() as (number | null)[]
          return [
            [`${a}/${b} s`, now + (s ?? 0)],
            [`${a}/${b} v`, now + (v ?? 0)],
          ] as const
        }),
      )
    }

    test('values expire with those of the source in spite of a slow rate; expired ones are not written, and reported', async () => {
      await using source = await newKeyspace()
      await using target = await newKeyspace()
      await source.cql('CREATE TABLE t (a int, b int, s text static, v text, w text, PRIMARY KEY (a, b))')
      const { client } = source.link
      await concurrent.executeConcurrent(
        client,
        'INSERT INTO t (a, b) VALUES (?, 0)',
        Array.from({ length: 240 }, (_, a) => [a]),
      )
      const tokens = await source.rows('SELECT a, token(a) FROM t')
      const halves = tokens.map((row) => row.values() as [number, bigint])
      const inFirst = halves.flatMap(([a, token]) => (token < 0n ? [a] : [])).slice(0, 100)
      const inSecond = halves.flatMap(([a, token]) => (token > 0n ? [a] : [])).slice(0, 30)
      await source.cql('TRUNCATE t')
      const insert = (more: string): string => `INSERT INTO t (a, b, v) VALUES (?, ?, 'v') USING TTL ${more}`
      await concurrent.executeConcurrent(
        client,
        insert('5000'),
        [...inFirst, ...inSecond].map((a) => [a, 1]),
      )
      const statics = inSecond.map((a) => [a, 's'])
      await concurrent.executeConcurrent(client, 'INSERT INTO t (a, s) VALUES (?, ?) USING TTL 6000', statics)
      // The first 100 rows use up the rate for 20 seconds, and the others wait after they were read: of ten of them one
      // value expires meanwhile, and ten expire as a whole.
      const early = inSecond.slice(0, 10)
      const shorten = 'UPDATE t USING TTL 16 SET w = ? WHERE a = ? AND b = 1'
      await concurrent.executeConcurrent(
        client,
        shorten,
        early.map((a) => ['w', a]),
      )
      await concurrent.executeConcurrent(
        client,
        insert('16'),
        early.map((a) => [a, 2]),
      )
      const copy = copyBetween(source.url, target.url, ['t'], { rate: 5, batchRows: 100, ring: { splits: 1 } })
      const ran = await perform(copy)
      expect(ran.finished.error, failures(ran)).toBeUndefined()
      expect(ran.finished.totals).toMatchObject({ read: '140', written: '130', skipped: '10', quarantined: '0' })
      expect(ran.events.some((event) => event.type === 'log' && /^10 rows .* expired/.test(event.message))).toBe(true)
      const [here, there] = [await ends(source), await ends(target)]
      expect(there.size).toBe(here.size)
      for (const [key, end] of here) expect(Math.abs((there.get(key) ?? 0) - end), key).toBeLessThanOrEqual(2)
      const again = await perform(copy)
      expect(again.finished.exitCode, failures(again)).toBe(0)
    })

    test('rows whose own TTL cannot be read are reported, and a hint to remove them says that they may have expired', async () => {
      await using source = await newKeyspace()
      await using target = await newKeyspace()
      await source.cql(
        'CREATE TABLE mixed (p int PRIMARY KEY, v text)',
        'CREATE TABLE shared (a int, b int, s text static, v text, PRIMARY KEY (a, b))',
        'CREATE TABLE quiet (p int PRIMARY KEY, v text)',
        'CREATE TABLE bare (p int PRIMARY KEY, v text)',
        "INSERT INTO quiet (p, v) VALUES (1, 'stays')",
        'INSERT INTO quiet (p) VALUES (2)',
        'INSERT INTO bare (p) VALUES (1) USING TTL 5000',
        'INSERT INTO bare (p) VALUES (2) USING TTL 5000',
        "INSERT INTO mixed (p, v) VALUES (5, 'stays')",
        'INSERT INTO mixed (p) VALUES (1) USING TTL 25',
        'INSERT INTO mixed (p) VALUES (4)',
        "UPDATE mixed USING TTL 25 SET v = 'ends' WHERE p = 4",
        'INSERT INTO shared (a, b) VALUES (1, 1)',
        "UPDATE shared USING TTL 25 SET s = 'ends' WHERE a = 1",
        "INSERT INTO shared (a, s) VALUES (2, 'no row') USING TTL 5000",
      )
      const copy = copyBetween(source.url, target.url, ['mixed', 'shared', 'quiet', 'bare'], { ring: { splits: 1 } })
      const first = await perform(copy)
      expect(first.finished.exitCode, failures(first)).toBe(0)
      const notesOf = ({ events }: typeof first): Readonly<Record<string, readonly string[]>> =>
        Object.fromEntries(
          events.flatMap((event) =>
            event.type === 'table.finished' ? [[event.table.split('.')[1], event.notes ?? []]] : [],
          ),
        )
      const one = 'one row without values: its own TTL cannot be read, so it never expires in the target'
      expect(notesOf(first)).toEqual({
        mixed: [
          one,
          'one row whose values all expire: whether the row itself stays then cannot be read; in the target it expires with its last value',
        ],
        shared: [one],
        quiet: [],
        bare: ['2 rows without values: their own TTL cannot be read, so they never expire in the target'],
      })
      const rowsOf = (of: TestKeyspace, table: string): Promise<readonly string[]> =>
        texts(of, `SELECT * FROM ${table}`)
      await expect.poll(() => rowsOf(source, 'mixed'), { timeout: 40_000 }).toEqual(['[4,null]', '[5,"stays"]'])
      await expect.poll(() => rowsOf(target, 'mixed'), { timeout: 10_000 }).toEqual(['[1,null]', '[5,"stays"]'])
      // The static value expires, and the row without a TTL stays.
      await expect.poll(() => rowsOf(source, 'shared'), { timeout: 10_000 }).toContain('[1,1,null,null]')
      await expect.poll(() => rowsOf(target, 'shared'), { timeout: 10_000 }).toContain('[1,1,null,null]')

      const caution = 'rows may be missing there only because they have expired'
      const again = await perform({ ...copy, tables: ['mixed'], again: true })
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { mended: '1', extra: '1' } })
      expect(notesOf(again)['mixed']).toContain(
        `one row of the target is not in the source (${caution}), and stays; --delete-extra removes it`,
      )
      const { from, to, rename, workers } = copy
      const diff = {
        kind: 'diff',
        from,
        to,
        tables: ['mixed'],
        rename,
        workers,
        limit: 10,
        deleteExtra: false,
      } as const
      for (const fix of [false, true]) {
        const { error } = (await perform({ ...diff, fix })).finished
        expect(error?.hint, String(fix)).toMatch(/--delete-extra to remove .*; rows may be missing there only because/)
      }
      await source.cql('DELETE FROM mixed WHERE p = 4')
      const counted = await perform({ ...copy, tables: ['mixed'] })
      expect(counted.finished.error?.hint).toContain(
        `--delete-extra to remove what the source no longer has (${caution})`,
      )
    })

    test('a quarantined row comes with its write time and TTL, and later values of the target stay', async () => {
      await using source = await newKeyspace()
      await using target = await newKeyspace()
      await source.cql('CREATE TABLE t (a int PRIMARY KEY, v text)')
      await target.cql('CREATE TABLE t (a int PRIMARY KEY, v int)')
      for (const a of [1, 2, 3]) await source.cql(`INSERT INTO t (a, v) VALUES (${a}, 'none') USING TIMESTAMP 1000`)
      const copy = copyBetween(source.url, target.url, ['t'], { ring: { splits: 1 } })
      const first = await perform(copy)
      expect(first.finished.totals, failures(first)).toMatchObject({ read: '3', written: '0', quarantined: '3' })
      const corrected = 'USING TIMESTAMP 2000 AND TTL 5000'
      for (const a of [1, 2]) await source.cql(`INSERT INTO t (a, v) VALUES (${a}, '${a}') ${corrected}`)
      await target.cql('INSERT INTO t (a, v) VALUES (2, 22) USING TIMESTAMP 3000')
      const timed = async (): Promise<unknown> => {
        const rows = await target.rows('SELECT a, v, writetime(v), ttl(v) FROM t')
        const found = rows.map((row) => row.values() as [number, number, bigint, number | null])
        // Seconds pass during the test.
        return found
          .map(([a, v, time, life]) => [a, v, Number(time), life === null ? null : Math.ceil(life / 1000)])
          .toSorted(([a], [b]) => Number(a) - Number(b))
      }
      const retried = await perform({ kind: 'retry-quarantine', to: target.url })
      expect(retried.finished.totals, failures(retried)).toMatchObject({ read: '3', written: '1', quarantined: '2' })
      const aside = retried.events.flatMap((event) => (event.type === 'row.aside' ? [event.error.message] : []))
      expect(aside.some((message) => /^the row .*2.* of t differs from the source/.test(message))).toBe(true)
      expect(await timed()).toEqual([
        [1, 1, 2000, 5],
        [2, 22, 3000, null],
      ])
      await source.cql(`INSERT INTO t (a, v) VALUES (3, '3') ${corrected}`)
      await perform(copy)
      expect(await timed()).toContainEqual([3, 3, 2000, 5])
    })

    test('a quarantined row gets the TTL and the write time that its copy sets', async () => {
      await using source = await newKeyspace()
      await using target = await newKeyspace()
      await source.cql('CREATE TABLE t (a int PRIMARY KEY, v text)')
      await target.cql('CREATE TABLE t (a int PRIMARY KEY, v int)')
      await source.cql(`INSERT INTO t (a, v) VALUES (1, 'none') USING TIMESTAMP 1000`)
      const cassandra = { ttl: 5000, writetime: '4000' }
      const first = await perform(copyBetween(source.url, target.url, ['t'], { ring: { splits: 1 }, cassandra }))
      expect(first.finished.totals, failures(first)).toMatchObject({ read: '1', written: '0', quarantined: '1' })
      await source.cql(`INSERT INTO t (a, v) VALUES (1, '1') USING TIMESTAMP 2000`)
      const retried = await perform({ kind: 'retry-quarantine', to: target.url })
      expect(retried.finished.totals, failures(retried)).toMatchObject({ read: '1', written: '1', quarantined: '0' })
      const found = await target.rows('SELECT v, writetime(v), ttl(v) FROM t')
      const rows = found.map((row) => row.values() as [number, bigint, number | null])
      const timed = rows.map(([v, time, life]) => [v, Number(time), life !== null && life <= 5000 && life > 4000])
      expect(timed).toEqual([[1, 4000, true]])
    })
  },
)
