/** `fsck` of damaged tables: the documented level finds every kind of damage, and a healthy table has no finding. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FsckFindingEvent } from '../../src/model/run/event.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { add as addLine, METADATA, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import {
  falsify,
  logOf,
  makeHealthyTable,
  MODIFIED,
  objectsOf,
  writeVector,
  type HealthyTable,
} from '../support/fsck-table.ts'
import { fsckOf, perform, type Performed } from './operation-kit.ts'

const FIXTURES = join(import.meta.dirname, '../../fixtures/lake')

const work = temporaryFolder()
let places = 0
let healthy: HealthyTable
beforeAll(async () => {
  healthy = await makeHealthyTable(join(work.path, 'healthy'))
})
afterAll(() => work[Symbol.dispose]())

/** A folder that does not exist yet. */
function place(): string {
  return join(work.path, `table-${places++}`)
}

/** A copy of the healthy table to be damaged. */
function copied(): HealthyTable {
  const folder = place()
  cpSync(healthy.folder, folder, { recursive: true, preserveTimestamps: true })
  return { ...healthy, folder }
}

function findings({ events }: Performed): readonly FsckFindingEvent[] {
  return events.filter((event) => event.type === 'fsck.finding').filter(({ level }) => level === 'finding')
}

function notes({ events }: Performed): readonly string[] {
  const found = events.filter((event) => event.type === 'fsck.finding').filter(({ level }) => level === 'note')
  return found.map(({ finding }) => finding)
}

function kinds(performed: Performed): readonly string[] {
  return [...new Set(findings(performed).map(({ finding }) => finding))].toSorted()
}

test('a sample says that it left out files, unless it opened all that are there', async () => {
  const drawn = async (more: Parameters<typeof fsckOf>[1]): Promise<readonly string[]> => {
    const { events } = await perform(fsckOf(healthy.folder, more))
    return events.flatMap((event) => (event.type === 'fsck.checked' && event.drawn === true ? [event.check] : []))
  }
  expect(await drawn({ sample: 1 })).toEqual(['footers'])
  expect(await drawn({ sample: 1000 })).toEqual([])
  expect(await drawn({})).toEqual([])
})

test('progress counts every file that is processed, whatever the result, and in a sample the files that are opened', async () => {
  const table = copied()
  const [first = ''] = objectsOf(table.folder).filter((name) => name.endsWith('.parquet'))
  rmSync(first)
  const reported = async (
    more: Parameters<typeof fsckOf>[1],
  ): Promise<readonly (readonly [string, string, string | undefined])[]> => {
    const { events } = await perform(fsckOf(table.folder, more))
    const steps = events.flatMap((event) =>
      event.type === 'fsck.progress' ? [[event.step, event.done, event.total] as const] : [],
    )
    // Between its start and its end, a step reports its progress at intervals.
    const ends = new Map(steps.map((step) => [step[0], step]))
    return [...ends.values()].filter(([step]) => step === 'files' || step === 'sample')
  }
  expect(await reported({})).toEqual([['files', '3', '3']])
  expect(await reported({ deep: true })).toEqual([['files', '3', '3']])
  expect(await reported({ since: 0 })).toEqual([['files', '3', '3']])
  expect(await reported({ sample: 1 })).toEqual([
    ['files', '3', '3'],
    ['sample', '1', '1'],
  ])
  // Sizes are those of the log, so that they add up to the size of the table.
  const { events } = await perform(fsckOf(healthy.folder))
  const sizes = objectsOf(healthy.folder)
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => statSync(name).size)
  expect(events.findLast((event) => event.type === 'fsck.progress' && event.step === 'files')).toMatchObject({
    bytes: String(sizes.reduce((sum, size) => sum + size, 0)),
  })
})

test('a healthy table has no finding, and the last line reports what was checked', async () => {
  const shallow = await perform(fsckOf(healthy.folder))
  expect(findings(shallow)).toEqual([])
  expect(shallow.finished).toMatchObject({
    exitCode: 0,
    proof: '3 files listed, 3 footers, 1 vectors; rows not read',
    totals: { files: '3', footers: '3', vectors: '1', rowsRead: '0', findings: '0', orphans: '0' },
  })
  const deep = await perform(fsckOf(healthy.folder, { deep: true }))
  expect(findings(deep)).toEqual([])
  expect(deep.finished).toMatchObject({ exitCode: 0, proof: '3 files listed, 3 footers, 1 vectors; rows of 3 files' })
})

test('the case of the issue: a file of 100 bytes is left, and every deletion vector is gone', async () => {
  const folder = place()
  cpSync(join(FIXTURES, 'crm/customers'), folder, { recursive: true })
  const objects = objectsOf(folder).filter((path) => !path.includes('_delta_log'))
  const vectors = objects.filter((path) => path.endsWith('.bin'))
  const first = objects.find((path) => path.endsWith('.parquet')) as string
  expect(vectors).not.toEqual([])
  truncateSync(first, 100)
  for (const path of vectors) rmSync(path)
  // The one vector file that is left is needed by older versions only.
  for (const version of [undefined, 3]) {
    const performed = await perform(fsckOf(folder, { asOf: version === undefined ? {} : { version } }))
    expect(performed.finished).toMatchObject({ exitCode: 1, proof: 'none', error: { code: 'DIFFERENCES' } })
    expect(kinds(performed)).toEqual(['file-size', 'file-unreadable'])
    expect(notes(performed)).toContain('older-missing')
  }
})

test('with missing files, fsck reports what it read and what not', async () => {
  const { folder, files } = copied()
  for (const file of files) rmSync(join(folder, file))
  const performed = await perform(fsckOf(folder, { deep: true }))
  const rows = performed.events.filter((event) => event.type === 'fsck.checked').find(({ check }) => check === 'rows')
  expect(rows).toMatchObject({ looked: '0', of: '3', detail: 'no file could be read back' })
})

test('a max that is only a prefix of a text is checked by the rows if the footer has no complete bounds', async () => {
  const { folder, files } = copied()
  falsify(folder, files[1]!, (stats) => (stats.maxValues['name'] = 'name 001398'))
  const [found] = findings(await perform(fsckOf(folder, { deep: true })))
  expect(found).toMatchObject({ finding: 'statistics', column: 'name' })
  expect(found?.detail).toMatch(/by UTF-8 bytes$/)
})

describe('damage', () => {
  const damages: readonly (readonly [string, (table: HealthyTable) => void, readonly string[]])[] = [
    ['a file that is gone', ({ folder, files }) => rmSync(join(folder, files[0]!)), ['file-missing']],
    [
      'a file that is empty',
      ({ folder, files }) => truncateSync(join(folder, files[0]!), 0),
      ['file-size', 'file-unreadable'],
    ],
    [
      'two files that were swapped',
      ({ folder, files: [a, b] }) => {
        renameSync(join(folder, a!), join(folder, 'x'))
        renameSync(join(folder, b!), join(folder, a!))
        renameSync(join(folder, 'x'), join(folder, b!))
      },
      ['file-size', 'statistics'],
    ],
    [
      'a file of another table in its place',
      ({ folder, files }) => {
        const other = objectsOf(join(FIXTURES, 'crm/customers')).find(
          (path) => path.endsWith('.parquet') && !path.includes('_delta_log'),
        )
        cpSync(other as string, join(folder, files[0]!))
      },
      ['columns-missing', 'file-size', 'row-count'],
    ],
    ['a vector that is gone', ({ folder, vector }) => rmSync(join(folder, vector)), ['vector-missing']],
    ['a vector that is cut', ({ folder, vector }) => truncateSync(join(folder, vector), 20), ['vector-damaged']],
    [
      'a vector of a longer file',
      ({ folder, vector }) => void writeVector(join(folder, vector), [3n, 5n, 400n]),
      ['vector-positions'],
    ],
    [
      'other rows in the log',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.numRecords = 399)),
      ['row-count'],
    ],
    [
      'a min above a value',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.minValues['id'] = 1)),
      ['statistics'],
    ],
    [
      'a max below a value',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues['price'] = 498.74)),
      ['statistics'],
    ],
    [
      'a day too early',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues['day'] = '2024-10-25')),
      ['statistics'],
    ],
    [
      'a moment too early',
      ({ folder, files }) =>
        falsify(folder, files[0]!, (stats) => (stats.maxValues['at'] = '2023-11-14T22:19:58.000Z')),
      ['statistics'],
    ],
    [
      'a text too small',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues['name'] = 'name 000398')),
      ['statistics'],
    ],
    [
      'a max that only begins the values',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues['name'] = 'name')),
      ['statistics'],
    ],
    [
      'a max of another type',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues['id'] = 'abc')),
      ['statistics-unreadable'],
    ],
    [
      'a text without quotes, a day that is none, a count that is none',
      ({ folder, files }) =>
        falsify(folder, files[0]!, (stats) => {
          stats.minValues['name'] = 7
          stats.maxValues['day'] = '2024-13-45'
          stats.nullCount['id'] = -1
        }),
      ['statistics', 'statistics-unreadable'],
    ],
    [
      'statistics that are no JSON',
      ({ folder, files: [file = ''] }) => {
        const lines = readFileSync(logOf(folder), 'utf8').split('\n')
        const broken = lines.map((line) => {
          if (!line.includes(`"path":"${file}"`)) return line
          const { add } = JSON.parse(line) as { add: object }
          return JSON.stringify({ add: { ...add, stats: '{bad' } })
        })
        writeFileSync(logOf(folder), broken.join('\n'))
      },
      ['statistics-unreadable'],
    ],
    [
      'a field of a struct',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.maxValues.pair['left'] = 98)),
      ['statistics'],
    ],
    [
      'nulls that the log denies',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.nullCount['name'] = 0)),
      ['statistics'],
    ],
    [
      'a file of all nulls, by the log',
      ({ folder, files }) => falsify(folder, files[0]!, (stats) => (stats.nullCount['id'] = 400)),
      ['statistics'],
    ],
  ]
  test.each(damages)('%s', async (_name, damage, expected) => {
    const table = copied()
    damage(table)
    const performed = await perform(fsckOf(table.folder))
    expect(kinds(performed)).toEqual(expected)
    expect(performed.finished.exitCode).toBe(expected.length === 0 ? 0 : 1)
    const deep = await perform(fsckOf(table.folder, { deep: true }))
    expect(kinds(deep)).toEqual(expect.arrayContaining([...expected]))
  })
})

test('a bound of a decimal of up to 17 digits is too tight by its last digit', async () => {
  const folder = place()
  mkdirSync(join(folder, '_delta_log'), { recursive: true })
  const columns = {
    a: 'decimal(10,2)',
    b: 'decimal(15,0)',
    c: 'decimal(17,0)',
    d: 'decimal(17,5)',
    e: 'decimal(17,17)',
  }
  const values = {
    a: '12345678.91',
    b: '999999999999998',
    c: '99999999999999991',
    d: '123456789012.34567',
    e: '0.12345678901234561',
  }
  const [low, high] = [
    {
      a: '12345678.92',
      b: '999999999999999',
      c: '99999999999999992',
      d: '123456789012.34568',
      e: '0.12345678901234562',
    },
    {
      a: '12345678.90',
      b: '999999999999997',
      c: '99999999999999990',
      d: '123456789012.34566',
      e: '0.12345678901234560',
    },
  ]
  using duck = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  const select = Object.entries(columns).map(([name, type]) => `'${values[name as 'a']}'::${type} AS ${name}`)
  await duck.connection.run(`COPY (SELECT ${select.join(', ')}) TO '${join(folder, 'f.parquet')}' (FORMAT parquet)`)
  const fields = Object.entries(columns).map(([name, type]) => ({ name, type, nullable: true, metadata: {} }))
  const metaData = {
    ...METADATA['metaData']!,
    schemaString: JSON.stringify({ type: 'struct', fields }),
    partitionColumns: [],
  }
  const object = (some: Readonly<Record<string, string>>): string =>
    `{${Object.entries(some)
      .map(([name, digits]) => `"${name}":${digits}`)
      .join(',')}}`
  const judged = async (min: typeof values, max: typeof values, deep: boolean): Promise<readonly string[]> => {
    const stats = `{"numRecords":1,"minValues":${object(min)},"maxValues":${object(max)}}`
    const file = { path: 'f.parquet', size: statSync(join(folder, 'f.parquet')).size, partitionValues: {}, stats }
    writeLog(folder, [[PROTOCOL, { metaData }, addLine('f.parquet', file)]])
    return findings(await perform(fsckOf(folder, { deep }))).map(({ finding, column }) => `${finding} ${column}`)
  }
  for (const deep of [false, true]) {
    expect(await judged(values, values, deep)).toEqual([])
    const named = Object.keys(columns).map((name) => `statistics ${name}`)
    expect((await judged(low, values, deep)).toSorted()).toEqual(named)
    expect((await judged(values, high, deep)).toSorted()).toEqual(named)
  }
})

describe('files that no version needs', () => {
  test('orphans, files that VACUUM would remove, and files that it skips are reported', async () => {
    const { folder, files } = copied()
    for (const name of ['part=0/orphan.parquet', '_change_data/cdc.parquet', '_hidden/x.parquet', '.crc']) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), 'x')
    }
    const removed = { path: files[2], deletionTimestamp: MODIFIED, dataChange: true }
    writeFileSync(logOf(folder).replace('0.json', '1.json'), `${JSON.stringify({ remove: removed })}\n`)
    const size = BigInt(statSync(join(folder, files[2] as string)).size)
    const soon = { ...systemClock, now: () => MODIFIED + 1000 }
    const young = await perform(fsckOf(folder), soon)
    expect(young.finished).toMatchObject({
      exitCode: 0,
      totals: { files: '2', orphans: '2', orphanBytes: '2', vacuumFiles: '0', vacuumBytes: '0' },
    })
    const late = { ...systemClock, now: () => Date.UTC(2100, 0, 1) }
    const old = await perform(fsckOf(folder), late)
    expect(old.finished.totals).toMatchObject({ orphans: '2', vacuumFiles: '3', vacuumBytes: `${size + 2n}` })
    expect(
      notes(old)
        .filter((kind) => kind !== 'file-time')
        .toSorted(),
    ).toEqual(['orphan', 'orphan', 'vacuum'])
    rmSync(join(folder, files[2] as string))
    const vacuumed = await perform(fsckOf(folder), late)
    expect(vacuumed.finished).toMatchObject({ exitCode: 0, totals: { olderMissing: '1', vacuumFiles: '2' } })
    const before = await perform(fsckOf(folder, { asOf: { version: 0 } }), late)
    expect(before.finished.exitCode).toBe(0)
    expect(notes(before)).toContain('older-missing')
  })

  test('files of another table are checked only with the option for it', async () => {
    const { folder, files } = copied()
    const source = copied()
    const log = readFileSync(logOf(folder), 'utf8').replace(
      `"path":"${files[0]}"`,
      `"path":"file://${join(source.folder, files[0] as string)}"`,
    )
    writeFileSync(logOf(folder), log)
    rmSync(join(folder, files[0] as string))
    truncateSync(join(source.folder, files[0] as string), 100)
    const inside = await perform(fsckOf(folder))
    expect(inside.finished).toMatchObject({ exitCode: 0, totals: { footers: '2' } })
    expect(notes(inside)).toContain('file-outside')
    const outside = await perform(fsckOf(folder, { outside: true }))
    expect(kinds(outside)).toEqual(['file-size', 'file-unreadable'])
  })
})
