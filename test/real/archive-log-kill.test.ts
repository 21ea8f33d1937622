/** Processes that are killed during a publication, processes that publish at the same time, and full disks. */
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { strays } from '../../src/archive/log/find-stray.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { openLocalLogWriter } from '../../src/stores/local/log-writer.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { MOUNT_MISSING, smallDisk } from '../support/small-disk.ts'
import { dataFile, localTable, NEVER, publication, refusalOf, TABLE_ID } from './archive-log-kit.ts'

const CHILD = join(import.meta.dirname, 'archive-log-child.mjs')
const { stored, name, configuration } = publication('', [])
const ENV = { ...process.env, PUBLICATION: JSON.stringify({ stored, name, configuration, tableId: TABLE_ID }) }
const ALL = Boolean(process.env['SLUICE_TEST_ALL'])

type Reported = { readonly partition: string; readonly file: string; readonly bytes: string; readonly fence: number }

let lake: Folder
let places = 0
const place = (): string => join(lake.path, `t${places++}`)
beforeAll(() => void (lake = temporaryFolder()))
afterAll(() => lake[Symbol.dispose]())

async function made(folder: string, partitions: readonly string[]): Promise<readonly Reported[]> {
  const reported: Reported[] = []
  for (const partition of partitions) {
    const { name: file, bytes } = await dataFile(folder, partition, 'part-1-00000')
    reported.push({ partition, file, bytes: String(bytes), fence: 1 })
  }
  return reported
}

function run(
  folder: string,
  reported: readonly Reported[],
  dieAt: number,
): { steps: number; outcomes: string[] } | 'killed' {
  const { signal, status, stdout, stderr } = spawnSync(
    process.execPath,
    [CHILD, folder, JSON.stringify(reported), String(dieAt)],
    { env: ENV, encoding: 'utf8' },
  )
  if (signal === 'SIGKILL') return 'killed'
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as { steps: number; outcomes: string[] }
}

/** All versions can be read without a gap, and each of these partitions has one file, which is added once. */
async function expectOnce(folder: string, reported: readonly Reported[]): Promise<void> {
  const table = await DeltaTable.open(openLocalLog(folder), parquetRows, NEVER)
  const { commits } = await table.listing()
  expect(commits.map(({ version }) => version)).toEqual(reported.map((_, i) => i))
  const named = commits.flatMap(({ name: file }) =>
    readFileSync(join(folder, '_delta_log', file), 'utf8')
      .split('\n')
      .flatMap((line) => /^\{"add":\{"path":"([^"]+)"/.exec(line)?.[1] ?? []),
  )
  expect(named.toSorted()).toEqual(reported.map(({ file }) => file).toSorted())
  for (let version = 0; version < reported.length; version++) {
    const { files } = await (await table.snapshot({ version })).counts(NEVER)
    expect(files).toBe(version + 1)
  }
}

describe('kill -9', () => {
  test('killed at any step of the first commit, the next program completes it, and names nothing twice', async () => {
    const whole = place()
    expect(run(whole, await made(whole, ['a']), 0)).toEqual({ steps: 6, outcomes: ['published'] })
    for (const dieAt of ALL ? [1, 2, 3, 4, 5, 6] : [3, 4]) {
      const folder = place()
      const reported = await made(folder, ['a'])
      expect(run(folder, reported, dieAt)).toBe('killed')
      // Before the fourth step no reader sees the commit; from it on all readers see all of it.
      const { table } = localTable(folder)
      expect((await table.state(NEVER))?.version ?? null, `killed at step ${dieAt}`).toBe(dieAt < 4 ? null : 0)
      const what = publication('a', [await dataFile(folder, 'a', 'part-1-00000')], 1n, {
        tags: () => ({ 'sluice.sha256': 'x' }),
      })
      expect((await table.publish(what, NEVER)).outcome).toBe(dieAt < 4 ? 'published' : 'already')
      await expectOnce(folder, reported)
    }
  })

  // Six steps for the commit, two for the checkpoint file, and five for its pointer.
  const MOMENTS = ALL ? Array.from({ length: 13 }, (_, i) => i + 1) : [9]
  test.each(MOMENTS)('killed in a commit with a checkpoint at step %i, the next program ends it', async (dieAt) => {
    const folder = place()
    const reported = await made(
      folder,
      Array.from({ length: 11 }, (_, i) => `p${i}`),
    )
    const { table } = localTable(folder)
    for (const { partition, file, bytes } of reported.slice(0, 10)) {
      const found = await dataFile(folder, partition, 'part-1-00000')
      expect([found.name, String(found.bytes)]).toEqual([file, bytes])
      await table.publish(publication(partition, [found]), NEVER)
    }
    const last = reported.slice(10)
    expect(run(folder, last, dieAt)).toBe('killed')
    const again = run(folder, last, 0)
    if (again === 'killed') throw new Error('killed')
    expect(again.outcomes).toEqual([dieAt < 4 ? 'published' : 'already'])
    await expectOnce(folder, reported)
    const left: string[] = []
    const request = { store: openLocalLog(folder), writer: openLocalLogWriter(folder), parquet: parquetRows }
    for await (const { path } of strays({ ...request, now: Date.now() + 5_000, olderThanMs: 0 }, NEVER)) left.push(path)
    expect(left.every((path) => path.includes('.tmp-'))).toBe(true)
    for (const path of left) await request.writer.remove(path, NEVER)
    const names = readdirSync(join(folder, '_delta_log'))
    expect(names.filter((file) => file.startsWith('.'))).toEqual([])
  })

  test('two processes at the same time publish each partition once, with versions without a gap', async () => {
    const folder = place()
    const reported = await made(
      folder,
      Array.from({ length: 20 }, (_, i) => `p${i}`),
    )
    const ends = await Promise.all(
      [reported, reported.toReversed()].map(
        (order) =>
          new Promise<string>((done, fail) => {
            const child = spawn(process.execPath, [CHILD, folder, JSON.stringify(order), '0'], { env: ENV })
            let said = ''
            child.stdout.on('data', (data: Buffer) => (said += data.toString()))
            child.stderr.on('data', (data: Buffer) => (said += data.toString()))
            child.on('exit', (code) => (code === 0 ? done(said) : fail(new Error(said))))
          }),
      ),
    )
    const outcomes = ends.flatMap((said) => (JSON.parse(said) as { outcomes: string[] }).outcomes)
    expect(outcomes.filter((outcome) => outcome === 'published')).toHaveLength(20)
    expect(outcomes).toHaveLength(40)
    await expectOnce(folder, reported)
  })
})

describe.skipIf(MOUNT_MISSING !== '')(`a full disk ${MOUNT_MISSING}`, () => {
  test('no file exists under the final name, and no temporary file is left', async () => {
    using disk = smallDisk(256 * 1024)
    const writer = openLocalLogWriter(join(disk.path, 't'))
    await writer.put('_delta_log/a.json', Buffer.from('{}'), NEVER)
    const large = Buffer.alloc(400 * 1024, 'x')
    const file = join(lake.path, 'large')
    writeFileSync(file, large)
    for (const attempt of [
      () => writer.putIfAbsent('_delta_log/b.json', large, NEVER),
      () => writer.put('_delta_log/a.json', large, NEVER),
      () => writer.upload('q=1/b.parquet', file, NEVER),
    ]) {
      expect((await refusalOf(attempt())).code).toBe('NO_SPACE')
    }
    const left = readdirSync(disk.path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    expect(left.map((entry) => entry.name)).toEqual(['a.json'])
    // A file on another disk is copied completely.
    const small = join(lake.path, 'small')
    writeFileSync(small, 'small')
    await writer.upload('q=1/b.parquet', small, NEVER)
    expect(readFileSync(join(disk.path, 't/q=1/b.parquet'), 'utf8')).toBe('small')
    await writer.upload('q=1/b.parquet', small, NEVER)
    writeFileSync(small, 'other')
    expect((await refusalOf(writer.upload('q=1/b.parquet', small, NEVER))).code).toBe('TARGET_IO')
  })
})
