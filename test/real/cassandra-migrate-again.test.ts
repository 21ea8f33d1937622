/**
 * Files of the Cassandra Data Migrator: an interrupted copy is resumed, and a finished one is read and compared again,
 * as a second Migrate does.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
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

  /** Rows that a run itself has read and written. */
  function counted(ran: Ran): readonly number[] {
    const event = ran.events.find(({ type }) => type === 'run.counted')
    const { Read, Write } = event?.type === 'run.counted' ? event.counters : {}
    return [Number(Read), Number(Write)]
  }

  test(
    'killed halfway: the second run reads the other half, a third one reads all and writes nothing',
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
      // Later changes of the source are copied.
      await source.cql("UPDATE t SET v = 'new' WHERE id = 7")
      await target.cql('DELETE FROM t USING TIMESTAMP 1 WHERE id = 8', "INSERT INTO t (id, v) VALUES (9999, 'extra')")
      const fourth = await perform(await migrate())
      expect(fourth.finished.exitCode, failures(fourth)).toBe(0)
      expect(counted(fourth)).toEqual([ROWS, 1])
      expect((await target.rows('SELECT v FROM t WHERE id = 7'))[0]?.values()).toEqual(['new'])
      // With previousRunId, a run does nothing if that run has left nothing.
      const left = await perform(await migrate(`spark.cdm.trackRun.previousRunId ${run?.runId}`))
      expect(left.finished.exitCode, failures(left)).toBe(0)
      expect(left.events.find(({ type }) => type === 'run.tracked')).toMatchObject({ pending: '0' })
      // An unknown previous run counts as no run: all rows are read, as in the migrator.
      const unknown = await perform(await migrate('spark.cdm.trackRun.previousRunId 12345'))
      expect(unknown.finished.exitCode, failures(unknown)).toBe(0)
      expect(counted(unknown)).toEqual([ROWS, 0])
    },
  )
})
