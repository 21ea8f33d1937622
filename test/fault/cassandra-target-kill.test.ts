/**
 * A copy into Cassandra that is killed in the middle of a chunk and run again: the same rows with the same write times,
 * and nothing to do for a third run.
 */
import { expect, test } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, failures, started, texts } from '../real/cassandra-target-kit.ts'
import { startCopy } from './copy-kit.ts'

const ROWS = 1500
const LOOK = 'SELECT p, c, v, writetime(v), l, n, writetime(n) FROM t'

test.skipIf(!CASSANDRA_AVAILABLE)(
  'rows, lists, counters: equal after a kill in a chunk',
  { timeout: 180_000 },
  async () => {
    await using source = await newKeyspace()
    await source.cql(
      'CREATE TABLE t (p int, c int, v text, l list<text>, n int, PRIMARY KEY (p, c))',
      'CREATE TABLE hits (k int PRIMARY KEY, n counter)',
    )
    const { client } = source.link
    for (let at = 0; at < ROWS; at += 100) {
      const some = Array.from({ length: 100 }, (_, i) => at + i)
      await Promise.all(
        some.map((i) =>
          client.execute(
            `INSERT INTO t (p, c, v, l${i % 3 === 0 ? ', n' : ''}) VALUES (?, ?, ?, ['a', 'b', 'a']${i % 3 === 0 ? `, ${i}` : ''}) USING TIMESTAMP ?`,
            [i % 97, i, `row ${i}`, 1_600_000_000_000_000n + BigInt(i)],
            { prepare: true },
          ),
        ),
      )
      await Promise.all(
        some.map((i) => client.execute('UPDATE hits SET n = n + ? WHERE k = ?', [BigInt(i + 1), i], { prepare: true })),
      )
    }
    const before = await texts(source, LOOK)
    expect(before.length).toBe(ROWS)
    const counted = await texts(source, 'SELECT k, n FROM hits')
    for (const [step, when, options] of [
      [400, 'during', {}],
      [1100, 'after', { cassandra: { batchRows: 1 } }],
      [2300, 'before', { cassandra: { batchRows: 1 } }],
    ] as const) {
      await using target = await newKeyspace()
      const copy = copyBetween(source.url, target.url, ['t', 'hits'], { chunkRows: 500, workers: 2, ...options })
      const { signal } = await startCopy(copy, { step, when }).ended
      expect(signal).toBe('SIGKILL')
      const again = await perform({ ...copy, workers: 4 })
      expect(again.finished, failures(again)).toMatchObject({
        exitCode: 0,
        totals: { written: String(2 * ROWS), quarantined: '0' },
      })
      expect(await texts(target, LOOK)).toEqual(before)
      expect(await texts(target, 'SELECT k, n FROM hits')).toEqual(counted)
      const third = await perform(copy)
      expect(third.finished.exitCode).toBe(0)
      expect(started(third)).toBe(0)
    }
  },
)
