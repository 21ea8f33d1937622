/**
 * `copy --again` between keyspaces of Cassandra, and into PostgreSQL: write times are kept, newer values stay, and TTLs
 * are compared.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { DifferenceEvent } from '../../src/model/run/event.ts'
import type { CassandraLink } from '../../src/stores/cassandra/connect.ts'
import { CASSANDRA_AVAILABLE, startCassandra, type CassandraCluster } from '../support/servers/cassandra.ts'
import { copyOf, makePlace, perform as performHeard } from '../support/copy-systems.ts'
import { ALL } from '../support/backend.ts'
import { startCopy } from '../fault/copy-kit.ts'
import { perform } from './operation-kit.ts'

const REPLICATION = `{'class': 'SimpleStrategy', 'replication_factor': 1}`
const OLD = 1_500_000_000_000_000n

describe.skipIf(!CASSANDRA_AVAILABLE)('copies of Cassandra with --again', () => {
  let cluster: CassandraCluster
  let link: CassandraLink
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-again-cql-'))
    cluster = await startCassandra()
    await cluster.cql(
      `CREATE KEYSPACE origin WITH replication = ${REPLICATION}`,
      `CREATE KEYSPACE target WITH replication = ${REPLICATION}`,
      'CREATE TABLE origin.t (a int, b int, v text, w int, PRIMARY KEY (a, b))',
      'CREATE TABLE origin.u (a int PRIMARY KEY, v text)',
    )
    const { connectCassandra } = await import('../../src/stores/cassandra/connect.ts')
    link = await connectCassandra(cluster.url('target'))
    for (let a = 0; a < 40; a++) {
      await cql(
        `INSERT INTO origin.t (a, b, v, w) VALUES (${a}, 1, 'v${a}', ${a}) USING TIMESTAMP ${OLD} AND TTL 500000`,
        `INSERT INTO origin.u (a, v) VALUES (${a}, 'u${a}')`,
      )
    }
  }, 120_000)
  afterAll(async () => {
    await link?.[Symbol.asyncDispose]()
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const cql = async (...statements: readonly string[]): Promise<void> => {
    for (const statement of statements) await link.client.execute(statement)
  }
  const valuesOf = async (query: string): Promise<readonly (readonly unknown[])[]> =>
    (await link.client.execute(query)).rows.map((row) => row.values() as unknown[])
  const sorted = async (query: string): Promise<readonly string[]> =>
    (await valuesOf(query)).map((row) => row.map(String).join('|')).toSorted()

  it('between tables of Cassandra', { timeout: 120_000 }, async () => {
    const copy: CopyOperation = {
      ...copyOf({ url: cluster.url('origin') }, { url: cluster.url('target') }, 'origin.t', {
        toSchema: 'target',
        ring: { splits: 8 },
      }),
    }
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '8' } })
    const same = await perform({ ...copy, again: true })
    expect(same.finished.error).toBeUndefined()
    expect(same.finished).toMatchObject({
      exitCode: 0,
      totals: { read: '40', written: '0', skipped: '40', compared: '8', differed: '0' },
    })

    // Two new rows and one changed row in the source; one row that the target wrote later; one TTL that is too long.
    await cql(
      `INSERT INTO origin.t (a, b, v) VALUES (1, 2, 'new') USING TIMESTAMP ${OLD + 5n}`,
      `INSERT INTO origin.t (a, b, v) VALUES (2, 2, 'new') USING TIMESTAMP ${OLD + 5n}`,
      `UPDATE origin.t USING TIMESTAMP ${OLD + 9n} AND TTL 500000 SET v = 'changed' WHERE a = 3 AND b = 1`,
      `UPDATE target.t USING TIMESTAMP ${OLD + 9n} AND TTL 500000 SET v = 'later' WHERE a = 4 AND b = 1`,
      `UPDATE target.t USING TIMESTAMP ${OLD + 3n} AND TTL 900000 SET v = 'v5' WHERE a = 5 AND b = 1`,
      `UPDATE origin.t USING TIMESTAMP ${OLD + 4n} AND TTL 500000 SET v = 'v5' WHERE a = 5 AND b = 1`,
      `DELETE FROM target.t USING TIMESTAMP ${OLD - 1n} WHERE a = 6 AND b = 1`,
      "INSERT INTO target.t (a, b, v) VALUES (77, 1, 'extra')",
    )
    const again = await perform({ ...copy, again: true })
    const found = again.events.filter((one): one is typeof one & DifferenceEvent => one.type === 'difference')
    expect(
      found
        .map(({ key, difference, fixed, newer }) => `${key.join('/')} ${difference} ${fixed} ${newer?.join()}`)
        .toSorted(),
    ).toEqual([
      '1/2 missing true undefined',
      '2/2 missing true undefined',
      '3/1 different true undefined',
      '4/1 different false v',
      '5/1 different true undefined',
    ])
    expect(found.find(({ key }) => key[0] === '5')?.columns?.[0]).toMatchObject({
      column: 'v',
      source: expect.stringMatching(/^expires 2/),
    })
    expect(again.finished).toMatchObject({
      exitCode: 1,
      totals: { mended: '4', extra: '1', newer: '1' },
      error: { code: 'DIFFERENCES' },
    })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
    expect(await valuesOf('SELECT v, writetime(v) FROM target.t WHERE a = 3 AND b = 1')).toEqual([
      ['changed', OLD + 9n],
    ])
    expect(await valuesOf('SELECT v FROM target.t WHERE a = 4 AND b = 1')).toEqual([['later']])
    const [[life]] = (await valuesOf('SELECT ttl(v) FROM target.t WHERE a = 5 AND b = 1')) as [[number]]
    expect(Math.abs(life - 500_000)).toBeLessThan(600)

    await cql(`UPDATE origin.t USING TIMESTAMP ${OLD + 20n} AND TTL 500000 SET v = 'latest' WHERE a = 4 AND b = 1`)
    const last = await perform({ ...copy, again: true, deleteExtra: true })
    expect(last.finished.error).toBeUndefined()
    expect(last.finished).toMatchObject({ exitCode: 0, totals: { mended: '1', removed: '1', extra: '0' } })
    expect(await sorted('SELECT a, b, v, w FROM target.t')).toEqual(await sorted('SELECT a, b, v, w FROM origin.t'))
    const undone = await perform({
      kind: 'diff-undo',
      runId: last.events[0]?.runId ?? '',
      to: copy.to,
      tables: [],
    })
    expect(undone.finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect(await valuesOf('SELECT v FROM target.t WHERE a = 77')).toEqual([['extra']])

    // A partial or weakly consistent read of the source deletes no rows.
    const part = await perform({ ...copy, again: true, deleteExtra: true, ring: { splits: 8, coverage: 50 } })
    expect(part.finished.error?.code).toBe('BAD_FLAG')
    const at = (level: string): string => `${copy.from}${copy.from.includes('?') ? '&' : '?'}consistency=${level}`
    const weak = await perform({ ...copy, from: at('ONE'), again: true, deleteExtra: true })
    expect(weak.finished.error?.reason).toContain('rows are read at ONE')
    expect(await valuesOf('SELECT v FROM target.t WHERE a = 77')).toEqual([['extra']])
  })

  it('are killed at any step and repeated', { timeout: ALL ? 600_000 : 120_000 }, async () => {
    await cql('CREATE TABLE origin.k (a int PRIMARY KEY, v text)')
    const write = (a: number, v: string, time: bigint): Promise<void> =>
      cql(`INSERT INTO origin.k (a, v) VALUES (${a}, '${v}') USING TIMESTAMP ${time}`)
    for (let a = 0; a < 20; a++) await write(a, `v${a}`, OLD)
    const copyTo = (name: string): CopyOperation =>
      copyOf({ url: cluster.url('origin') }, { url: cluster.url('target') }, 'origin.k', {
        toSchema: 'target',
        toTable: name,
        ring: { splits: 2 },
        workers: 1,
        again: true,
        deleteExtra: true,
      })
    let time = OLD
    /** A finished copy; then two new rows and one changed row in the source, and one row that only the target has. */
    const begun = async (name: string): Promise<CopyOperation> => {
      const copy = copyTo(name)
      const { again: _again, deleteExtra: _extra, ...plain } = copy
      expect((await perform(plain)).finished.exitCode).toBe(0)
      time += 10n
      await write(3, `changed ${time}`, time)
      await write(Number(time - OLD) * 10, 'new', time)
      await write(Number(time - OLD) * 10 + 1, 'new', time)
      await cql(`INSERT INTO target.${name} (a, v) VALUES (-1, 'extra') USING TIMESTAMP ${OLD}`)
      return copy
    }
    const { finished, steps } = await startCopy(await begun('k0')).ended
    expect(finished).toMatchObject({ exitCode: 0, totals: { mended: '3', removed: '1' } })
    const every = ALL ? 1 : Math.ceil(steps.length / 3)
    for (let step = every; step <= steps.length; step += every) {
      const name = `k${step}`
      const copy = await begun(name)
      const before = await sorted(`SELECT a, v FROM target.${name}`)
      await startCopy(copy, { step, when: step % 2 === 0 ? 'during' : 'after' }).ended
      const again = await perform(copy)
      const where = `step ${step} of ${steps.length}`
      expect(again.finished.error, where).toBeUndefined()
      expect(await sorted(`SELECT a, v FROM target.${name}`), where).toEqual(await sorted('SELECT a, v FROM origin.k'))
      const undone = await perform({
        kind: 'diff-undo',
        runId: again.events[0]?.runId ?? '',
        to: copy.to,
        tables: [],
      })
      // A run that was killed after its last write has left nothing to undo.
      expect([undefined, 'NO_SUCH_TABLE'], where).toContain(undone.finished.error?.code)
      if (undone.finished.error === undefined)
        expect(await sorted(`SELECT a, v FROM target.${name}`), where).toEqual(before)
    }
  })

  it.each(['sqlite', 'duckdb'] as const)('infinite keys are found in %s', { timeout: 120_000 }, async (system) => {
    await cql('CREATE TABLE IF NOT EXISTS origin.f (a double PRIMARY KEY, v text)')
    for (const a of ['Infinity', '-Infinity', '1.5']) await cql(`INSERT INTO origin.f (a, v) VALUES (${a}, 'old')`)
    const to = await makePlace(system, folder)
    const copy = copyOf({ url: cluster.url('origin') }, to, 'origin.f')
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { read: '3' } })
    await cql(`INSERT INTO origin.f (a, v) VALUES (Infinity, 'new')`)
    const { finished } = await perform({ ...copy, again: true })
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { read: '3', written: '1', differed: '1', mended: '1' } })
  })

  it(
    'the next copy reports changes of the source by chunk, and rows that the target lost',
    { timeout: 120_000 },
    async () => {
      await cql('CREATE TABLE origin.w (a int PRIMARY KEY, v text)')
      for (let a = 0; a < 12; a++) await cql(`INSERT INTO origin.w (a, v) VALUES (${a}, 'w${a}')`)
      const copy = copyOf({ url: cluster.url('origin') }, { url: cluster.url('target') }, 'origin.w', {
        toSchema: 'target',
        ring: { splits: 2 },
      })
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '2', read: '12' } })
      await cql(
        "INSERT INTO origin.w (a, v) VALUES (100, 'new')",
        "INSERT INTO origin.w (a, v) VALUES (101, 'new')",
        "UPDATE origin.w SET v = 'changed' WHERE a = 3",
      )
      const second = await perform(copy)
      expect(second.finished).toMatchObject({
        exitCode: 1,
        totals: { proved: '0', looked: '2' },
        error: {
          code: 'COUNTS_DIFFER',
          message: expect.stringMatching(/^the source's origin\.w has changed since .* chunk /),
        },
      })
      const reported = second.events.filter((one) => one.type === 'look.difference')
      expect(reported.map(({ side }) => side)).toEqual(reported.map(() => 'source'))
      const more = reported.reduce((sum, { source, sourceBefore }) => sum + BigInt(source) - BigInt(sourceBefore), 0n)
      expect(more).toBe(2n)
      const again = await perform({ ...copy, again: true })
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { read: '14', mended: '3', extra: '0' } })
      expect(await sorted('SELECT a, v FROM target.w')).toEqual(await sorted('SELECT a, v FROM origin.w'))
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { looked: '2' } })

      // The lower half of the ring lost rows: its chunk is reported, repaired, and reported again after the repair is
      // undone.
      const low = await valuesOf('SELECT a, token(a) FROM target.w')
      const lost = low.filter(([, token]) => BigInt(String(token)) < 0n).map(([a]) => String(a))
      expect(lost.length).toBeGreaterThan(1)
      const expected = `expected ${lost.length}, found 0`
      for (const a of lost) await cql(`DELETE FROM target.w WHERE a = ${a}`)
      const named = expect.stringMatching(new RegExp(`chunk 1 \\(start–.*\\): ${expected}$`))
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { message: named } })
      expect((await perform({ ...copy, acceptDifference: ['origin.w'] })).finished.exitCode).toBe(0)
      const { from, to, tables, rename, workers, toSchema = '' } = copy
      const fix = {
        kind: 'diff',
        from,
        to,
        tables,
        rename,
        workers,
        toSchema,
        limit: 10,
        fix: true,
        deleteExtra: false,
      } as const
      // With another split of the ring: three ranges of the comparison overlap two chunks.
      const repaired = await perform({ ...fix, overwriteNewer: true, ring: { splits: 3 } })
      expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: String(lost.length) } })
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { looked: '2' } })
      const undone = await perform({ kind: 'diff-undo', runId: repaired.events[0]?.runId ?? '', to, tables: [] })
      expect(undone.finished).toMatchObject({ exitCode: 0, totals: { undone: String(lost.length) } })
      expect((await perform(copy)).finished.exitCode).toBe(0)
    },
  )

  it('into PostgreSQL, which is queried by keys', { timeout: 120_000 }, async () => {
    const target = await makePlace('postgresql', folder)
    const copy = copyOf({ url: cluster.url('origin') }, target, 'origin.u', { toSchema: 'public', ring: { splits: 4 } })
    expect((await perform(copy)).finished.exitCode).toBe(0)
    await target.sql(
      'DELETE FROM u WHERE a < 10',
      "UPDATE u SET v = 'x' WHERE a = 20",
      "INSERT INTO u VALUES (99, 'extra')",
    )
    const inspected = await perform(copy)
    expect(inspected.finished).toMatchObject({
      exitCode: 1,
      error: {
        code: 'COUNTS_DIFFER',
        message: expect.stringMatching(/: the table: expected 40, found 31$/),
        reason:
          'chunks are ranges of tokens, which the target does not have, so that the rows of a chunk cannot be counted there',
      },
    })
    // A repair and its undo keep the row count of the whole table correct, too.
    expect((await perform({ ...copy, acceptDifference: ['origin.u'] })).finished.exitCode).toBe(0)
    const { from, to, tables, rename, workers } = copy
    const fix = { kind: 'diff', from, to, tables, rename, workers, toSchema: 'public', limit: 10, fix: true } as const
    const fixed = await perform({ ...fix, deleteExtra: false })
    expect(fixed.finished).toMatchObject({ exitCode: 1, totals: { missing: '10', fixed: '11', extra: '1' } })
    expect((await perform(copy)).finished.exitCode).toBe(0)
    const undone = await perform({ kind: 'diff-undo', runId: fixed.events[0]?.runId ?? '', to, tables: [] })
    expect(undone.finished).toMatchObject({ exitCode: 0, totals: { undone: '11' } })
    expect((await perform(copy)).finished.exitCode).toBe(0)
    const again = await perform({ ...copy, again: true })
    expect(again.finished).toMatchObject({
      exitCode: 0,
      totals: { read: '40', mended: '11', extra: '1', compared: '4' },
    })
    const clean = await perform({ ...copy, again: true, deleteExtra: true })
    expect(clean.finished).toMatchObject({ exitCode: 0, totals: { mended: '0', removed: '1', extra: '0' } })
    expect((await target.rows('SELECT a, v FROM u')).map((row) => row.join('|')).toSorted()).toEqual(
      await sorted('SELECT a, v FROM origin.u'),
    )
  })

  describe('repair a chunk whose first attempt was killed after it wrote rows', () => {
    /** Runs a copy that ends before it closes its first chunk. */
    const dying = async (copy: CopyOperation): Promise<void> => {
      const { CassandraChunkWriter } = await import('../../src/stores/cassandra/copy/writer.ts')
      const commit = vi.spyOn(CassandraChunkWriter.prototype, 'commit')
      commit.mockRejectedValueOnce(new Error('the program is killed here'))
      expect((await perform(copy)).finished.exitCode).not.toBe(0)
      commit.mockRestore()
    }
    const HINT = expect.stringMatching(/ run the same command with --again --delete-extra$/)

    it.for(['deleted', 'set to NULL'] as const)('from SQLite: a row is %s since', { timeout: 60_000 }, async (how) => {
      const name = how === 'deleted' ? 'half_gone' : 'half_null'
      const source = await makePlace('sqlite', mkdtempSync(path.join(folder, 'half-')))
      await source.sql(`CREATE TABLE ${name} (a INTEGER PRIMARY KEY, v TEXT)`)
      await source.sql(`INSERT INTO ${name} VALUES (1, 'one'), (2, 'two'), (3, 'three')`)
      const copy = copyOf(source, { url: cluster.url('target') }, name)
      await dying(copy)
      await source.sql(
        how === 'deleted' ? `DELETE FROM ${name} WHERE a = 1` : `UPDATE ${name} SET v = NULL WHERE a = 1`,
      )
      const resumed = await perform(copy)
      expect(resumed.finished).toMatchObject({
        exitCode: 1,
        error: { code: how === 'deleted' ? 'PROOF_FAILED' : 'CHUNKS_FAILED', hint: HINT },
      })
      expect((await perform({ ...copy, again: true, deleteExtra: true })).finished).toMatchObject({ exitCode: 0 })
      expect(await sorted(`SELECT a, v FROM target.${name}`)).toEqual(
        how === 'deleted' ? ['2|two', '3|three'] : ['1|null', '2|two', '3|three'],
      )
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    })

    it('from SQLite: rows that the source gained or lost after they were copied are no surplus', async () => {
      const source = await makePlace('sqlite', mkdtempSync(path.join(folder, 'half-')))
      await source.sql(
        'PRAGMA journal_mode = WAL',
        'CREATE TABLE half_live (a INTEGER PRIMARY KEY, v TEXT)',
        `WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 3000)
         INSERT INTO half_live SELECT a, 'v' FROM n`,
      )
      const copy = copyOf(source, { url: cluster.url('target') }, 'half_live', { workers: 1, chunkRows: 1000 })
      await dying(copy)
      const changing: Promise<unknown>[] = []
      const ran = await performHeard(copy, {
        onEvent: (event) => {
          if (event.type !== 'chunk.done' || event.chunk !== '1') return
          changing.push(
            source.sql('DELETE FROM half_live WHERE a = 5', "INSERT INTO half_live VALUES (-7, 'v'), (9000, 'v')"),
          )
        },
      })
      expect(changing).toHaveLength(1)
      await Promise.all(changing)
      expect(ran.finished.error).toBeUndefined()
    })

    it('from Cassandra: a row is deleted and a value is removed since', { timeout: 60_000 }, async () => {
      await cql('CREATE TABLE origin.half (a int PRIMARY KEY, v text, w int)')
      for (let a = 1; a <= 3; a++) await cql(`INSERT INTO origin.half (a, v, w) VALUES (${a}, 'v${a}', ${a})`)
      const copy = copyOf({ url: cluster.url('origin') }, { url: cluster.url('target') }, 'origin.half', {
        toSchema: 'target',
        ring: { splits: 1 },
      })
      await dying(copy)
      await cql('DELETE v FROM origin.half WHERE a = 1', 'DELETE FROM origin.half WHERE a = 3')
      expect((await perform(copy)).finished).toMatchObject({
        exitCode: 1,
        error: { code: 'CHUNKS_FAILED', hint: HINT },
      })
      expect((await perform({ ...copy, again: true, deleteExtra: true })).finished).toMatchObject({ exitCode: 0 })
      expect(await sorted('SELECT a, v, w FROM target.half')).toEqual(['1|null|1', '2|v2|2'])
      expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    })
  })
})
