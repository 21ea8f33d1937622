/** Tables inside the folders of other tables: found and imported, in a folder and in a bucket. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { walkLake } from '../../src/engine/lake/walk.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { NEVER } from '../tables/shared-tables.ts'

const TABLES = ['a', 'a/deep/er/inner', 'a/inner', 'a/inner/most', 'b']

async function found(path: string, recursive = true): Promise<readonly string[]> {
  const names: string[] = []
  for await (const one of walkLake(path, { recursive, exclude: [], signal: NEVER })) {
    if (one.kind === 'table') names.push(one.name)
  }
  return names.toSorted()
}

describe('tables inside of tables', () => {
  let work: Folder
  beforeAll(() => {
    work = temporaryFolder()
    for (const table of TABLES) writeLog(join(work.path, table), [[PROTOCOL, METADATA, add('f')]])
    // Folders of data are not entered: a log in one of them is no table.
    for (const data of ['a/p=1', 'a/_change_data', 'a/.hidden']) {
      mkdirSync(join(work.path, data, '_delta_log'), { recursive: true })
      writeFileSync(join(work.path, data, '_delta_log/00000000000000000000.json'), '{}')
    }
  })
  afterAll(() => work[Symbol.dispose]())

  test('in a folder', async () => {
    expect(await found(work.path)).toEqual(TABLES)
    expect(await found(join(work.path, 'a'))).toEqual(['.', 'deep/er/inner', 'inner', 'inner/most'])
    expect(await found(work.path, false)).toEqual(['a', 'b'])
  })

  test.skipIf(!S3_AVAILABLE)(`in a bucket${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`, async () => {
    const before = process.env
    await using server: S3Server = await startS3()
    process.env = { ...before, ...server.env }
    try {
      server.putFolder(work.path, 'nested')
      expect(await found(server.url('nested'))).toEqual(TABLES)
    } finally {
      process.env = before
    }
  })
})
