/** Files of the Cassandra Data Migrator: what was broken off goes on, and what is finished is read and compared once more, as a second Migrate reads everything. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { CqlTrack } from '../../src/stores/cassandra/track.ts'
import { of, startCopy } from '../fault/copy-kit.ts'
import { perform, type Ran } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { failures } from './cassandra-target-kit.ts'

const ROWS = 600

describe.skipIf(!CASSANDRA_AVAILABLE)(`a second Migrate ${CASSANDRA_MISSING}`, () => {
  let source: TestKeyspace
  let target: TestKeyspace
  let folder = ''
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-migrate-'))
    source = await newKeyspace()
    target = await newKeyspace()
    await source.cql('CREATE TABLE t (id int PRIMARY KEY, v text)')
    await target.cql('CREATE TABLE t (id int PRIMARY KEY, v text)')
    for (let at = 0; at < ROWS; at += 100) {
      const ids = Array.from({ length: 100 }, (_, i) => at + i)
      await Promise.all(ids.map((id) => source.rows('INSERT INTO t (id, v) VALUES (?, ?)', [id, `row ${id}`])))
    }
  }, 120_000)
  afterAll(async () => {
    await source[Symbol.asyncDispose]()
    await target[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function migrate(...more: readonly string[]): Promise<CopyOperation> {
    const file = join(folder, 'cdm.properties')
    writeFileSync(file, ['spark.cdm.perfops.numParts 16', 'spark.cdm.trackRun true', ...more].join('\n'))
    const words = ['--properties-file', file, '--class', 'com.datastax.cdm.job.Migrate', 'cdm.jar']
    const ends = ['--from', source.url, '--to', target.url, '--table', 't', '--consistency', 'ONE', '--workers', '1']
    const { request } = await parseCommandLine([...words, ...ends], {})
    if (request.kind !== 'operation' || request.operation.kind !== 'copy') throw new Error('no copy')
    return request.operation
  }

  /** What a run read and wrote itself. */
  function counted(ran: Ran): readonly number[] {
    const event = ran.events.find(({ type }) => type === 'run.counted')
    const { Read, Write } = event?.type === 'run.counted' ? event.counters : {}
    return [Number(Read), Number(Write)]
  }

  test(
    'killed at half: the second run reads the other half, a third reads all and writes nothing',
    { timeout: 90_000 },
    async () => {
      const child = startCopy(await migrate())
      await child.until('chunk.done')
      while (of(child.events, 'chunk.done').length < 8 && child.process.exitCode === null) await sleep(5)
      child.process.kill('SIGKILL')
      await child.ended
      const second = await perform(await migrate())
      expect(second.finished.exitCode, failures(second)).toBe(0)
      const [read = 0, written] = counted(second)
      expect(read).toBeGreaterThan(0)
      expect(read).toBeLessThan(ROWS * 0.75)
      expect(written).toBe(read)
      const third = await perform(await migrate())
      expect(third.finished.exitCode, failures(third)).toBe(0)
      expect(counted(third)).toEqual([ROWS, 0])
      const [run] = await new CqlTrack(target.link, target.name).runs('t')
      expect(run).toMatchObject({ status: 'ENDED', previous: 0n })
      expect(run?.info).toBe(
        `Read: ${ROWS}; Write: 0; Skipped: ${ROWS}; Error: 0; Partitions Passed: 16; Partitions Failed: 0`,
      )
      // What changed since is brought over.
      await source.cql("UPDATE t SET v = 'new' WHERE id = 7")
      await target.cql('DELETE FROM t USING TIMESTAMP 1 WHERE id = 8', "INSERT INTO t (id, v) VALUES (9999, 'extra')")
      const fourth = await perform(await migrate())
      expect(fourth.finished.exitCode, failures(fourth)).toBe(0)
      expect(counted(fourth)).toEqual([ROWS, 1])
      expect((await target.rows('SELECT v FROM t WHERE id = 7'))[0]?.values()).toEqual(['new'])
      // Asked for what a run has left, it does nothing where nothing is left.
      const left = await perform(await migrate(`spark.cdm.trackRun.previousRunId ${run?.runId}`))
      expect(left.finished.exitCode, failures(left)).toBe(0)
      expect(left.events.find(({ type }) => type === 'run.tracked')).toMatchObject({ pending: '0' })
      // A run that nobody knows has left nothing and done nothing: all of it is read, as the migrator does.
      const unknown = await perform(await migrate('spark.cdm.trackRun.previousRunId 12345'))
      expect(unknown.finished.exitCode, failures(unknown)).toBe(0)
      expect(counted(unknown)).toEqual([ROWS, 0])
    },
  )
})
