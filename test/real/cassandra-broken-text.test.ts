/** Invalid texts in Cassandra: the server accepts any bytes as text from blobAsText, and the driver from a Buffer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import cassandra, { types } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { cassandraDecoder } from '../../src/stores/cassandra/copy/decode.ts'
import { columnTypeOf } from '../../src/stores/cassandra/copy/types.ts'
import '../../src/stores/cassandra/broken-text.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyOf, makePlace, perform, type Ran } from '../support/copy-systems.ts'
import { copyBetween } from './cassandra-target-kit.ts'

/** An overlong NUL and a lone surrogate, each between two letters: modified UTF-8, which the servers accept. */
const OVERLONG = '0x61c08062'
const SURROGATE = '0x61eda08062'
const RAW = Buffer.from(OVERLONG.slice(2), 'hex')
const NOT_UTF8 = 'this text is not valid UTF-8'

type Decoder = { decode(bytes: Buffer, type: object): unknown }

const refusals = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'row.aside' ? [event.error.message] : [])).toSorted()

describe.runIf(CASSANDRA_AVAILABLE)('texts of invalid UTF-8', () => {
  let from: TestKeyspace
  let to: TestKeyspace
  let folder = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-broken-'))
    from = await newKeyspace()
    to = await newKeyspace()
  }, 120_000)
  afterAll(async () => {
    await from?.[Symbol.asyncDispose]()
    await to?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a copy quarantines their rows, and copies a stored U+FFFD', { timeout: 60_000 }, async () => {
    await from.cql(
      'CREATE TABLE plain (id int PRIMARY KEY, t text)',
      `INSERT INTO plain (id, t) VALUES (1, blobAsText(${OVERLONG}))`,
      `INSERT INTO plain (id, t) VALUES (2, blobAsText(${SURROGATE}))`,
      `INSERT INTO plain (id, t) VALUES (3, 'a\ufffd\ufffdb')`,
    )
    const same = await perform(copyBetween(from.url, to.url, [`${from.name}.plain`], { toSchema: to.name }))
    const target = await makePlace('sqlite', folder)
    const other = await perform(copyOf({ url: from.url }, target, 'plain'))
    for (const ran of [same, other]) {
      expect(ran.finished).toMatchObject({ exitCode: 1, totals: { read: '3', written: '1', quarantined: '2' } })
      expect(refusals(ran)).toEqual([
        `${from.name}.plain.t, row (1): ${NOT_UTF8}`,
        `${from.name}.plain.t, row (2): ${NOT_UTF8}`,
      ])
    }
    const kept = await to.rows('SELECT id, textAsBlob(t) AS b FROM plain')
    expect(kept.map((row) => [row['id'], (row['b'] as Buffer).toString('hex')])).toEqual([[3, '61efbfbdefbfbd62']])
    expect(await target.rows('SELECT id, hex(t) FROM plain')).toEqual([['3', '61EFBFBDEFBFBD62']])
  })

  test('in keys, tuples and user-defined types', { timeout: 60_000 }, async () => {
    const broken = `blobAsText(${OVERLONG})`
    await from.cql(
      'CREATE TYPE one_text (t text)',
      'CREATE TABLE deep (p text, c text, tup frozen<tuple<int, text>>, u frozen<one_text>, PRIMARY KEY (p, c))',
      `INSERT INTO deep (p, c) VALUES (${broken}, 'of p')`,
      `INSERT INTO deep (p, c) VALUES ('of c', ${broken})`,
      `INSERT INTO deep (p, c, u) VALUES ('whole', 'row', {t: 'b\ufffd'})`,
    )
    const put = async (name: string, value: unknown): Promise<unknown> =>
      from.link.client.execute(`INSERT INTO deep (p, c, ${name}) VALUES ('of', '${name}', ?)`, [value], {
        prepare: true,
      })
    await put('tup', new types.Tuple(1, RAW))
    await put('u', { t: RAW })
    const ran = await perform(copyBetween(from.url, to.url, [`${from.name}.deep`], { toSchema: to.name }))
    expect(ran.finished).toMatchObject({ exitCode: 1, totals: { read: '5', written: '1', quarantined: '4' } })
    expect(refusals(ran)).toEqual([
      `${from.name}.deep.c, row (of c, \\x61c08062): ${NOT_UTF8}`,
      `${from.name}.deep.p, row (\\x61c08062, of p): ${NOT_UTF8}`,
      `${from.name}.deep.tup, row (of, tup): ${NOT_UTF8}`,
      `${from.name}.deep.u, row (of, u): ${NOT_UTF8}`,
    ])
  })

  test('a row with an empty number in its key is quarantined', { timeout: 60_000 }, async () => {
    await from.cql(
      'CREATE TABLE hollow (p int, c int, v int, PRIMARY KEY (p, c))',
      'INSERT INTO hollow (p, c, v) VALUES (1, blobAsInt(0x), 5)',
      'INSERT INTO hollow (p, c, v) VALUES (1, 2, 6)',
    )
    const target = await makePlace('sqlite', folder)
    const ran = await perform(copyOf({ url: from.url }, target, 'hollow'))
    expect(ran.finished).toMatchObject({ exitCode: 1, totals: { read: '2', written: '1', quarantined: '1' } })
    expect(refusals(ran)).toEqual(['a row of the partition (1) has an empty value in its key column c'])
    const retry = { kind: 'retry-quarantine', from: from.url, to: target.url } as const
    for (let i = 0; i < 2; i++) {
      const { finished, events } = await perform(retry)
      expect(finished, JSON.stringify(events)).toMatchObject({
        error: { code: 'ROWS_ASIDE' },
        totals: { gone: '0', quarantined: '1' },
      })
    }
  })

  test('a comparison names their rows', { timeout: 60_000 }, async () => {
    for (const { cql } of [from, to]) {
      await cql('CREATE TABLE both (id int PRIMARY KEY, t text)', "INSERT INTO both (id, t) VALUES (2, 'whole')")
    }
    await from.cql(`INSERT INTO both (id, t) VALUES (1, blobAsText(${OVERLONG}))`)
    await to.cql("INSERT INTO both (id, t) VALUES (1, 'a\ufffd\ufffdb')")
    const operation = {
      kind: 'diff',
      from: from.url,
      to: to.url,
      tables: [`${from.name}.both`],
      toSchema: to.name,
      rename: {},
      workers: 2,
      limit: 10,
      fix: false,
      deleteExtra: false,
    } as const
    const ran = await perform(operation)
    expect(ran.finished).toMatchObject({ exitCode: 1, error: { message: 'one row could not be compared' } })
    const logged = ran.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    expect(logged.join('\n')).toContain(`${from.name}.both.t, row (1): ${NOT_UTF8}`)
    // In a target it differs from U+FFFD.
    const turned = { from: to.url, to: from.url, tables: [`${to.name}.both`], toSchema: from.name }
    const { finished } = await perform({ ...operation, ...turned })
    expect(finished).toMatchObject({ exitCode: 1, totals: { different: '1' } })
  })

  test('an archive refuses the table, and removes no row', { timeout: 60_000 }, async () => {
    await from.cql(
      'CREATE TABLE past (id int PRIMARY KEY, at timestamp, t text)',
      `INSERT INTO past (id, at, t) VALUES (1, '2020-02-01 00:00:00+0000', blobAsText(${OVERLONG}))`,
      `INSERT INTO past (id, at, t) VALUES (2, '2020-02-02 00:00:00+0000', 'whole')`,
    )
    const words = [
      'archive',
      'run',
      '--from',
      from.url,
      '--to',
      join(folder, 'archive'),
      '--table',
      `${from.name}.past`,
    ]
    const due = ['--by', 'at', '--calendar', 'quarter', '--older-than', '1q', '--grace', '0d']
    const { request } = await parseCommandLine([...words, ...due, '--drop', `--confirm=${from.name}.past`], {})
    if (request.kind !== 'operation') throw new Error(JSON.stringify(request))
    const ran = await perform(request.operation)
    expect(ran.finished.error?.code).toBe('VALUE_REFUSED')
    expect(ran.finished.error?.message).toContain(`${from.name}.past.t, row (1): ${NOT_UTF8}`)
    // The archive stores the column as text already.
    expect(ran.finished.error?.hint).not.toContain('--as-text')
    const left = await from.rows('SELECT id, textAsBlob(t) AS b FROM past')
    expect(left.map((row) => [row['id'], (row['b'] as Buffer).toString('hex')])).toContainEqual([1, OVERLONG.slice(2)])
  })
})

test('no reader decodes the bytes of an invalid text', () => {
  const { Encoder } = cassandra as unknown as { Encoder: new (version: number, options: object) => Decoder }
  const driver = new Encoder(4, { encoding: { map: Map, set: Set } })
  const { text, ascii, list, map } = types.dataTypes
  const held = (...values: readonly Buffer[]): Buffer =>
    Buffer.concat(values.flatMap((value) => [Buffer.of(0, 0, 0, value.length), value]))
  const one = { kind: 'simple', name: 'text' } as const
  const cases = [
    { bytes: Buffer.of(0x61, 0xe9), type: { code: ascii }, cql: { kind: 'simple', name: 'ascii' } },
    { bytes: RAW, type: { code: text }, cql: one },
    {
      bytes: Buffer.concat([Buffer.of(0, 0, 0, 1), held(RAW)]),
      type: { code: list, info: { code: text } },
      cql: { kind: 'list', of: one, frozen: false },
    },
    {
      bytes: Buffer.concat([Buffer.of(0, 0, 0, 1), held(RAW, Buffer.from('value'))]),
      type: { code: map, info: [{ code: text }, { code: text }] },
      cql: { kind: 'map', key: one, value: one, frozen: false },
    },
  ] as const
  for (const { bytes, type, cql } of cases) {
    const value = driver.decode(bytes, type)
    for (const as of [{ kind: 'native', name: 'x' }, columnTypeOf(cql)] as const) {
      expect(() => cassandraDecoder(cql, as)(value)).toThrow(NOT_UTF8)
    }
  }
})
