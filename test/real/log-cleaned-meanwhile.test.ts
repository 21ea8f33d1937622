/** A cleanup removes files of a log while `validate` and `fsck` read it: neither fails, and neither has a finding. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { logOf, makeHealthyTable } from '../support/fsck-table.ts'
import { fsckOf } from './operation-kit.ts'
import { imported, validated } from './validate-setup.ts'

const checkpointFile = (folder: string, version: number): string =>
  join(folder, `_delta_log/${String(version).padStart(20, '0')}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`)

/** The log, with a call before the first read of a file whose path has this text. */
function beforeRead(log: LogStore, part: string, body: () => void): LogStore {
  let isDone = false
  return new Proxy(log, {
    get(of, name) {
      const member = Reflect.get(of, name) as unknown
      if (typeof member !== 'function') return member
      return (...given: unknown[]): unknown => {
        if (!isDone && name === 'read' && String(given[0]).includes(part)) {
          isDone = true
          body()
        }
        return Reflect.apply(member, of, given)
      }
    },
  })
}

const COMMITS: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, add('a.parquet')],
  [add('b.parquet')],
  [add('c.parquet')],
  [add('d.parquet')],
]

test.each(['1.json', '2.checkpoint', '1.checkpoint'])(
  'validate compares what is left if a cleanup begins before it reads %s',
  async (part) => {
    using work = temporaryFolder()
    writeLog(work.path, COMMITS)
    for (const version of [1, 2]) writeCheckpoint(work.path, version, checkpointOf(COMMITS, version))
    await using of = await imported(work.path)
    const log = beforeRead(of.log, part, () => {
      dropCommits(work.path, 0, 1)
      rmSync(checkpointFile(work.path, 1))
    })
    expect(await validated({ catalog: of.catalog, tableId: of.tableId, log })).toMatchObject({
      differences: 0,
      version: 3,
    })
  },
)

test.each([0, 1])('fsck has no finding if a cleanup begins after its check %i', async (after) => {
  using work = temporaryFolder()
  const { folder } = await makeHealthyTable(join(work.path, 'table'))
  const first = readFileSync(logOf(folder), 'utf8').trim().split('\n')
  const empty: readonly Line[] = [{ commitInfo: { operation: 'none' } }]
  const commits = [first.map((line) => JSON.parse(line) as Line), empty, empty, empty]
  writeLog(folder, commits.slice(1), 1)
  for (const version of [1, 2]) writeCheckpoint(folder, version, checkpointOf(commits, version))
  const checked: string[] = []
  const events: Event[] = []
  const finished = await runOperation(fsckOf(folder), {
    interrupt: NEVER,
    clock: systemClock,
    tool: '0.0.0',
    actor: 'test',
    host: 'here',
    commandLine: 'sluice fsck',
    onEvent: (event) => {
      events.push(event)
      if (event.type !== 'fsck.checked') return
      const last = ['footers', 'checkpoints'][after]
      if (event.check === last && !checked.includes(event.check)) {
        dropCommits(folder, 0, 1)
        rmSync(checkpointFile(folder, 1))
      }
      checked.push(event.check)
    },
  })
  expect(events.filter((event) => event.type === 'fsck.finding' && event.level === 'finding')).toEqual([])
  expect(finished).toMatchObject({ exitCode: 0 })
  expect(checked).toContain('history')
})
