/** `fsck` of a table in a bucket: the same findings as in a folder. */
import { cpSync, renameSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { falsify, makeHealthyTable, writeVector, type HealthyTable } from '../support/fsck-table.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { fsckOf, perform } from './operation-kit.ts'

const saved = { ...process.env }
const work = temporaryFolder()
let table: HealthyTable
beforeAll(async () => {
  table = await makeHealthyTable(join(work.path, 'table'))
})
afterAll(() => work[Symbol.dispose]())

function reported(events: readonly Event[]): readonly unknown[] {
  return events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding !== 'file-time'
      ? [{ ...event, seq: 0, ts: '', runId: '', table: '' }]
      : [],
  )
}

describe.skipIf(!S3_AVAILABLE)(`fsck in a bucket${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`, () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3()
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
    Object.assign(process.env, server.env)
  })
  afterAll(async () => {
    for (const name of Object.keys(server.env)) delete process.env[name]
    Object.assign(process.env, saved)
    await server[Symbol.asyncDispose]()
  })
  beforeEach(() => server.reset())

  test('a healthy table has no finding', async () => {
    server.putFolder(table.folder, 'healthy')
    for (const deep of [false, true]) {
      const { events, finished } = await perform(fsckOf(server.url('healthy'), { deep }))
      expect(reported(events)).toEqual([])
      expect(finished).toMatchObject({ exitCode: 0, totals: { files: '3', footers: '3', vectors: '1' } })
    }
  })

  const damages: readonly (readonly [string, (table: HealthyTable) => void])[] = [
    ['gone', ({ folder, files }) => rmSync(join(folder, files[0] as string))],
    ['cut', ({ folder, files }) => truncateSync(join(folder, files[0] as string), 1000)],
    ['empty', ({ folder, files }) => truncateSync(join(folder, files[0] as string), 0)],
    [
      'swapped',
      ({ folder, files: [a = '', b = ''] }) => {
        renameSync(join(folder, a), join(folder, 'x'))
        renameSync(join(folder, b), join(folder, a))
        renameSync(join(folder, 'x'), join(folder, b))
      },
    ],
    ['vector gone', ({ folder, vector }) => rmSync(join(folder, vector))],
    ['vector of another file', ({ folder, vector }) => void writeVector(join(folder, vector), [1n, 2n, 1000n])],
    [
      'falsified',
      ({ folder, files }) => falsify(folder, files[2] as string, (stats) => (stats.maxValues['id'] = 2000)),
    ],
  ]
  test.each(damages)('%s: the same findings as in a folder', async (name, damage) => {
    const folder = join(work.path, name)
    cpSync(table.folder, folder, { recursive: true, preserveTimestamps: true })
    damage({ ...table, folder })
    const prefix = name.replaceAll(' ', '-')
    server.putFolder(folder, prefix)
    for (const deep of [false, true]) {
      const local = await perform(fsckOf(folder, { deep }))
      const bucket = await perform(fsckOf(server.url(prefix), { deep }))
      expect(reported(local.events)).not.toEqual([])
      expect(reported(bucket.events)).toEqual(reported(local.events))
      expect(bucket.finished.exitCode).toBe(1)
    }
  })
})
