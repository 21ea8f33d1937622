/** Every checkpoint of a table compared with its commits, action by action, whatever the catalog has. */
import { mkdir, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CHECKPOINT_KINDS, type CheckpointRow } from '../../src/model/lake/checkpoint-writer.ts'
import { duckdbCheckpointWriter } from '../../src/stores/duckdb/checkpoint-writer.ts'
import { sqlLiteral, openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { addLine, makeLake } from './validate-lake.ts'
import { differencesOf, imported, validated, type Validated } from './validate-setup.ts'

const PROTOCOL = '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}'
const metaData = (id: string): string =>
  JSON.stringify({
    metaData: {
      id,
      format: { provider: 'parquet', options: {} },
      schemaString: '{"type":"struct","fields":[]}',
      partitionColumns: ['p'],
      configuration: { 'delta.setTransactionRetentionDuration': 'interval 30 days' },
    },
  })
const LATELY = Date.now() - 3_600_000
const LONG_AGO = 1_500_000_000_000
const txn = (app: string, version: number, lastUpdated: number): string =>
  JSON.stringify({ txn: { appId: app, version, lastUpdated } })
const remove = (path: string, at: number): string =>
  JSON.stringify({ remove: { path, deletionTimestamp: at, dataChange: true } })
const domain = (name: string, configuration: string, removed = false): string =>
  JSON.stringify({ domainMetadata: { domain: name, configuration, removed } })

const COMMITS = [
  [PROTOCOL, metaData('one'), addLine('p=a/1'), addLine('p=a/2'), addLine('p=a/3'), addLine('p=a/it%27s%25')],
  [txn('old', 1, LONG_AGO), txn('new', 7, LATELY), domain('mine', 'x'), domain('gone', 'y')],
  [remove('p=a/1', LONG_AGO), remove('p=a/2', LATELY), domain('gone', '', true)],
  [addLine('p=a/4')],
]

/** What a checkpoint of version 2 must contain. */
const AT_2 = [
  PROTOCOL,
  metaData('one'),
  addLine('p=a/3', { dataChange: false }),
  addLine("p=a/it's%25", { dataChange: false }),
  txn('new', 7, LATELY),
  domain('mine', 'x'),
  remove('p=a/2', LATELY),
]

const digits = (version: number): string => String(version).padStart(20, '0')

async function writeCheckpoint(folder: string, version: number, lines: readonly string[]): Promise<void> {
  const file = join(folder, '_delta_log', `${digits(version)}.checkpoint.parquet`)
  await rm(file, { force: true })
  await writeRows(file, lines)
}

async function writeRows(file: string, lines: readonly string[]): Promise<void> {
  const rows = lines.map((json): CheckpointRow => {
    const kind = CHECKPOINT_KINDS.find((one) => json.startsWith(`{"${one}"`))
    if (kind === undefined) throw new Error(`no kind: ${json}`)
    return { kind, json }
  })
  await duckdbCheckpointWriter().write(
    file,
    (async function* () {
      yield rows
    })(),
    NEVER.abort,
  )
}

describe('a checkpoint', () => {
  it('with the actions of the commits is proved, without expired ones', async () => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeCheckpoint(lake.folder, 2, AT_2)
    const result = await validated(subject)
    expect(differencesOf(result.events)).toEqual([])
    expect(result.witnesses).toContain(`${digits(2)}.checkpoint.parquet`)
    expect(result.checkpoints).toEqual({ inspected: 1, unreadable: 0, all: 1, notJudged: 0 })
  })

  const CASES: readonly [string, readonly string[], readonly RegExp[]][] = [
    [
      'that lacks one of everything',
      [addLine("p=a/it's%25", { dataChange: false })],
      [
        /checkpoint: metaData v2 {2}row: log missing/,
        /checkpoint: protocol v2 {2}row: log missing/,
        /checkpoint: txn v2 new row: log missing/,
        /checkpoint: domainMetadata v2 mine row: log missing/,
        /checkpoint: files v2 p=a\/3 row: log missing/,
        /checkpoint: tombstones v2 p=a\/2 row: log missing/,
      ],
    ],
    [
      'that says something else of everything',
      [
        PROTOCOL.replace('1,', '99,'),
        metaData('other'),
        addLine('p=a/3', { size: 101 }),
        addLine("p=a/it's%25"),
        txn('new', 8, LATELY),
        domain('mine', 'z'),
        remove('p=a/2', LATELY + 1),
      ],
      [
        /metaData v2 {2}metadata_id: log other \| catalog one/,
        /min_reader_version: log 99 \| catalog 1/,
        /txn_version: log 8 \| catalog 7/,
        /domainMetadata v2 mine configuration: log z \| catalog x/,
        /files v2 p=a\/3 size: log 101 \| catalog 100/,
        /tombstones v2 p=a\/2 deletion_timestamp: log/,
      ],
    ],
    [
      'that has more of everything',
      [
        ...AT_2,
        PROTOCOL,
        metaData('one'),
        addLine('p=a/3'),
        addLine('p=a/4'),
        txn('other', 1, 5),
        domain('gone', 'y'),
        remove('p=a/3', 5),
      ],
      [
        /checkpoint: protocol v2 {2}rows: log 2 \| catalog 1/,
        /checkpoint: metaData v2 {2}rows: log 2 \| catalog 1/,
        /checkpoint: files v2 p=a\/3 copies: log 2 \| catalog 1/,
        /checkpoint: files v2 p=a\/4 row: log present/,
        /checkpoint: txn v2 other row: log present/,
        /checkpoint: domainMetadata v2 gone row: log present/,
        /checkpoint: tombstones v2 p=a\/3 row: log present/,
      ],
    ],
  ]
  it.each(CASES)('%s is a difference each', async (_, lines, expected) => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeCheckpoint(lake.folder, 2, lines)
    const result = await validated(subject)
    const differences = differencesOf(result.events)
    for (const one of expected) expect(differences.join('\n')).toMatch(one)
    expect(differences.filter((one) => !one.startsWith('checkpoint: '))).toEqual([])
    expect(result.witnessDifferences).toBe(result.differences)
  })

  it('is compared whichever it is, even with others of its version and in JSON', async () => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeCheckpoint(lake.folder, 2, AT_2)
    const v2 = `${digits(2)}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`
    await writeFile(
      join(lake.folder, '_delta_log', v2),
      ['{"checkpointMetadata":{"version":2}}', ...AT_2.filter((line) => !line.includes('p=a/3'))].join('\n'),
    )
    await writeCheckpoint(lake.folder, 3, [...AT_2.filter((line) => !line.startsWith('{"txn"')), addLine('p=a/4')])
    const result = await validated(subject)
    const differences = differencesOf(result.events)
    expect(differences.filter((one) => one.includes('p=a/3 row: log missing'))).toHaveLength(1)
    expect(differences.filter((one) => one.startsWith('checkpoint: txn v3 new row: log missing'))).toHaveLength(1)
    expect(differences).toHaveLength(2)
    expect(result.checkpoints).toEqual({ inspected: 3, unreadable: 0, all: 3, notJudged: 0 })
    expect(result.witnessDifferences).toBe(2)
    const bounded = await validated(subject, 3, 1)
    expect(bounded.checkpoints).toEqual({ inspected: 1, unreadable: 0, all: 3, notJudged: 0 })
    expect(bounded.witnesses).toContain(`${digits(3)}.checkpoint.parquet`)
  })

  it('that cannot be read is a difference', async () => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeCheckpoint(lake.folder, 2, AT_2)
    await truncate(join(lake.folder, '_delta_log', `${digits(2)}.checkpoint.parquet`), 100)
    const result = await validated(subject)
    expect(differencesOf(result.events).join()).toMatch(/^checkpoint: readable v2 .*file: log .*catalog readable$/)
    expect(result.checkpoints).toEqual({ inspected: 0, unreadable: 1, all: 1, notJudged: 0 })
  })

  it.each([
    ['that is of another version by its own word', 1, 0, 'its checkpointMetadata has version 1'],
    ['whose sidecar has another size than it says', 2, 1, 'bytes, and the checkpoint records'],
    ['of V2 that says so of itself and its sidecar', 2, 0, null],
  ])('%s', async (_, version, more, reason) => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    const sidecars = join(lake.folder, '_delta_log', '_sidecars')
    await mkdir(sidecars)
    const isFile = (line: string): boolean => line.startsWith('{"add"') || line.startsWith('{"remove"')
    await writeRows(join(sidecars, 's.parquet'), AT_2.filter(isFile))
    const { size } = await stat(join(sidecars, 's.parquet'))
    const sidecar = { path: 's.parquet', sizeInBytes: size + more, modificationTime: LATELY }
    await writeFile(
      join(lake.folder, '_delta_log', `${digits(2)}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`),
      [
        JSON.stringify({ checkpointMetadata: { version } }),
        JSON.stringify({ sidecar }),
        ...AT_2.filter((line) => !isFile(line)),
      ].join('\n'),
    )
    const result = await validated(subject)
    if (reason === null) expect(differencesOf(result.events)).toEqual([])
    else expect(differencesOf(result.events).join()).toContain(reason)
    expect(result.checkpoints).toMatchObject({ unreadable: reason === null ? 0 : 1 })
  })

  it('with missing parts is named, and does not count', async () => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeFile(join(lake.folder, '_delta_log', `${digits(2)}.checkpoint.0000000001.0000000003.parquet`), '')
    const result = await validated(subject)
    expect(result.differences).toBe(0)
    expect(result.notes.join()).toContain('checkpoint 2 has 1 of its 3 parts')
  })

  it('with decimals without a digit before the point, in statistics that are a struct only, is proved', async () => {
    const add = (dataChange: boolean): string =>
      addLine('p=a/1', { dataChange, stats: '{"numRecords":1,"minValues":{"d":-0.125,"s":":.5","t":"\\":.5"}}' })
    await using lake = await makeLake([[PROTOCOL, metaData('one'), add(true)]])
    await writeCheckpoint(lake.folder, 0, [PROTOCOL, metaData('one'), add(false)])
    const file = join(lake.folder, '_delta_log', `${digits(0)}.checkpoint.parquet`)
    const struct = `{numRecords: 1::BIGINT, minValues: {d: (-0.125)::DECIMAL(38,38), s: ':.5', t: '":.5'}}`
    const kept = ['path', 'partitionValues', 'size', 'modificationTime', 'dataChange'].map((n) => `${n}: "add".${n}`)
    using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    await db.connection.run(`CREATE TABLE c AS SELECT * REPLACE (CASE WHEN "add" IS NOT NULL
      THEN {${kept.join(', ')}, stats_parsed: ${struct}} END AS "add") FROM read_parquet(${sqlLiteral(file)})`)
    await db.connection.run(`COPY c TO ${sqlLiteral(file)} (FORMAT parquet)`)
    await using subject = await imported(lake.folder)
    const result = await validated(subject)
    expect(differencesOf(result.events)).toEqual([])
    expect(result.checkpoints).toEqual({ inspected: 1, unreadable: 0, all: 1, notJudged: 0 })
  })

  it('whose commits are gone is not compared, which is reported', async () => {
    await using lake = await makeLake(COMMITS)
    await writeCheckpoint(lake.folder, 2, AT_2)
    await using subject = await imported(lake.folder)
    for (const version of [0, 1, 2]) await rm(join(lake.folder, '_delta_log', `${digits(version)}.json`))
    await writeCheckpoint(lake.folder, 3, [...AT_2, addLine('p=a/4'), addLine('p=a/5')])
    const result = await validated(subject)
    expect(differencesOf(result.events)).toEqual(['checkpoint: files v3 p=a/5 row: log present | catalog missing'])
    expect(result.checkpoints).toEqual({ inspected: 1, unreadable: 0, all: 2, notJudged: 1 })
    expect(result.notes.join()).toContain('checkpoint 2 is not checked')
  })
})

describe('_last_checkpoint', () => {
  it('is read up to a limit, and a larger one is a difference', async () => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await mkdir(join(lake.folder, '_delta_log'), { recursive: true })
    const hint = join(lake.folder, '_delta_log/_last_checkpoint')
    await writeFile(hint, '{"version":2}')
    // A sparse file: it uses no disk space, and would use all memory.
    await truncate(hint, 6_400_000_000)
    const before = process.memoryUsage().rss
    const result: Validated = await validated(subject)
    expect(process.memoryUsage().rss - before).toBeLessThan(1e9)
    expect(differencesOf(result.events).join()).toMatch(
      /^last checkpoint: size v3 .*bytes: log 6400000000 \| catalog at most 16777216$/,
    )
    expect((await readdir(join(lake.folder, '_delta_log'))).includes('_last_checkpoint')).toBe(true)
  })

  it.each([
    ['{"version":999999999999,"size":1}', /names checkpoint 999999999999, which is missing: readers that follow it/],
    ['{"version":-1,"size":1}', /names checkpoint -1, which is missing/],
    ['{"version":2,"size":1,"parts":4000000000}', /names checkpoint 2, in 4000000000 parts, which are missing/],
    [null, /_last_checkpoint was not compared: the file cannot be read/],
    ['{"version":2,"size":7}', null],
  ])('that is %s is not used, which is reported', async (text, expected) => {
    await using lake = await makeLake(COMMITS)
    await using subject = await imported(lake.folder)
    await writeCheckpoint(lake.folder, 2, AT_2)
    const hint = join(lake.folder, '_delta_log/_last_checkpoint')
    await (text === null ? mkdir(hint) : writeFile(hint, text))
    const result: Validated = await validated(subject)
    expect(result.differences).toBe(0)
    const notes = result.notes.filter((note) => note.includes('_last_checkpoint'))
    expect(notes).toHaveLength(expected === null ? 0 : 1)
    if (expected !== null) expect(notes[0]).toMatch(expected)
  })
})
