/**
 * A database whose disk is full in the middle of an import: the error has the guide's words, no partial version is
 * readable, and the same import resumes.
 */
import { spawnSync } from 'node:child_process'
import { renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { ENDED, holderOf, importInto, temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { MOUNT_MISSING, smallDisk, type Disk } from '../support/small-disk.ts'
import {
  dumpAt,
  expectNoSecret,
  expectWholeVersions,
  openCatalogAt,
  SYSTEMS,
  titleOf,
  undisturbed,
  variant,
  writeHistory,
  type FaultServer,
} from './server-kit.ts'

const MB = 2 ** 20
const ROOMY = 400 * MB
const BATCH = 1_000
const VERSIONS = 8

for (const system of SYSTEMS) {
  const missing = system.missing || MOUNT_MISSING
  describe.skipIf(missing !== '')(titleOf('a full disk', { ...system, missing }), () => {
    let folder: Folder
    let table: string

    beforeAll(() => {
      folder = temporaryFolder()
      table = join(folder.path, 'table')
      // About 16 MB of rows.
      writeHistory(table, VERSIONS, BATCH, 2_000)
    })
    afterAll(() => folder[Symbol.dispose]())

    test.each([
      ['a first import', 0],
      ['an import that goes on', 2],
    ])('of the data is reported, and the import resumes: %s', { timeout: 120_000 }, async (_, before) => {
      using disk = smallDisk(ROOMY)
      using safe = temporaryFolder()
      await using server = await system.start(disk.path)
      if (system.title === 'PostgreSQL') await moveAway(server, disk.path, safe.path)
      const url = await server.room('crowded')
      if (before > 0) await importBeginning(url, before)
      const failure = await failsFor(server, disk, url)
      expect(failure).toMatchObject({
        code: 'NO_SPACE',
        message: 'Disk space exhausted',
        reason: 'Insufficient storage',
      })
      await expectWholeVersions(url)
      if (before === 0) await expectUnreadable(url)
      else await expectReadable(url, before - 1)
      disk.resize(ROOMY)
      await expectGoesOn(server, url, before)
      await expectNoSecret(server, [failure], url)
    })

    // MariaDB's log has a fixed size.
    test.skipIf(system.title !== 'PostgreSQL')(
      'of data and WAL may end the server, and the import resumes',
      { timeout: 120_000 },
      async () => {
        using disk = smallDisk(ROOMY)
        await using server = await system.start(disk.path)
        const url = await server.room('crowded')
        const failure = await failsFor(server, disk, url)
        expect(failure).toMatchObject({
          code: expect.stringMatching(/^(?:NO_SPACE|CONNECTION_LOST|CONNECT_FAILED)$/) as string,
        })
        disk.resize(ROOMY)
        await server.kill9()
        await server.restart()
        await expectUnreadable(url)
        await expectGoesOn(server, url, 0)
        await expectNoSecret(server, [failure], url)
      },
    )

    async function failsFor(server: FaultServer, disk: Disk, url: string): Promise<unknown> {
      await using database = await openCatalogAt(variant(url, { retry_seconds: 2, connect_timeout: 2 }))
      disk.resize(disk.used() + 10 * MB)
      const failure: unknown = await importInto(database, table, {
        batchSize: BATCH,
        holder: holderOf('full', ENDED),
      }).then(
        () => 'imported',
        (error: unknown) => error,
      )
      expect(failure).toBeInstanceOf(Error)
      await expectNoSecret(server, [failure])
      return failure
    }

    async function expectUnreadable(url: string): Promise<void> {
      await using database = await openCatalogDatabase(url, 'read')
      const readable = readableTable(database, { tableId: 't' })
      await expect(readable).rejects.toMatchObject({
        code: expect.stringMatching(/^(?:IMPORT_UNFINISHED|NOT_IMPORTED)$/) as string,
      })
    }

    async function expectReadable(url: string, atLeast: number): Promise<void> {
      await using database = await openCatalogDatabase(url, 'read')
      const { version } = await readableTable(database, { tableId: 't' })
      expect(version).toBeGreaterThanOrEqual(atLeast)
      expect(version).toBeLessThan(VERSIONS - 1)
    }

    async function expectGoesOn(server: FaultServer, url: string, before: number): Promise<void> {
      await using database = await openCatalogAt(url)
      const result = await importInto(database, table, { batchSize: BATCH })
      expect(result).toMatchObject({ status: 'completed', version: VERSIONS - 1 })
      const clean = await server.room('clean')
      if (before > 0) await importBeginning(clean, before)
      expect(await dumpAt(url)).toBe(await undisturbed(clean, table, BATCH))
    }

    /** Imports the table as of its first so many versions. */
    async function importBeginning(url: string, versions: number): Promise<void> {
      const later = commitsFrom(versions)
      for (const name of later) renameSync(join(table, '_delta_log', name), join(table, name))
      try {
        await undisturbed(url, table, BATCH)
      } finally {
        for (const name of later) renameSync(join(table, name), join(table, '_delta_log', name))
      }
    }

    function commitsFrom(version: number): readonly string[] {
      return Array.from({ length: VERSIONS - version }, (_, i) => commitName(version + i))
    }
  })
}

/** Puts PostgreSQL's WAL on another disk, as recommended: a full disk then fails a statement and not the server. */
async function moveAway(server: FaultServer, from: string, to: string): Promise<void> {
  await server.shutDown()
  const { stdout } = spawnSync('find', [from, '-name', 'pg_wal', '-type', 'd'], { encoding: 'utf8' })
  const place = stdout.trim()
  const target = join(to, 'pg_wal')
  const moved = spawnSync('cp', ['-a', place, target], { encoding: 'utf8' })
  if (moved.status !== 0) throw new Error(moved.stderr)
  renameSync(place, `${place}.old`)
  symlinkSync(target, place)
  spawnSync('chmod', ['755', to])
  spawnSync('rm', ['-rf', `${place}.old`])
  await server.restart()
}
