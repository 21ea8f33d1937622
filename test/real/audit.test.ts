/** A reader of `catalog_audit` sees commands whose process was killed, and writes nothing for them. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { auditEnd, auditStart, readAudit } from '../../src/catalog/audit.ts'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import { thisProcess, type ProcessIdentity } from '../../src/shared/owner.ts'
import { makeRoom, openAt } from '../support/backend.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'

test('a command counts as killed once its process is gone or a later command of its table has ended', async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'catalog.db')
  await makeRoom(file)
  await using database = await openAt(file, 'write')
  await prepareCatalog(database, 0)
  const here = thisProcess()
  const gone = { ...here, pid: spawnSync('true').pid }
  const far = { ...here, machine: 'elsewhere/1', host: 'far' }
  const begin = (runId: string, process: ProcessIdentity, subject: string): Promise<void> =>
    auditStart(database, {
      runId,
      process,
      subject,
      actor: 'a',
      host: process.host,
      tool: 't',
      command: 'sluice import',
      nowMs: Number(runId),
    })
  await begin('1', here, '/a')
  await begin('2', gone, '/b')
  await begin('3', far, '/c')
  await begin('4', far, '/d')
  await begin('5', here, '/d')
  await auditEnd(database, '5', { status: 'ok', exitCode: 0, nowMs: 5 })
  const seen = (await readAudit(database, 10, here)).map(({ runId, status, detail }) => [runId, status, detail])
  expect(seen).toEqual([
    ['5', 'ok', null],
    ['4', 'killed', null],
    ['3', 'running', null],
    ['2', 'killed', null],
    ['1', 'running', null],
  ])
  const stored = await database.all("SELECT count(*) FROM catalog_audit WHERE status = 'running'")
  expect(Number(stored[0]?.[0])).toBe(4)
})
