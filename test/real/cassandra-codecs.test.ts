/**
 * Codecs of the Cassandra Data Migrator between two keyspaces: both directions, with proof, comparison, repair and
 * quarantine.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { failures } from './cassandra-target-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const NUMBERS = 'i int, b bigint, d double, n decimal, t timestamp'
const TEXTS = 'i text, b text, d text, n text, t text'
const AT = '2024-02-29 13:05:09.007+0000'

describe.skipIf(!CASSANDRA_AVAILABLE)(`codecs of the migrator ${CASSANDRA_MISSING}`, () => {
  let source: TestKeyspace
  let target: TestKeyspace
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-codecs-'))
    source = await newKeyspace()
    target = await newKeyspace()
    await source.cql(
      `CREATE TABLE numbers (id int PRIMARY KEY, ${NUMBERS})`,
      `CREATE TABLE texts (id int PRIMARY KEY, ${TEXTS})`,
      'CREATE TABLE keyed (at timestamp PRIMARY KEY, v int)',
      `INSERT INTO numbers (id, i, b, d, n, t) VALUES (1, -2147483648, 9223372036854775807, 1e21, 1.50, '${AT}')`,
      'INSERT INTO numbers (id, i) VALUES (2, 7)',
      "INSERT INTO texts (id, i, b, d, n, t) VALUES (1, '007', '-9', '1.0E21', '1.50', '20240229140509')",
      "INSERT INTO texts (id, i) VALUES (2, 'seven')",
      "INSERT INTO keyed (at, v) VALUES ('2024-02-29 13:05:09+0000', 1)",
      "INSERT INTO keyed (at, v) VALUES ('2024-02-29 13:05:10.5+0000', 2)",
    )
    await target.cql(
      `CREATE TABLE numbers (id int PRIMARY KEY, ${TEXTS})`,
      `CREATE TABLE texts (id int PRIMARY KEY, ${NUMBERS})`,
      'CREATE TABLE keyed (at text PRIMARY KEY, v int)',
    )
  }, 120_000)
  afterAll(async () => {
    await source[Symbol.asyncDispose]()
    await target[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A job as a user of the migrator starts it. */
  async function job(name: string, table: string, ...properties: readonly string[]): Promise<Operation> {
    const file = join(folder, 'cdm.properties')
    writeFileSync(file, properties.join('\n'))
    const words = [name, '--properties', file, '--from', source.url, '--to', target.url, '--table', table]
    const { request } = await parseCommandLine([...words, '--consistency', 'ONE'], {})
    if (request.kind !== 'operation') throw new Error('no operation')
    return request.operation
  }

  const NUMERIC = 'INT_STRING,BIGINT_STRING,DOUBLE_STRING,DECIMAL_STRING'

  test('numbers and times become the texts that Java writes; a comparison finds them equal, and repairs a wrong one', async () => {
    const codecs = `spark.cdm.transform.codecs ${NUMERIC},TIMESTAMP_STRING_MILLIS`
    const ran = await perform(await job('copy', 'numbers', codecs))
    expect(ran.finished.exitCode, failures(ran)).toBe(0)
    const [row] = await target.rows('SELECT i, b, d, n, t FROM numbers WHERE id = 1')
    expect(row?.values()).toEqual(['-2147483648', '9223372036854775807', '1.0E21', '1.50', '1709211909007'])
    expect((await target.rows('SELECT i, d FROM numbers WHERE id = 2'))[0]?.values()).toEqual(['7', null])
    expect((await perform(await job('diff', 'numbers', codecs))).finished.exitCode).toBe(0)
    await target.cql(
      "UPDATE numbers USING TIMESTAMP 1 SET t = '1' WHERE id = 2",
      "UPDATE numbers SET i = '8' WHERE id = 2",
    )
    const found = await perform(await job('diff', 'numbers', codecs))
    expect(found.finished.exitCode).toBe(1)
    const fix = await job('diff', 'numbers', codecs, 'spark.cdm.autocorrect.mismatch true')
    await perform({ ...fix, overwriteNewer: true } as Operation)
    expect((await target.rows('SELECT i FROM numbers WHERE id = 2'))[0]?.values()).toEqual(['7'])
  })

  test('texts are parsed by a pattern; a text without a match is quarantined, and copied after its correction', async () => {
    const properties = [
      `spark.cdm.transform.codecs ${NUMERIC},TIMESTAMP_STRING_FORMAT`,
      'spark.cdm.transform.codecs.timestamp.string.zone Etc/GMT-1',
    ]
    const ran = await perform(await job('copy', 'texts', ...properties))
    expect(ran.finished.exitCode).toBe(1)
    expect(ran.finished.totals['quarantined']).toBe('1')
    const columns = 'i, b, d, n, t'
    const [row] = await target.rows(`SELECT ${columns} FROM texts WHERE id = 1`)
    expect(row?.values().map(String)).toEqual(['7', '-9', '1e+21', '1.50', String(new Date('2024-02-29T13:05:09Z'))])
    await source.cql("UPDATE texts SET i = '7' WHERE id = 2")
    const again = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
    expect(again.finished.exitCode, failures(again)).toBe(0)
    expect((await target.rows('SELECT i FROM texts WHERE id = 2'))[0]?.values()).toEqual([7])
  })

  test('a key that does not convert back is quarantined', async () => {
    const properties = ['spark.cdm.transform.codecs TIMESTAMP_STRING_FORMAT']
    const ran = await perform(await job('copy', 'keyed', ...properties))
    expect(ran.finished.totals, failures(ran)).toMatchObject({ quarantined: '1' })
    const rows = await target.rows('SELECT at, v FROM keyed')
    expect(rows.map((row) => row.values())).toEqual([['20240229130509', 1]])
  })
})
