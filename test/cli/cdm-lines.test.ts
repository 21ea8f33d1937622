import { describe, expect, it } from 'vitest'
import { CdmLines } from '../../src/render/cdm-lines.ts'
import { Narrator } from '../../src/render/narrator.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'

let seq = 0
const made = (body: EventBody): Event => ({ v: 1, seq: ++seq, ts: '2026-01-01T00:00:00.000Z', runId: '5', ...body })

const BEGIN: EventBody = {
  type: 'run.tracked',
  table: 'ks.t',
  job: 'MIGRATE',
  min: '-9223372036854775808',
  max: '9223372036854775807',
  splits: '64',
  coverage: 100,
  ranges: '3',
  cdmRun: '1704067200000000000',
  previous: '17',
  pending: '3',
}
const RULE = '#'.repeat(96)
const CHUNK = { type: 'chunk.started', table: 'ks.t', chunk: '1', worker: 2, total: '10', unit: 'row' } as const

const reported = (...events: readonly EventBody[]): readonly string[] => {
  const lines = new CdmLines()
  return events.flatMap((event) => lines.event(made(event)))
}

describe('lines of the Cassandra Data Migrator', () => {
  it('show the parameters of a run, with the blanks of the original', () => {
    expect(reported(BEGIN)).toEqual([
      RULE,
      `${'#'.repeat(36)} Migrate Job - Starting ${'#'.repeat(36)}`,
      RULE,
      'PARAM -- Min Partition: -9223372036854775808',
      'PARAM -- Max Partition: 9223372036854775807',
      'PARAM -- Number of Splits : 64',
      'PARAM -- Track Run : true',
      'PARAM -- RunId : 1704067200000000000',
      'PARAM -- Previous RunId : 17',
      'PARAM -- Coverage Percent: 100',
      '###################### Run Id for this job is: 1704067200000000000 ######################',
      '###################### 3 partitions pending from previous run id 17 ######################',
      'PARAM Calculated -- Total Partitions: 3',
    ])
    const { cdmRun: _run, previous: _previous, pending: _pending, ...untracked } = BEGIN
    expect(reported(untracked)).toContain('PARAM -- Track Run : false')
    expect(reported(untracked).some((line) => /RunId|Run Id/.test(line))).toBe(false)
  })

  it('show that tracking is on, without a run id, if nothing is left to do', () => {
    const { cdmRun: _run, previous: _previous, ...done } = BEGIN
    const lines = reported({ ...done, ranges: '0', pending: '0' })
    expect(lines).toContain('PARAM -- Track Run : true')
    expect(lines).toContain('###################### 0 partitions pending ######################')
    expect(lines.at(-1)).toBe('PARAM Calculated -- Total Partitions: 0')
    expect(lines.some((line) => /RunId|Run Id/.test(line))).toBe(false)
  })

  it('show which ranges begin and fail', () => {
    const error = { code: 'TARGET_IO', message: 'no', retryable: false } as const
    expect(
      reported(
        BEGIN,
        { ...CHUNK, from: null, to: ['-7'] },
        { ...CHUNK, chunk: '2', from: ['-6'], to: null },
        { type: 'chunk.failed', table: 'ks.t', chunk: '2', error },
      ).slice(-3),
    ).toEqual([
      'ThreadID: 2 Processing min: -9223372036854775808 max: -7',
      'ThreadID: 2 Processing min: -6 max: 9223372036854775807',
      'Error with PartitionRange -- ThreadID: 2 Processing min: -6 max: 9223372036854775807',
    ])
  })

  it('show counts at the end', () => {
    const counters = {
      Read: '10',
      Write: '7',
      Skipped: '1',
      Error: '2',
      'Partitions Passed': '3',
      'Partitions Failed': '2',
    }
    expect(reported(BEGIN, { type: 'run.counted', table: 'ks.t', cdmRun: '9', counters }).slice(-9)).toEqual([
      RULE,
      'RunId: 9',
      'Final Read Record Count: 10',
      'Final Write Record Count: 7',
      'Final Skipped Record Count: 1',
      'Final Error Record Count: 2',
      'Final Partitions Passed: 3',
      'Final Partitions Failed: 2',
      RULE,
    ])
    const end = { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 } as const
    expect(reported(BEGIN, end).at(-2)).toMatch(/^#{36} Migrate Job - Stopped #{37}$/)
  })

  it('add the counts of earlier runs if these copied the rest', () => {
    const counters = {
      Read: '0',
      Write: '0',
      Skipped: '0',
      Error: '0',
      'Partitions Passed': '0',
      'Partitions Failed': '0',
    }
    const counted = { type: 'run.counted', table: 'ks.t', counters } as const
    const totals = { read: '20004', written: '20003', skipped: '0', quarantined: '1' }
    const end = { type: 'run.finished', status: 'ok', exitCode: 0, totals, ms: 1 } as const
    expect(reported(BEGIN, counted, end).slice(-5, -3)).toEqual([
      RULE,
      'The final counts are those of this run alone; with the runs before it: Read: 20004; Write: 20003; Skipped: 0; Error: 1',
    ])
    const all = { ...counted, counters: { ...counters, Read: '20004' } }
    expect(reported(BEGIN, all, end).join('\n')).not.toContain('this run alone')
  })

  it('show rows that differ, and their repair', () => {
    const columns = [{ column: 'c', source: 'a', target: null }]
    const row = { type: 'difference', table: 'ks.t', key: ['1', 'x'] } as const
    expect(
      reported(
        { ...BEGIN, job: 'VALIDATE' },
        { ...row, difference: 'missing', fixed: true },
        { ...row, difference: 'different', columns },
        { ...row, difference: 'extra' },
      ).slice(-3),
    ).toEqual([
      'Missing target row found for key: 1 %% x',
      'Inserted missing row in target: 1 %% x',
      'Mismatch row found for key: 1 %% x Mismatch: Target column:c-origin[a]-target[null]; ',
    ])
  })

  it('are absent for all other runs', () => {
    expect(
      reported(
        { ...CHUNK, from: null, to: null },
        { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 1 },
      ),
    ).toEqual([])
    const narrator = new Narrator(false)
    expect(narrator.event(made(BEGIN)).map(({ text }) => text)).toContain('PARAM -- Track Run : true')
  })
})
