/** Real tables in a bucket: the same snapshots as from a folder, by few requests. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeltaTable } from '../../src/delta/table.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { S3Client } from '../../src/stores/s3/client.ts'
import { openS3Log } from '../../src/stores/s3/index.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { expectedTables, folderOf, HAVE_TABLES, NEVER, parquet, representative } from '../tables/shared-tables.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'

const UNREADABLE = 'delta-golden/data-reader-absolute-paths-escaped-chars'
const readable = expectedTables().filter(({ stated }) => stated.must_fail !== true)
const TABLES = [
  ...representative(
    readable.filter(({ table }) => table !== UNREADABLE),
    6,
  ).map(({ table }) => table),
  UNREADABLE,
]
/** Equal errors would be equal results, too: the unreadable tables are few and known. */
const unreadable: string[] = []
const reason = S3_MISSING || (HAVE_TABLES ? '' : 'the real tables are not there')

/** A snapshot as comparable text; an error by its code. */
async function reported(log: LogStore): Promise<string> {
  try {
    const table = await DeltaTable.open(log, parquet, NEVER)
    const snapshot = await table.snapshot({}, { allowRefused: true })
    const state = await snapshot.state(NEVER)
    const lines: string[] = [
      JSON.stringify([
        'protocol',
        snapshot.version,
        state.protocol,
        state.metadata,
        [...state.txns],
        [...state.domains],
      ]),
    ]
    for await (const block of snapshot.files({ signal: NEVER }))
      for (const { path, dvId, raw } of block) lines.push(`add ${path} ${dvId} ${raw}`)
    for await (const block of snapshot.tombstones(NEVER))
      for (const { path, dvId, raw } of block) lines.push(`remove ${path} ${dvId} ${raw}`)
    const counts = await snapshot.counts(NEVER)
    lines.push(`${counts.files} ${counts.bytes} ${counts.rows}`, ...table.notes)
    return lines.toSorted().join('\n')
  } catch (error) {
    return String((error as { code?: string }).code ?? error)
  }
}

describe.skipIf(!S3_AVAILABLE || !HAVE_TABLES)(
  `tables in a bucket${reason === '' ? '' : ` (skipped: ${reason})`}`,
  () => {
    let server: S3Server
    let client: S3Client
    beforeAll(async () => {
      server = await startS3()
      client = new S3Client(server.env)
    })
    afterAll(async () => server[Symbol.asyncDispose]())

    test.each(TABLES)('%s reads as from a folder', async (table) => {
      server.putFolder(`${folderOf(table)}/_delta_log`, `${table}/_delta_log`)
      const fromBucket = await reported(openS3Log(server.url(encodeURI(table)), { client }))
      if (!fromBucket.includes('protocol')) unreadable.push(`${table} ${fromBucket}`)
      expect(fromBucket).toBe(await reported(openLocalLog(folderOf(table))))
    })

    test('few of them cannot be read at all', () => {
      expect(unreadable).toEqual([`${UNREADABLE} MISSING_METADATA`])
    })
  },
)
