/**
 * `fsck` of files that readers open a table with: an unreadable checkpoint, or a hint to a missing one, prevents that.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { checkpointsForHint, hintFault, inspectHint } from '../../src/delta/last-checkpoint.ts'
import { listLog } from '../../src/delta/listing.ts'
import { schemaOf } from '../../src/delta/schema.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { inspectCompacted } from '../../src/engine/lake/fsck/inspect-compacted.ts'
import type { Subject } from '../../src/engine/lake/fsck/subject.ts'
import { openLake, parquetRows } from '../../src/engine/run/registry.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { add, METADATA, PROTOCOL, remove, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'
import { fsckOf, importOf, perform, validateOf, type Performed } from './operation-kit.ts'

const SIMPLE = 'delta-rs/simple_table_with_checkpoint'

const work = temporaryFolder()
let places = 0
afterAll(() => work[Symbol.dispose]())

function copied(table = SIMPLE): string {
  const folder = join(work.path, `table-${places++}`)
  cpSync(folderOf(table), folder, { recursive: true })
  return folder
}

function kinds({ events }: Performed): readonly string[] {
  const found = events.filter((event) => event.type === 'fsck.finding').filter(({ level }) => level === 'finding')
  return [...new Set(found.map(({ finding }) => finding))].toSorted()
}

function line({ events }: Performed): string | undefined {
  const reported = events.filter((event) => event.type === 'fsck.checked').find(({ check }) => check === 'checkpoints')
  return reported === undefined
    ? undefined
    : `${reported.looked} of ${reported.of}, ${reported.findings}: ${reported.detail}`
}

function checkpointOf(folder: string, ending = '.checkpoint.parquet'): string {
  const log = join(folder, '_delta_log')
  return join(log, readdirSync(log).find((name) => name.endsWith(ending)) as string)
}

function change(file: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file)
  edit(bytes)
  writeFileSync(file, bytes)
}

describe.skipIf(!HAVE_TABLES)('checkpoints', () => {
  test('that can be read are counted, and what was not compared is reported', async () => {
    const performed = await perform(fsckOf(copied()))
    expect(kinds(performed)).toEqual([])
    expect(line(performed)).toBe(
      '1 of 1, 0: read completely; files and their statistics compared with the commits; their other contents are compared by sluice validate TABLE',
    )
    expect(performed.finished.proof).toMatch(/; 1 of 1 checkpoints$/)
  })

  test('that lack a part are named, because readers ignore them', async () => {
    const folder = copied()
    const whole = checkpointOf(folder)
    cpSync(whole, whole.replace('.checkpoint.', '.checkpoint.0000000001.0000000002.'))
    const performed = await perform(fsckOf(folder))
    expect(kinds(performed)).toEqual([])
    const notes = performed.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    expect(notes).toContainEqual(expect.stringMatching(/^checkpoint \d+ ignored: 1 of its 2 parts exist$/))
  })

  test('that are written after the log was listed count as present for a newer hint', async () => {
    const folder = copied()
    const log = join(folder, '_delta_log')
    const store = await openLake(folder)
    const listed = await listLog(store, { signal: NEVER.abort })
    const made = checkpointOf(folder).replace(/\d{20}/, (digits) => String(Number(digits) + 1).padStart(20, '0'))
    cpSync(checkpointOf(folder), made)
    const hint = join(log, '_last_checkpoint')
    const { version, ...rest } = JSON.parse(readFileSync(hint, 'utf8')) as { version: number }
    writeFileSync(hint, JSON.stringify({ version: version + 1, ...rest }))
    const look = await inspectHint(store, NEVER.abort)
    const faultOf = async (): Promise<unknown> =>
      hintFault(look, await checkpointsForHint(store, version + 1, listed, NEVER.abort))
    expect(await faultOf()).toBeNull()
    rmSync(made)
    expect(await faultOf()).toMatchObject({ found: String(version + 1) })
  })

  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ['cut', (file) => truncateSync(file, 1000)],
    ['emptied', (file) => truncateSync(file, 0)],
    ['zeroed', (file) => change(file, (bytes) => bytes.fill(0))],
    ['overwritten', (file) => writeFileSync(file, 'this is no checkpoint')],
    ['zeroed in the middle', (file) => change(file, (bytes) => bytes.fill(0, 4, bytes.length >> 1))],
    ['without its metadata by name', (file) => change(file, (bytes) => rename(bytes, 'metaData', 'metaDatb'))],
    ['without its files by name', (file) => change(file, (bytes) => rename(bytes, 'add', 'adf'))],
  ]
  test.each(damages)('%s', async (_name, damage) => {
    const folder = copied()
    damage(checkpointOf(folder))
    for (const deep of [false, true]) {
      const performed = await perform(fsckOf(folder, { deep }))
      expect(kinds(performed)).toEqual(['checkpoint-unreadable'])
      expect(performed.finished).toMatchObject({ exitCode: 1, proof: 'none' })
    }
  })

  test('of V2: a truncated top file and an overwritten sidecar of the same size are findings', async () => {
    const json = copied('kernel-rs-packed/v2-checkpoints-json-with-sidecars')
    const top = readdirSync(join(json, '_delta_log')).filter((name) => name.includes('.checkpoint.'))
    for (const name of top) truncateSync(join(json, '_delta_log', name), 300)
    expect(kinds(await perform(fsckOf(json)))).toContain('checkpoint-unreadable')
    const parquet = copied('kernel-rs/v2-parquet-sidecars-struct-stats-only')
    const sidecars = join(parquet, '_delta_log/_sidecars')
    for (const name of readdirSync(sidecars)) change(join(sidecars, name), (bytes) => bytes.fill(7))
    expect(kinds(await perform(fsckOf(parquet)))).toContain('checkpoint-unreadable')
  })

  test('that are older are not read, which is reported; the one of an older version that is checked is read', async () => {
    const folder = copied()
    const log = join(folder, '_delta_log')
    const older = join(log, '00000000000000000003.checkpoint.parquet')
    writeFileSync(older, 'broken')
    const newest = await perform(fsckOf(folder))
    expect(kinds(newest)).toEqual([])
    expect(line(newest)).toMatch(
      /^1 of 2, 0: read completely; files and their statistics compared with the commits; not read: 3; /,
    )
    expect(kinds(await perform(fsckOf(folder, { asOf: { version: 5 } })))).toEqual(['checkpoint-unreadable'])
    writeFileSync(join(log, '_last_checkpoint'), '{"version":3,"size":5}')
    expect(kinds(await perform(fsckOf(folder)))).toEqual(['checkpoint-unreadable'])
  })
})

describe.skipIf(!HAVE_TABLES)('the hint', () => {
  const hints: readonly (readonly [string, string, readonly string[]])[] = [
    ['to a version that is not there', '{"version":999999999999,"size":1}', ['last-checkpoint']],
    ['to a version without a checkpoint', '{"version":4,"size":1}', ['last-checkpoint']],
    ['to a negative version', '{"version":-1,"size":1}', ['last-checkpoint']],
    ['to a version that is a text', '{"version":"10","size":1}', ['last-checkpoint']],
    ['in 4e9 parts', '{"version":10,"size":1,"parts":4000000000}', ['last-checkpoint']],
    ['that is cut', '{"version":10', ['last-checkpoint']],
    ['that is empty', '', ['last-checkpoint']],
    ['without parts', '{"version":10,"size":13,"parts":null}', []],
  ]
  test.each(hints)('%s', async (_name, text, expected) => {
    const folder = copied()
    writeFileSync(join(folder, '_delta_log/_last_checkpoint'), text)
    const performed = await perform(fsckOf(folder))
    expect(kinds(performed)).toEqual(expected)
    expect(performed.finished.exitCode).toBe(expected.length)
  })

  test('that is a folder is a finding, and a missing one is none', async () => {
    const folder = copied()
    const hint = join(folder, '_delta_log/_last_checkpoint')
    rmSync(hint)
    expect(kinds(await perform(fsckOf(folder)))).toEqual([])
    mkdirSync(hint)
    expect(kinds(await perform(fsckOf(folder)))).toEqual(['last-checkpoint'])
  })

  test('to a checkpoint with a missing part is a finding', async () => {
    const folder = copied('delta-golden/multi-part-checkpoint')
    rmSync(checkpointOf(folder, '0000000001.0000000002.parquet'))
    expect(kinds(await perform(fsckOf(folder)))).toEqual(['last-checkpoint'])
  })
})

/** Changes a name of the footer to another of the same length. */
function rename(bytes: Buffer, from: string, to: string): void {
  const footer = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8)
  const at = bytes.indexOf(Buffer.concat([Buffer.of(from.length), Buffer.from(from)]), footer)
  expect(at).toBeGreaterThan(footer)
  bytes.write(to, at + 1)
}

describe('structs of a V2 checkpoint in JSON', () => {
  const ID = '3a0d65cd-4056-49b8-937b-95f9e3ee90e5'
  const large = '9007199254740993'
  const table = (maxOfStruct: string, more = '', copies = 1): string => {
    const folder = join(work.path, `structs-${places++}`)
    const protocol = {
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: ['v2Checkpoint'],
        writerFeatures: ['v2Checkpoint'],
      },
    }
    writeLog(folder, [[protocol, METADATA]])
    const stats = JSON.stringify(`{"numRecords":1,"minValues":{"id":1},"maxValues":{"id":${large}}}`)
    const parsed = `{"numRecords":1,"minValues":{"id":1},"maxValues":{"id":${maxOfStruct}}}`
    const lines = [
      '{"checkpointMetadata":{"version":0}}',
      JSON.stringify(protocol),
      JSON.stringify(METADATA),
      ...Array.from(
        { length: copies },
        () =>
          `{"add":{"path":"a","partitionValues":{"day":"2024-01-01"},"size":1,"modificationTime":1,"dataChange":true,"stats":${stats},"stats_parsed": ${parsed}${more}}}`,
      ),
    ]
    writeFileSync(join(folder, `_delta_log/${'0'.repeat(20)}.checkpoint.${ID}.json`), `${lines.join('\n')}\n`)
    return folder
  }

  test.each([
    [large, false],
    ['9007199254740992', true],
  ])('%s', async (max, differs) => {
    const found = kinds(await perform(fsckOf(table(max))))
    expect(found.includes('checkpoint-structs')).toBe(differs)
    expect(found).not.toContain('checkpoint-unreadable')
  })

  test.each([
    ['2024-01-01', false],
    ['2024-01-02', true],
  ])('partition value %s', async (day, differs) => {
    const found = kinds(await perform(fsckOf(table(large, `,"partitionValues_parsed":{"day":"${day}"}`))))
    expect(found.includes('checkpoint-structs')).toBe(differs)
  })

  test('a file that is listed twice is a finding', async () => {
    expect(kinds(await perform(fsckOf(table(large, '', 1))))).not.toContain('checkpoint-twice')
    expect(kinds(await perform(fsckOf(table(large, '', 2))))).toContain('checkpoint-twice')
  })
})

describe('files of a checkpoint compared with the commits', () => {
  const protocol: Line = {
    protocol: {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['v2Checkpoint'],
      writerFeatures: ['v2Checkpoint'],
    },
  }
  const named = (version: number): string => `${version}`.padStart(20, '0')
  const checkpoint = (folder: string, version: number, files: readonly string[]): void => {
    const rows = [{ checkpointMetadata: { version } }, protocol, METADATA, ...files.map((name) => add(name))]
    const name = `${named(version)}.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json`
    writeFileSync(join(folder, '_delta_log', name), lines(...rows))
  }
  /** Six files and a removed one; the newest version is 6. */
  const table = (): string => {
    const folder = join(work.path, `files-${places++}`)
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    writeLog(folder, [
      [protocol, METADATA, add('z')],
      ...names.map((name) => [add(name), ...(name === 'c' ? [remove('z')] : [])]),
    ])
    return folder
  }
  const found = ({ events }: Performed, kind: string): readonly (string | undefined)[] =>
    events.flatMap((event) => (event.type === 'fsck.finding' && event.finding === kind ? [event.detail] : []))

  test('a checkpoint with all of them has no finding', async () => {
    const folder = table()
    checkpoint(folder, 6, ['a', 'b', 'c', 'd', 'e', 'f'])
    const performed = await perform(fsckOf(folder))
    expect(found(performed, 'checkpoint-files')).toEqual([])
    expect(line(performed)).toMatch(
      /^1 of 1, 0: read completely; files and their statistics compared with the commits; /,
    )
  })

  test.each([
    ['lacks one', ['a', 'b', 'c', 'd', 'e'], '5 files of 500 bytes, the commits give 6 files of 600 bytes; it lacks f'],
    [
      'has a removed one',
      ['a', 'b', 'c', 'd', 'e', 'f', 'z'],
      '7 files of 700 bytes, the commits give 6 files of 600 bytes; it also has z',
    ],
    [
      'has another one',
      ['a', 'b', 'c', 'd', 'e', 'g'],
      '6 files of 600 bytes, the commits give 6 files of 600 bytes; it lacks f; it also has g',
    ],
  ])('a checkpoint that %s is a finding', async (_, files, says) => {
    const folder = table()
    checkpoint(folder, 6, files)
    const performed = await perform(fsckOf(folder))
    expect(found(performed, 'checkpoint-files')).toEqual([`checkpoint 6 has ${says}`])
    expect(performed.finished).toMatchObject({ exitCode: 1, proof: 'none' })
  })

  test('statistics that differ from those of the commits are a finding; other spellings, and missing facts, are not', async () => {
    const folder = join(work.path, `files-${places++}`)
    const stats = (id: string): string => `{"numRecords":1,"minValues":{"id":${id}},"maxValues":{"id":${id}}}`
    const rows = (id: string): readonly Line[] => [
      add('a', { stats: stats('1') }),
      add('b', { stats: stats(id) }),
      add('c'),
      ...['d', 'e', 'f'].map((name) => add(name)),
    ]
    writeLog(folder, [
      [protocol, METADATA, ...['d', 'e', 'f'].map((name) => add(name))],
      ['a', 'b', 'c'].map((name) => add(name, { stats: stats(name === 'b' ? '20' : '1') })),
    ])
    const write = (id: string): void => {
      const name = `${named(1)}.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json`
      writeFileSync(
        join(folder, '_delta_log', name),
        lines({ checkpointMetadata: { version: 1 } }, protocol, METADATA, ...rows(id)),
      )
    }
    write('2E+1')
    expect(found(await perform(fsckOf(folder)), 'checkpoint-stats')).toEqual([])
    write('7')
    const performed = await perform(fsckOf(folder))
    expect(found(performed, 'checkpoint-stats')).toEqual([
      'checkpoint 1 has other statistics of this file than the commits: minValues.id is 7 in the checkpoint, 20 in the log, and 1 more',
    ])
    expect(performed.finished).toMatchObject({ exitCode: 1, proof: 'none' })
  })

  test('without its first commits, a checkpoint is compared with an older one; without that, fsck reports that it is not', async () => {
    const folder = table()
    const drop = (version: number): void => rmSync(join(folder, '_delta_log', `${named(version)}.json`))
    checkpoint(folder, 3, ['a', 'b', 'c'])
    checkpoint(folder, 6, ['a', 'b', 'c', 'd', 'e'])
    for (const version of [0, 1, 2]) drop(version)
    expect(found(await perform(fsckOf(folder)), 'checkpoint-files')).toEqual([
      'checkpoint 6 has 5 files of 500 bytes, checkpoint 3 and the commits give 6 files of 600 bytes; it lacks f',
    ])
    drop(4)
    const alone = await perform(fsckOf(folder))
    expect(found(alone, 'checkpoint-files')).toEqual([])
    expect(line(alone)).toContain('not compared, because their commits are gone: 6')
  })

  test.each([
    [{ tableSizeBytes: 600, numFiles: 6 }, []],
    [
      { tableSizeBytes: 600, numFiles: 5 },
      ['the checksum file of version 6 records 5 files of 600 bytes, the version has 6 files of 600 bytes'],
    ],
    [
      { tableSizeBytes: 599, numFiles: 6 },
      ['the checksum file of version 6 records 6 files of 599 bytes, the version has 6 files of 600 bytes'],
    ],
  ])('a checksum file with %j is compared with the version', async (says, expected) => {
    const folder = table()
    writeFileSync(join(folder, '_delta_log', `${named(6)}.crc`), JSON.stringify(says))
    writeFileSync(join(folder, '_delta_log', `${named(2)}.crc`), JSON.stringify(says))
    const performed = await perform(fsckOf(folder))
    expect(found(performed, 'checksum-file')).toEqual(expected)
    const reported = performed.events.find((event) => event.type === 'fsck.checked' && event.check === 'checksums')
    expect(reported).toMatchObject({
      looked: '1',
      of: '2',
      detail: 'files and bytes of version 6 compared; checksum files of other versions were not compared',
    })
  })
})

const TXN: Line = { txn: { appId: 'app', version: 1 } }
const lines = (...some: readonly Line[]): string => some.map((one) => `${JSON.stringify(one)}\n`).join('')
const WHOLE = lines(PROTOCOL, METADATA, TXN)
test.each([
  ['whole', WHOLE, 0],
  ['empty', '', 1],
  ['cut within a line', WHOLE.slice(0, -10), 1],
  ['cut behind a line', lines(PROTOCOL, METADATA), 1],
])('a compacted log file that is %s: fsck checks it, validate does not', async (_, text, exitCode) => {
  const folder = join(work.path, `compacted-${places++}`)
  writeLog(folder, [[PROTOCOL, METADATA], [TXN]])
  writeFileSync(join(folder, '_delta_log', `${'0'.repeat(20)}.${'1'.padStart(20, '0')}.compacted.json`), text)
  const performed = await perform(fsckOf(folder))
  expect(kinds(performed)).toEqual(exitCode === 0 ? [] : ['compacted-log'])
  expect(performed.finished.exitCode).toBe(exitCode)
  if (exitCode === 0) return
  const catalog = `sqlite:///${folder}.db`
  await perform(importOf(folder, catalog))
  const validated = await perform(validateOf(folder, catalog))
  expect(validated.notes).toContainEqual(expect.stringContaining('one log compaction file was not compared'))
})

test('commits are read once, however many compacted files cover them', async () => {
  const folder = join(work.path, `compacted-${places++}`)
  const commits = Array.from({ length: 6 }, (_, i) => [...(i === 0 ? [PROTOCOL, METADATA] : []), add(`f${i}`)])
  writeLog(folder, commits)
  const digits = (version: number): string => String(version).padStart(20, '0')
  const write = (from: number, to: number, some: readonly (readonly Line[])[]): void => {
    const text = some.flat().map((one) => `${JSON.stringify(one)}\n`)
    writeFileSync(join(folder, '_delta_log', `${digits(from)}.${digits(to)}.compacted.json`), text.join(''))
  }
  write(0, 3, commits.slice(0, 4))
  write(0, 5, commits)
  write(2, 4, commits.slice(2, 4))
  const local = await openLake(folder)
  const reads = new Map<string, number>()
  const store = new Proxy(local, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...given: readonly unknown[]) => {
        const [first] = given
        if (typeof first === 'string') reads.set(first, (reads.get(first) ?? 0) + 1)
        return value.apply(target, given) as unknown
      }
    },
  })
  const opened = await DeltaTable.open(store, parquetRows, NEVER.abort)
  const { protocol, metadata } = await (await opened.snapshot({})).head(NEVER.abort)
  const schema = schemaOf(protocol, metadata)
  reads.clear()
  const found: string[] = []
  const subject = { store, table: opened, schema } as unknown as Subject
  const counts = await inspectCompacted(subject, ({ detail }) => found.push(detail), NEVER.abort)
  expect(counts).toEqual({ all: 3, read: 3, notRead: [] })
  expect(found).toEqual([expect.stringContaining('f4: it lacks a file that its commits add')])
  const ofCommits = [...reads].filter(([name]) => /\d{20}\.json$/.test(name))
  expect(ofCommits).toHaveLength(6)
  expect(ofCommits.filter(([, times]) => times > 1)).toEqual([])
})

describe.skipIf(!HAVE_TABLES)('copies of a checkpoint that other readers trust', () => {
  const V2 = 'kernel-rs-packed/v2-checkpoints-parquet-with-last-checkpoint'
  type Copy = { sidecarFiles: unknown[]; nonFileActions: { protocol?: { readerFeatures: string[] } }[] }

  const edits: readonly (readonly [string, (copy: Copy) => void, RegExp])[] = [
    ['sidecars that are left out', (copy) => (copy.sidecarFiles = []), /other sidecars .* lacks \d/],
    [
      'another protocol',
      ({ nonFileActions }) => {
        for (const { protocol } of nonFileActions) if (protocol !== undefined) protocol.readerFeatures = []
      },
      /other actions .* lacks protocol/,
    ],
  ]
  test.each(edits)('of _last_checkpoint: %s', async (_, edit, detail) => {
    const folder = copied(V2)
    expect(kinds(await perform(fsckOf(folder)))).toEqual([])
    const path = join(folder, '_delta_log', '_last_checkpoint')
    const hint = JSON.parse(readFileSync(path, 'utf8')) as { v2Checkpoint: Copy; checksum?: string }
    edit(hint.v2Checkpoint)
    delete hint.checksum
    writeFileSync(path, JSON.stringify(hint))
    const performed = await perform(fsckOf(folder))
    expect(kinds(performed)).toEqual(['last-checkpoint'])
    const found = performed.events.filter((event) => event.type === 'fsck.finding')
    expect(found.map((event) => event.detail).join('\n')).toMatch(detail)
  })

  test('the list of files in the checksum file', async () => {
    const folder = copied('kernel-rs/v1-single-part-struct-stats-only')
    expect(kinds(await perform(fsckOf(folder)))).toEqual([])
    const path = join(folder, '_delta_log', '00000000000000000005.crc')
    const crc = JSON.parse(readFileSync(path, 'utf8')) as { allFiles: unknown[] }
    crc.allFiles.pop()
    writeFileSync(path, JSON.stringify(crc))
    expect(kinds(await perform(fsckOf(folder)))).toEqual(['checksum-file'])
  })

  test('a deletion vector outside of the table is named if it is not read', async () => {
    const folder = join(work.path, `table-${places++}`)
    const pathOrInlineDv = `file://${join(work.path, 'elsewhere', 'deletion_vector_1.bin')}`
    const deletionVector = { storageType: 'p', pathOrInlineDv, offset: 1, sizeInBytes: 36, cardinality: 1 }
    writeLog(folder, [[PROTOCOL, METADATA, add('x.parquet', { deletionVector })]])
    const { events } = await perform(fsckOf(folder))
    const notes = events.filter((event) => event.type === 'fsck.finding').map((event) => event.detail)
    expect(notes).toContain('1 deletion vectors lie outside the table and were not read')
  })
})
