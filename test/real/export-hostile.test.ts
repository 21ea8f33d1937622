/**
 * `export-log` with values that break writers, with rows for which a checkpoint has no column, and with kill -9 during
 * the run.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { DeltaTable } from '../../src/delta/table.ts'
import type { CheckpointRow } from '../../src/model/lake/checkpoint-writer.ts'
import { duckdbCheckpointWriter } from '../../src/stores/duckdb/checkpoint-writer.ts'
import { sqlLiteral, openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  add,
  dumpCatalog,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { catalogAnswer, exportTo, namedAs, snapshotAnswer } from './export-kit.ts'
import { differencesOf, validated } from './validate-setup.ts'

const NEVER = new AbortController().signal
const BIN = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const ROOT = 'file:///t'
const ODD = 'a\nb"c\'d\\e\u0000f😀\u2028\t{}[]*?'

function folderWithHostileTable(path: string): string {
  const table = join(path, 'a * [table] {x}')
  const values = { day: ODD, Day: '', '': null, 'key\n"😀\u0000': '\u0001' }
  const commits: Line[][] = [
    [PROTOCOL, { metaData: { ...(METADATA['metaData'] as object), description: ODD, configuration: { [ODD]: ODD } } }],
    [add('plain'), add(encodeURIComponent(ODD), { partitionValues: values, tags: { [ODD]: null }, stats: '' })],
    [
      add('dv', {
        deletionVector: {
          storageType: 'u',
          pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
          offset: 4,
          sizeInBytes: 40,
          cardinality: 6,
        },
        stats: JSON.stringify({ numRecords: 10, minValues: { s: `${ODD}\\ud83d` } }),
        baseRowId: Number.MAX_SAFE_INTEGER,
        defaultRowCommitVersion: 0,
        clusteringProvider: ODD,
        modificationTime: -1,
      }),
      remove('plain', {
        deletionTimestamp: 4_000_000_000_000,
        extendedFileMetadata: true,
        partitionValues: values,
        size: 1,
      }),
      { domainMetadata: { domain: ODD, configuration: ODD, removed: false } },
      { domainMetadata: { domain: 'gone', configuration: '', removed: true } },
    ],
  ]
  writeLog(table, commits)
  const file = join(table, '_delta_log', `${'2'.padStart(20, '0')}.json`)
  const big = ['9223372036854775807', '-9223372036854775808'].map(
    (n, i) => `{"txn":{"appId":"app ${i}","version":${n}}}\n`,
  )
  writeFileSync(file, readFileSync(file, 'utf8') + big.join(''))
  return table
}

test('hostile values are read back from a checkpoint unchanged', async () => {
  using folder = temporaryFolder()
  const first = join(folder.path, 'first.db')
  const out = join(folder.path, 'out * [1] {x}')
  await using before = await openCatalog(first)
  await importInto(before, folderWithHostileTable(folder.path), {
    log: namedAs(openLocalLog(join(folder.path, 'a * [table] {x}')), ROOT),
  })
  await exportTo(first, out, 'latest')
  for (const version of [0, 1, 2]) {
    const name = `${String(version).padStart(20, '0')}.json`
    const theirs = readFileSync(join(folder.path, 'a * [table] {x}', '_delta_log', name))
    expect(readFileSync(join(out, '_delta_log', name)).equals(theirs)).toBe(true)
  }
  for (const name of readdirSync(join(out, '_delta_log'))) {
    if (name.endsWith('.json')) writeFileSync(join(out, '_delta_log', name), 'no json')
  }
  const table = await DeltaTable.open(namedAs(openLocalLog(out), ROOT), async () => duckdbParquetRows(), NEVER)
  const snapshot = await table.snapshot()
  expect(await snapshotAnswer(snapshot, NEVER)).toEqual(await catalogAnswer(before, ROOT, 2))
  const state = await snapshot.state(NEVER)
  expect([...state.txns.values()].map((txn) => txn.version).toSorted()).toEqual([
    '-9223372036854775808',
    '9223372036854775807',
  ])
  const adds = []
  for await (const block of snapshot.files({ signal: NEVER })) adds.push(...block.map(({ add: one }) => one))
  expect(adds.find((one) => one.path === 'dv')).toMatchObject({
    dataChange: false,
    baseRowId: Number.MAX_SAFE_INTEGER,
    clusteringProvider: ODD,
    deletionVector: { offset: 4, sizeInBytes: 40, cardinality: 6 },
  })
  const removes = []
  for await (const block of snapshot.tombstones(NEVER)) removes.push(...block.map(({ remove: one }) => one))
  expect(removes).toHaveLength(1)
  expect(removes[0]).toMatchObject({ path: 'plain', deletionTimestamp: 4_000_000_000_000, size: 1, dataChange: false })
})

test('64-bit numbers are written exactly; a value that Parquet cannot hold is refused by name and leaves no file', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'c.parquet')
  const rows = async function* (...json: readonly string[]): AsyncGenerator<readonly CheckpointRow[]> {
    yield json.map((one) => ({ kind: 'add' as const, json: one }))
  }
  const numbers = ['9223372036854775807', '-9223372036854775808']
  const written = await duckdbCheckpointWriter().write(
    file,
    rows(...numbers.map((n) => `{"add":{"path":"p","baseRowId":${n}}}`)),
    NEVER,
  )
  expect(written.rows).toBe(2)
  {
    using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    const read = await db.connection.run(`SELECT add.baseRowId::VARCHAR FROM read_parquet(${sqlLiteral(file)})`)
    expect((await read.getRows()).flat()).toEqual(numbers)
  }
  const refused = join(folder.path, 'refused.parquet')
  for (const json of ['{"add":{"path":"\\ud83d"}}', '{"add":{"path":"p","size":9223372036854775808}}']) {
    const writing = duckdbCheckpointWriter().write(refused, rows(json), NEVER)
    await expect(writing).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
  }
  // A row without its announced column would be written as a row of nulls.
  const writing = duckdbCheckpointWriter().write(refused, rows('{"cdc":{"path":"p"}}'), NEVER)
  await expect(writing).rejects.toThrow('does not have the 1 rows of add')
  expect(readdirSync(folder.path)).toEqual(['c.parquet'])
})

test('commits keep the bytes between their lines', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const lines = [PROTOCOL, METADATA, add('a')].map((line) => JSON.stringify(line))
  const spread = JSON.stringify(add('b'), null, 2)
  const forms = [
    lines.join('\n'),
    `${lines.join('\r\n')}\r\n`,
    lines.join('\r\n'),
    `\ufeff${lines.join('\n')}\n`,
    `\ufeff${lines.join('\r\n')}\r\n\r\n`,
    `\n\n${lines.join('\n\n\n')}\n\n\n`,
    `${lines.join('\n')}\n${spread}\n`,
    '',
  ]
  writeLog(
    table,
    forms.map(() => []),
  )
  forms.forEach((text, i) => writeFileSync(join(table, '_delta_log', `${String(i).padStart(20, '0')}.json`), text))
  const first = join(folder.path, 'first.db')
  {
    await using database = await openCatalog(first)
    await importInto(database, table)
  }
  const { totals } = await exportTo(first, join(folder.path, 'out'))
  forms.forEach((text, i) => {
    const name = `${String(i).padStart(20, '0')}.json`
    expect(readFileSync(join(folder.path, 'out/_delta_log', name), 'utf8')).toBe(text)
  })
  expect(totals['identical']).toBe(String(forms.length))
})

test('rows for which a checkpoint has no column are left out and named', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [[add('later')]], 6)
  const rows = [
    { checkpointMetadata: { version: 5 } },
    {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['v2Checkpoint'],
        writerFeatures: ['v2Checkpoint'],
      },
    },
    METADATA,
    { weather: { sky: 'grey' } },
    { weather: { sky: 'blue' } },
    add('a'),
    { cdc: { path: 'c', partitionValues: {}, size: 1, dataChange: false } },
  ]
  const name = `${'5'.padStart(20, '0')}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`
  writeFileSync(join(table, '_delta_log', name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const first = join(folder.path, 'first.db')
  await using before = await openCatalog(first)
  await importInto(before, table)
  const { warnings, totals } = await exportTo(first, join(folder.path, 'out'))
  expect(warnings).toEqual(['checkpoint 5 has no column for these parts of the log: 2 weather, 1 cdc'])
  expect(totals).toMatchObject({ commits: '1', checkpoints: '1', checkpointRows: '3' })
  await using after = await openCatalog(join(folder.path, 'second.db'))
  await importInto(after, join(folder.path, 'out'))
  expect(await catalogAnswer(after, ROOT, 6)).toEqual(await catalogAnswer(before, ROOT, 6))
  await expect(exportTo(first, join(folder.path, 'bare'), 'none')).rejects.toMatchObject({ code: 'BAD_FLAG' })
  expect(existsSync(join(folder.path, 'bare/_delta_log'))).toBe(false)
})

test('a catalog that lost rows is refused: nothing is published', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [
    [PROTOCOL, METADATA],
    [add('a'), add('b')],
    [remove('a'), add('c')],
  ])
  const first = join(folder.path, 'first.db')
  const out = join(folder.path, 'out')
  await using database = await openCatalog(first)
  await importInto(database, table)
  await database.write((transaction) => transaction.run("DELETE FROM delta_files WHERE path = 'b'"))
  await expect(exportTo(first, out)).rejects.toMatchObject({
    code: 'TARGET_CORRUPT',
    message: 'the catalog has 1 of the 2 lines of commit 1',
  })
  await database.write((transaction) => transaction.run('UPDATE delta_commits SET num_lines = 1 WHERE version = 1'))
  await expect(exportTo(first, out, 'latest')).rejects.toMatchObject({
    code: 'TARGET_CORRUPT',
    message: expect.stringContaining('it has 1 files of version 2, and its recorded count is 2') as string,
  })
  expect(readdirSync(out)).toEqual([])
})

test('a log that the reader would refuse is not published, whatever was changed in the catalog', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, [
    [PROTOCOL, METADATA],
    [add('a'), add('b')],
    [remove('a'), add('c')],
  ])
  const damages = [
    'UPDATE delta_actions SET source = 1 WHERE version = 0',
    'UPDATE delta_actions SET source = 1, line = line + 100 WHERE version = 2',
    'DELETE FROM delta_commits WHERE version = 1',
  ]
  for (const [i, damage] of damages.entries()) {
    const file = join(folder.path, `${i}.db`)
    const out = join(folder.path, `out-${i}`)
    await using database = await openCatalog(file)
    await importInto(database, table)
    await database.write((transaction) => transaction.run(damage))
    await expect(exportTo(file, out), damage).rejects.toMatchObject({ code: 'TARGET_CORRUPT' })
    expect(readdirSync(out)).toEqual([])
  }
})

const VECTOR = {
  storageType: 'u',
  pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
  offset: 4,
  sizeInBytes: 40,
  cardinality: 6,
}

/** A change of the catalog, and what the report must name: the check, the object, the field and both sides. */
const SAYS_OTHERWISE: readonly (readonly [
  damage: string,
  named: readonly [string, string | undefined, string, string, string],
])[] = [
  ["UPDATE delta_files SET removed_version = NULL WHERE path = 'a'", ['files', 'a', '', 'absent', 'there']],
  ["UPDATE delta_files SET removed_version = 2 WHERE path = 'b'", ['files', 'b', '', 'there', 'absent']],
  ["UPDATE delta_files SET size = 7 WHERE path = 'odd'", ['files', 'odd', 'size', '100', '7']],
  ["UPDATE delta_files SET stats = 'x' WHERE path = 'odd'", ['files', 'odd', 'statistics', '{"numRecords":1}', 'x']],
  ["UPDATE delta_files SET tags = NULL WHERE path = 'odd'", ['files', 'odd', 'tags', '[["t","1"]]', '']],
  [
    "UPDATE delta_files SET partition_values = '{}' WHERE path = 'odd'",
    ['files', 'odd', 'partition values', '[["day","2024-01-01"]]', ''],
  ],
  ["UPDATE delta_files SET data_change = 0 WHERE path = 'odd'", ['files', 'odd', 'data change', 'true', 'false']],
  [
    "UPDATE delta_files SET modification_time = 1 WHERE path = 'odd'",
    ['files', 'odd', 'modification time', '1700000000000', '1'],
  ],
  [
    "UPDATE delta_files SET clustering_provider = 'me' WHERE path = 'odd'",
    ['files', 'odd', 'clustering provider', '', 'me'],
  ],
  ["UPDATE delta_files SET dv_id = 'uX' WHERE path = 'dv'", ['files', 'dv uX', '', 'absent', 'there']],
  ["UPDATE delta_metadata SET configuration = '{}'", ['metadata', undefined, 'configuration', '[["delta.k","v"]]', '']],
  ["UPDATE delta_metadata SET name = 'me'", ['metadata', undefined, 'name', '', 'me']],
  ['UPDATE delta_protocols SET min_writer_version = 9', ['protocol', undefined, 'min writer version', '7', '9']],
  ['UPDATE delta_txns SET txn_version = 9 WHERE version = 2', ['transactions', 'app', 'version', '5', '9']],
  ["UPDATE delta_domains SET configuration = '' WHERE domain = 'd'", ['domains', 'd', 'configuration', '{"a":1}', '']],
  ['DELETE FROM delta_domains', ['domains', 'd', '', 'there', 'absent']],
  ['UPDATE delta_commits SET num_files = num_files + 1 WHERE version = 2', ['totals', undefined, 'files', '4', '5']],
  ['UPDATE delta_commits SET files_without_records = 0 WHERE version = 2', ['totals', undefined, 'rows', '', '1']],
]

test('fields of a deletion vector that a checkpoint cannot hold are left out and named', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['deletionVectors'],
    writerFeatures: ['deletionVectors'],
  }
  const deletionVector = { ...VECTOR, maxRowIndex: 3 }
  writeLog(table, [
    [{ protocol }, METADATA, add('a'), add('b')],
    [remove('a'), add('a', { deletionVector })],
    [remove('a', { deletionVector }), remove('b'), add('c')],
    [add('d', { deletionVector })],
  ])
  const file = join(folder.path, 'c.db')
  await using database = await openCatalog(file)
  await importInto(database, table)
  const out = join(folder.path, 'out')
  const { error, warnings } = await exportTo(file, out, 'latest')
  expect([error?.code, warnings]).toEqual([
    undefined,
    ['checkpoint 3 has no column for these parts of the log: 1 deletionVector.maxRowIndex'],
  ])
  // The exported log has the fields in its commits and not in its checkpoint: neither is wrong.
  await using after = await openCatalog(join(folder.path, 'after.db'))
  await importInto(after, out)
  const { differences, events } = await validated({ catalog: after, log: openLocalLog(out), tableId: 't' })
  expect([differences, differencesOf(events)]).toEqual([0, []])
  // A log whose commits before that checkpoint were cleaned.
  const digits = '3'.padStart(20, '0')
  cpSync(
    join(out, '_delta_log', `${digits}.checkpoint.parquet`),
    join(table, '_delta_log', `${digits}.checkpoint.parquet`),
  )
  for (const version of [0, 1, 2]) rmSync(join(table, '_delta_log', `${String(version).padStart(20, '0')}.json`))
  const cleaned = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' })
  expect([cleaned.differences, differencesOf(cleaned.events)]).toEqual([0, []])
})

test('a log that differs from the rows of the catalog is not published, and the differences are named', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const features = ['deletionVectors', 'domainMetadata']
  writeLog(table, [
    [
      {
        protocol: {
          minReaderVersion: 3,
          minWriterVersion: 7,
          readerFeatures: ['deletionVectors'],
          writerFeatures: features,
        },
      },
      { metaData: { ...(METADATA['metaData'] as object), configuration: { 'delta.k': 'v' } } },
      add('a'),
      add('b'),
    ],
    // The fields are in another order than that of most writers: such a line is kept word for word.
    [{ add: { dataChange: true, ...(add('odd', { tags: { t: '1' }, stats: '{"numRecords":1}' })['add'] as object) } }],
    [
      remove('a'),
      add('c'),
      add('dv', { deletionVector: VECTOR }),
      { txn: { appId: 'app', version: 5 } },
      { domainMetadata: { domain: 'd', configuration: '{"a":1}', removed: false } },
    ],
  ])
  const whole = join(folder.path, 'whole.db')
  await (async () => {
    await using database = await openCatalog(whole)
    await importInto(database, table)
  })()
  const good = await exportTo(whole, join(folder.path, 'good'), 'latest')
  expect(good).toMatchObject({
    totals: { checks: '28', differences: '0' },
    proof: expect.stringMatching(
      /^read back at v2 v1 v0 of 3 versions, v2 without its checkpoint too: paths, /,
    ) as string,
  })
  for (const [i, [damage, named]] of SAYS_OTHERWISE.entries()) {
    const file = join(folder.path, `${i}.db`)
    const out = join(folder.path, `out-${i}`)
    cpSync(whole, file)
    await using database = await openCatalog(file)
    await database.write((transaction) => transaction.run(damage))
    const { error, proof, events } = await exportTo(file, out)
    expect([damage, error?.code, error?.exitCode, proof]).toEqual([damage, 'DIFFERENCES', 1, 'none'])
    expect(readdirSync(out)).toEqual([])
    const differences = events.flatMap((event) =>
      event.type === 'verify.mismatch' && event.version === '2'
        ? [[event.check, event.path, event.field, event.log, event.catalog]]
        : [],
    )
    expect(differences, damage).toContainEqual([...named])
    expect(events.filter((event) => event.type === 'verify.check' && !event.equal)).not.toEqual([])
  }
  const shown = (i: number | 'whole', to: string): { readonly status: number | null; readonly lines: string } => {
    const url = `sqlite:///${join(folder.path, `${i}.db`)}`
    const words = ['export-log', 't', '--database-url', url, '--to', join(folder.path, to), '--ci']
    const { status, stderr } = spawnSync(process.execPath, [BIN, ...words], { encoding: 'utf8' })
    return { status, lines: stderr.replaceAll(/^\d+:\d+ /gm, '') }
  }
  const fine = shown('whole', 'shown')
  expect(fine.status).toBe(0)
  expect(fine.lines).toMatch(/^proved   equal to the catalog, read back at v2 v1 v0 of 3 versions: paths, /m)
  expect(fine.lines).toMatch(
    /^end      3 commits, .* all in the bytes of the original; 0 checkpoints; 21 of 21 checks equal at 3 versions; written in /m,
  )
  const bad = shown(0, 'not-shown')
  expect(bad.status).toBe(1)
  expect(bad.lines).toMatch(/^DIFFERS  v2 files +a\n +export +absent\n +catalog +there$/m)
  expect(bad.lines).toMatch(/; not written in /)
  // A line that is generated from columns has their values. The digest of its commit shows that the bytes differ.
  await using database = await openCatalog(join(folder.path, 'again.db'))
  await importInto(database, table)
  await database.write((transaction) => transaction.run("UPDATE delta_files SET size = 7 WHERE path = 'c'"))
  await database.write((transaction) =>
    transaction.run('UPDATE delta_commits SET num_bytes = num_bytes - 93 WHERE version = 2'),
  )
  const { warnings, totals } = await exportTo(join(folder.path, 'again.db'), join(folder.path, 'changed'))
  expect(totals).toMatchObject({ identical: '2', differences: '0' })
  expect(warnings).toEqual([
    'commit 2 does not have the bytes of the original: run sluice validate TABLE to compare its rows with the log',
  ])
})

test('of many files that differ, some are named and all are counted', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const names = Array.from({ length: 3_000 }, (_, i) => `f${i}`)
  writeLog(table, [[PROTOCOL, METADATA, ...names.map((name) => add(name))], [remove('f0')], [add('later')]])
  const file = join(folder.path, 'c.db')
  await using database = await openCatalog(file)
  await importInto(database, table)
  await database.write((transaction) =>
    transaction.run("UPDATE delta_files SET removed_version = 1 WHERE path LIKE 'f%'"),
  )
  const { error, events, warnings, totals } = await exportTo(file, join(folder.path, 'out'))
  expect(error?.code).toBe('DIFFERENCES')
  const named = events.filter(
    (event) => event.type === 'verify.mismatch' && event.check === 'files' && event.version === '2',
  )
  expect(named.length).toBeGreaterThan(16)
  expect(named.length).toBeLessThan(200)
  expect(warnings).toContainEqual(
    expect.stringMatching(/^v2 files: differences in \d+ more of 1,024 groups of entries are not listed/),
  )
  expect(Number(totals['differences'])).toBeGreaterThan(1_000)
})

/** Runs the compiled program, and kills it as soon as `when` is true of the folder that it writes into. */
async function killedExport(file: string, to: string, when: (partial: readonly string[]) => boolean): Promise<boolean> {
  const words = ['export-log', 't', '--database-url', `sqlite:///${file}`, '--to', to, '--checkpoint', 'latest']
  const child = spawn(process.execPath, [BIN, ...words], { stdio: 'ignore' })
  const ended = new Promise<NodeJS.Signals | null>((done) => child.once('exit', (_, signal) => done(signal)))
  const timer = setInterval(() => {
    const partial = existsSync(to) ? readdirSync(to).find((name) => name.startsWith('_delta_log.partial-')) : undefined
    try {
      if (partial !== undefined && when(readdirSync(join(to, partial)))) child.kill('SIGKILL')
    } catch {
      // The folder was renamed between the two reads.
    }
  }, 1)
  const signal = await ended
  clearInterval(timer)
  return signal === 'SIGKILL'
}

test('kill -9 leaves no partial log, and the same command again completes it', { timeout: 120_000 }, async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  // So many files that the checkpoint takes time, and so many commits that a run can be killed between them.
  const commits = Array.from({ length: 400 }, (_, i) => [
    ...(i === 0 ? [PROTOCOL, METADATA] : []),
    ...Array.from(Array(50).keys(), (j) => add(`${i}-${j}`)),
  ])
  writeLog(table, commits)
  const first = join(folder.path, 'first.db')
  await using before = await openCatalog(first)
  await importInto(before, table, { log: namedAs(openLocalLog(table), ROOT) })
  const out = join(folder.path, 'out')
  const moments: readonly ((names: readonly string[]) => boolean)[] = [
    (names) => names.length >= 1,
    (names) => names.length >= 200,
    (names) => names.some((name) => name.endsWith('.rows')),
    (names) => names.some((name) => name.endsWith('.unfinished')),
  ]
  for (const moment of moments) {
    expect(await killedExport(first, out, moment)).toBe(true)
    const names = readdirSync(out)
    expect(names.filter((name) => !name.startsWith('_delta_log.partial-'))).toEqual([])
    // The killed run has left one folder; the one of the run before it was removed.
    expect(names).toHaveLength(1)
  }
  cpSync(join(out, readdirSync(out)[0] ?? ''), join(out, '_delta_log.partial-of-mine'), { recursive: true })
  expect(await killedExport(first, out, () => false)).toBe(false)
  expect(readdirSync(out).toSorted()).toEqual(['_delta_log', '_delta_log.partial-of-mine'])
  await using after = await openCatalog(join(folder.path, 'second.db'))
  await importInto(after, out, { log: namedAs(openLocalLog(out), ROOT) })
  expect(await dumpCatalog(after)).toBe(await dumpCatalog(before))
  await expect(exportTo(first, out)).rejects.toMatchObject({ code: 'BAD_FLAG' })
  rmSync(out, { recursive: true })
})
