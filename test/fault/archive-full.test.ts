/**
 * The archive's disk is full at any of its writes: the error names this, the source keeps its rows, and the same
 * command continues once there is free space.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, observe, TABLE, type Form } from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { MOUNT_MISSING, smallDisk } from '../support/small-disk.ts'

const PAGE = 4096
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-full-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ...(ALL ? ([['postgresql', 'native']] as const) : []),
]

describe.skipIf(MOUNT_MISSING !== '').each(SYSTEMS)(`%s, %s: the disk of the archive is full`, (system, form) => {
  test('each command resumes with one more page of free space each time', { timeout: 120_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    using disk = smallDisk(64 * 2 ** 20)
    const to = join(disk.path, 'to')
    mkdirSync(to)
    const archived = await makeBookings(await makePlace(system, folder), form, to)
    await using observer = await observe(archived)
    const { run, verify, drop, restore } = commandsOf(archived)
    const codes: string[] = []
    for (let room = 0; ; room++) {
      disk.resize(disk.used() + room * PAGE + 1)
      const { finished, events } = await perform(run)
      const { problems } = await observer.look()
      expect(problems, `${room} pages`).toEqual([])
      if (finished.exitCode === 0) break
      const said = events.flatMap((event) =>
        event.type === 'archive.state' && event.error !== undefined ? [event.error.code] : [],
      )
      codes.push(...(said.length > 0 ? said : [String(finished.error?.code)]))
      expect(room, codes.join()).toBeLessThan(40)
    }
    expect(codes.length).toBeGreaterThan(1)
    expect(new Set(codes)).toEqual(new Set(['NO_SPACE']))
    // A drop writes only to the database; a restore needs free space for its commit.
    disk.resize(64 * 2 ** 20)
    for (const one of [verify, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
    disk.resize(disk.used())
    expect((await perform(restore)).finished).toMatchObject({
      exitCode: expect.toSatisfy((code) => code !== 0) as number,
    })
    expect((await observer.look()).problems).toEqual([])
    disk.resize(64 * 2 ** 20)
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await observer.live()).toEqual(observer.expected)
  })
})

describe.skipIf(MOUNT_MISSING !== '')('a disk that becomes full in the middle of a file', () => {
  test('the partial file is removed, nothing else begins, and the error reports the required space', async () => {
    using disk = smallDisk(64 * 2 ** 20)
    const to = join(disk.path, 'to')
    mkdirSync(to)
    const archived = await makeBookings(await makePlace('sqlite', folder), 'plain', to, 20_000)
    const { run } = commandsOf(archived)
    disk.resize(disk.used() + 4 * PAGE)
    const { finished, events } = await perform(run)
    expect(finished.exitCode).not.toBe(0)
    const failed = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event] : []))
    expect(failed).toMatchObject([{ partition: '2020-Q1', error: { code: 'NO_SPACE' } }])
    expect(failed[0]?.error?.reason).toMatch(
      /^the rows of 2020-Q1 are [\d.]+ \w+ of text.*, and their files need up to that; [\d.]+ \w+ are free at .*to/,
    )
    const said = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    expect(said.join('\n')).toMatch(/the disk is full: \d+ more partitions were not started/)
    const left = readdirSync(to, { recursive: true, encoding: 'utf8' })
    expect(left.filter((name) => name.includes('part-'))).toEqual([])
    disk.resize(64 * 2 ** 20)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  })
})

describe.skipIf(MOUNT_MISSING !== '')('an erasure on a full disk', () => {
  test(
    'an erasure leaves no new file, and reports how many partitions were not begun',
    { timeout: 60_000 },
    async () => {
      using disk = smallDisk(64 * 2 ** 20)
      const to = join(disk.path, 'to')
      mkdirSync(to)
      const archived = await makeBookings(await makePlace('sqlite', folder), 'plain', to, 2000)
      const { run, drop, query } = commandsOf(archived)
      await archived.place.sql(`UPDATE ${TABLE} SET amount = '1.00', note = '1' WHERE id % 1000 = 7`)
      for (const one of [run, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
      const parts = (): readonly string[] =>
        readdirSync(to, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.includes('part-'))
          .toSorted()
      const before = parts()
      const erase: Operation = {
        kind: 'archive-erase',
        from: archived.place.url,
        table: TABLE,
        where: "note = '1'",
        reason: 'T-1',
        confirm: TABLE,
        dryRun: false,
      }
      for (const room of [0, 1, 4]) {
        disk.resize(disk.used() + room * PAGE + 1)
        const { finished, events } = await perform(erase)
        expect(finished, `${room} pages`).toMatchObject({ exitCode: 4, error: { code: 'NO_SPACE' } })
        const said = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
        expect(said).toContainEqual('the disk is full: 1 more partitions were not started')
        expect(parts(), `${room} pages`).toEqual(before)
      }
      disk.resize(64 * 2 ** 20)
      expect((await perform(erase)).finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toMatch(/^5994 /)
    },
  )
})
