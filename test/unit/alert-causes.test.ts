/** Which alert causes are raised or cleared by the events of a run, and how `--alert` is written. */
import { describe, expect, test } from 'vitest'
import { readAlert } from '../../src/cli/flags/alert-flags.ts'
import { AlertCauses } from '../../src/app/alerts/causes/watches.ts'
import type { AlertCondition } from '../../src/model/run/alert.ts'
import { ALERT_CAUSES, CAUSE_FORMS } from '../../src/model/run/alert.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { SluiceError, type ErrorCode, type ErrorInfo } from '../../src/shared/errors.ts'
import { statusOf } from '../../src/model/run/run-status.ts'

const MINUTE = 60_000

/** @returns `cause table: raised` or `over`, in order */
function found(conditions: readonly AlertCondition[], events: readonly (EventBody | number)[]): readonly string[] {
  const causes = new AlertCauses(conditions)
  let at = 0
  return events.flatMap((event) => {
    if (typeof event === 'number') at += event
    const verdicts = typeof event === 'number' ? causes.poll(at) : causes.take(event, at)
    return verdicts.map(
      ({ cause, table, holds }) => `${cause}${table === '' ? '' : ` ${table}`}: ${holds ? 'raised' : 'over'}`,
    )
  })
}

function ended(code?: ErrorCode): EventBody {
  const error = code === undefined ? undefined : new SluiceError(code, 'it says why')
  return {
    type: 'run.finished',
    status: error === undefined ? 'ok' : statusOf(error.kind),
    exitCode: error?.exitCode ?? 0,
    totals: {},
    ms: 1,
    ...(error === undefined ? {} : { error: error.info() }),
  }
}

const all = (
  ...causes: readonly ('failed' | 'fsck' | 'verify' | 'drift' | 'quarantine' | 'none-ahead' | 'default-rows')[]
) => causes.map((cause) => ({ cause }))

const finding = (level: 'finding' | 'note'): EventBody => ({
  type: 'fsck.finding',
  table: 't',
  level,
  finding: 'file-missing',
  path: 'p.parquet',
  detail: 'it is not there',
  hint: '',
})
const checked: EventBody = {
  type: 'fsck.checked',
  table: 't',
  check: 'listing',
  looked: '1',
  of: '1',
  findings: '0',
  detail: '',
}

test('the alert failed names the partition or table that failed, but not one that a retry completed', () => {
  const value = (...events: readonly EventBody[]): string | undefined => {
    const causes = new AlertCauses(all('failed'))
    return [...events, ended('TABLES_FAILED')].flatMap((event) => causes.take(event, 0)).at(-1)?.value
  }
  const { error } = ended('VALUE_REFUSED') as { readonly error: ErrorInfo }
  const partition = { type: 'archive.state', table: 'a', partition: 'Q1', state: 'EXPORTED', ms: 0 } as const
  expect(value({ ...partition, error })).toMatch(/: a Q1: VALUE_REFUSED /)
  expect(value({ ...partition, error }, partition)).not.toContain('Q1')
  expect(value({ type: 'log', level: 'error', table: 'b', message: 'no calendar' })).toMatch(/: b: no calendar$/)
  expect(value({ type: 'log', level: 'note', table: 'b', message: 'no calendar' })).not.toContain('no calendar')
  expect(value({ type: 'table.finished', table: 'c', status: 'failed', ms: 1, notes: ['2 different'] })).toMatch(
    /: c: 2 different$/,
  )
  expect(value({ type: 'table.finished', table: 'c', status: 'ok', ms: 1, notes: ['2 different'] })).not.toContain('c:')
})

test.each([
  ['batch-import', { type: 'table.finished', table: 'crm/c', status: 'refused', ms: 1 }, 'TABLE_FEATURE'],
  ['sync', { type: 'table.finished', table: 'crm/c', status: 'failed', behind: '2', ms: 1 }, 'LOG_REWRITTEN'],
  ['copy', { type: 'table.finished', table: 'crm/c', status: 'failed', ms: 1 }, 'VALUE_REFUSED'],
] as const)('an alert names the table that failed in %s, and not the tables that succeeded', (_, event, code) => {
  const causes = new AlertCauses(all('failed'))
  const beside = { type: 'table.finished', table: 'crm/d', status: 'ok', ms: 1 } as const
  const error = new SluiceError(code, 'it says why').info()
  const [verdict] = [{ ...event, error }, beside, ended('TABLES_FAILED')].flatMap((one) => causes.take(one, 0))
  expect(verdict?.value).toMatch(new RegExp(`: crm/c: ${code} it says why$`))
  expect(verdict?.named).toBe('crm/c')
})

test('of many failed tables the alert explains five and names all', () => {
  const causes = new AlertCauses(all('failed'))
  const error = new SluiceError('SOURCE_IO', 'why').info()
  const tables = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(
    (table) => ({ type: 'table.finished', table, status: 'failed', ms: 1, error }) as const,
  )
  const [verdict] = [...tables, ended('TABLES_FAILED')].flatMap((one) => causes.take(one, 0))
  expect(verdict?.value).toMatch(/: a: SOURCE_IO why; .*; e: SOURCE_IO why; and 2 more: f, g$/)
  expect(verdict?.named).toBe('a')
})

test('a failed run raises failed, unless another cause reports its end or the user stopped it', () => {
  expect(found(all('failed'), [ended('CONNECT_FAILED')])).toEqual(['failed: raised'])
  expect(found(all('failed'), [ended('PLAN_CHANGED')])).toEqual(['failed: raised'])
  expect(found(all('failed'), [ended()])).toEqual(['failed: over'])
  for (const code of ['STOPPED', 'DEADLINE', 'ALERTED'] as const)
    expect(found(all('failed'), [ended(code)])).toEqual([])
  expect(found(all('failed', 'fsck'), [finding('finding'), ended('DIFFERENCES')])).toEqual(['fsck t: raised'])
  expect(found(all('failed'), [finding('finding'), ended('DIFFERENCES')])).toEqual(['failed: raised'])
  // The run failed for another reason after the finding.
  expect(found(all('failed', 'fsck'), [finding('finding'), ended('SOURCE_IO')])).toEqual([
    'fsck t: raised',
    'failed: raised',
  ])
})

test('fsck findings raise one alert per run, which only a complete run clears', () => {
  expect(found(all('fsck'), [finding('note'), finding('finding'), finding('finding'), ended('DIFFERENCES')])).toEqual([
    'fsck t: raised',
  ])
  expect(found(all('fsck'), [finding('note'), checked, ended()])).toEqual(['fsck t: over'])
  for (const code of ['STOPPED', 'SOURCE_IO'] as const) expect(found(all('fsck'), [checked, ended(code)])).toEqual([])
  // A sample that found nothing may have left out the damaged file.
  const drawn: EventBody = { ...checked, check: 'footers', of: '6', drawn: true }
  expect(found(all('fsck'), [checked, drawn, ended()])).toEqual([])
})

test('archive damage is reported by table; late rows are no damage', () => {
  const progress = (table: string): EventBody => ({
    type: 'archive.progress',
    table,
    partition: 'p',
    step: 'verifying',
    rows: '1',
    total: '1',
    bytes: '0',
  })
  const damage = (what: 'late rows' | 'missing file'): EventBody => ({
    type: 'archive.finding',
    table: 'a',
    finding: what,
    detail: '',
  })
  expect(
    found(all('verify', 'failed'), [progress('a'), damage('missing file'), progress('b'), ended('PROOF_FAILED')]),
  ).toEqual(['verify a: raised', 'verify b: over'])
  expect(found(all('verify', 'failed'), [progress('a'), damage('late rows'), ended('PROOF_FAILED')])).toEqual([
    'verify a: over',
    'failed: raised',
  ])
})

describe('drift', () => {
  const finished = (status: 'ok' | 'current' | 'failed' | 'refused', code?: ErrorCode): EventBody => ({
    type: 'table.finished',
    table: 't',
    status,
    ms: 1,
    ...(code === undefined ? {} : { behind: '2', error: new SluiceError(code, 'why').info() }),
  })
  test('sync raises drift if the catalog cannot apply the log', () => {
    expect(found(all('drift'), [finished('failed', 'LOG_REWRITTEN')])).toEqual(['drift t: raised'])
    expect(found(all('drift'), [finished('refused', 'TABLE_FEATURE')])).toEqual(['drift t: raised'])
    const over = ['drift t: over', 'drift: over']
    expect(found(all('drift'), [finished('current'), finished('ok')])).toEqual([...over, ...over])
    // Another program updates the table.
    expect(found(all('drift'), [finished('failed', 'TABLE_LOCKED')])).toEqual([])
    const [verdict] = new AlertCauses(all('drift')).take(finished('failed', 'LOG_GAP'), 0)
    expect(verdict?.value).toBe('the catalog is 2 versions behind, and could not be updated: LOG_GAP: why')
  })
  test('validate raises drift if log and catalog differ', () => {
    const sides = { table: 't', version: '3', check: 'files', log: '10', catalog: '9' }
    const mismatch: EventBody = { type: 'verify.mismatch', ...sides, field: 'size' }
    const equal: EventBody = { type: 'verify.check', ...sides, equal: true, witness: '' }
    expect(found(all('drift'), [equal, mismatch, mismatch, ended('DIFFERENCES')])).toEqual(['drift t: raised'])
    expect(found(all('drift'), [equal, ended()])).toEqual(['drift t: over'])
    expect(found(all('drift'), [equal, ended('SOURCE_IO')])).toEqual([])
  })
})

test('alerts on partitions are raised and cleared by table; an unknown row count does neither', () => {
  const alarm = (table: string, name: 'none ahead' | 'rows in the default' | 'gap'): EventBody => ({
    type: 'partition.alarm',
    table,
    alarm: name,
    detail: 'why',
  })
  const begins = (table: string): EventBody => ({
    type: 'partition.table',
    table,
    by: 'at',
    partitions: '2',
    hasDefault: true,
  })
  const stands = (table: string, rows?: string): EventBody => ({
    type: 'partition.stands',
    table,
    ahead: '2',
    missing: '0',
    ...(rows === undefined ? {} : { defaultRows: rows }),
  })
  const events = [
    begins('a'),
    alarm('a', 'none ahead'),
    alarm('a', 'gap'),
    stands('a'),
    begins('b'),
    alarm('b', 'rows in the default'),
    stands('b', '5'),
    // The inspection of this table failed.
    begins('c'),
    begins('d'),
    stands('d', '0'),
  ]
  expect(found(all('none-ahead', 'default-rows'), events)).toEqual([
    'none-ahead a: raised',
    'none-ahead b: over',
    'default-rows b: raised',
    'none-ahead d: over',
    'default-rows d: over',
  ])
  const phase: EventBody = {
    type: 'lifecycle.phase',
    table: 'e',
    phase: 3,
    name: 'new partitions',
    state: 'due',
    detail: '3 missing',
    missing: '3',
    coveredTo: 'x',
    defaultRows: '0',
  }
  expect(found(all('none-ahead', 'default-rows'), [phase])).toEqual(['none-ahead e: raised', 'default-rows e: over'])
})

test('a catalog that becomes unreachable during an update is not reported as a fault of the table', () => {
  const failed = (table: string, code: ErrorCode): EventBody => ({
    type: 'table.finished',
    table,
    status: 'failed',
    ms: 1,
    error: new SluiceError(code, 'it says why').info(),
  })
  const well: EventBody = { type: 'table.finished', table: 'a', status: 'current', ms: 1 }
  expect(found(all('drift'), [failed('a', 'CONNECTION_LOST'), failed('b', 'LOG_REWRITTEN'), well])).toEqual([
    'drift: raised',
    'drift b: raised',
    'drift a: over',
    'drift: over',
  ])
  // The bucket of the log refuses keys with the same code.
  const error = new SluiceError('CONNECT_FAILED', 'S3 refuses access', { where: 's3://b/t' }).info()
  expect(found(all('drift'), [{ ...failed('a', 'CONNECT_FAILED'), error } as EventBody])).toEqual(['drift a: raised'])
})

test('quarantined rows of this run or an earlier one raise an alert', () => {
  const aside: EventBody = {
    type: 'row.aside',
    table: 't',
    chunk: '1',
    key: ['7'],
    error: new SluiceError('ROW_REFUSED', 'no').info(),
  }
  const finished = (quarantined: string): EventBody => ({
    type: 'table.finished',
    table: 't',
    status: quarantined === '0' ? 'ok' : 'failed',
    ms: 1,
    copied: {
      chunks: '1',
      proved: '1',
      earlier: '0',
      looked: '0',
      read: '1',
      written: '1',
      skipped: '0',
      quarantined,
      readPoints: '1',
    },
  })
  expect(found(all('quarantine', 'failed'), [aside, aside, finished('2'), ended('ROWS_ASIDE')])).toEqual([
    'quarantine t: raised',
  ])
  expect(found(all('quarantine'), [finished('1')])).toEqual(['quarantine t: raised'])
  expect(found(all('quarantine'), [finished('0')])).toEqual(['quarantine t: over'])
})

describe('a chunk that is stuck', () => {
  const limit = [{ cause: 'stuck', limit: 10 * MINUTE }] as const
  const started = (chunk = '1'): EventBody => ({
    type: 'chunk.started',
    table: 't',
    chunk,
    worker: 0,
    total: '9',
    unit: 'row',
  })
  const progress = (done: string, step: 'reading' | 'writing' = 'writing', chunk = '1'): EventBody => ({
    type: 'chunk.progress',
    table: 't',
    chunk,
    worker: 0,
    done,
    total: '9',
    unit: 'row',
    step,
  })
  const done = (chunk = '1'): EventBody => ({
    type: 'chunk.done',
    table: 't',
    chunk,
    worker: 0,
    done: '9',
    unit: 'row',
    ms: 1,
  })
  const retried: EventBody = {
    type: 'chunk.retried',
    table: 't',
    chunk: '1',
    attempt: 1,
    waitMs: 1,
    error: new SluiceError('TARGET_BUSY', 'a lock').info(),
  }
  test('is raised after the limit without progress', () => {
    expect(found(limit, [started(), 9 * MINUTE, progress('1'), 9 * MINUTE, MINUTE])).toEqual([])
    expect(found(limit, [started(), 9 * MINUTE, progress('1'), 11 * MINUTE, MINUTE, progress('2')])).toEqual([
      'stuck t: raised',
      'stuck t: over',
    ])
  })
  test('a retry that gets no further than the attempt before is no progress', () => {
    const round = [retried, started(), progress('1'), progress('5'), 4 * MINUTE] as const
    expect(found(limit, [started(), progress('5'), ...round, ...round, ...round])).toEqual(['stuck t: raised'])
  })
  test('a restarted read is no progress until it passes the earlier rows', () => {
    const again = [started(), 11 * MINUTE, progress('3', 'reading')] as const
    expect(found(limit, again)).toEqual(['stuck t: raised'])
    expect(found(limit, [...again, progress('4', 'reading')])).toEqual(['stuck t: raised', 'stuck t: over'])
  })
  test('the alert is cleared when no chunk of the table is stuck, or when the run ends', () => {
    const two = [started('1'), started('2'), 11 * MINUTE] as const
    expect(found(limit, [...two, done('1')])).toEqual(['stuck t: raised'])
    expect(found(limit, [...two, done('1'), done('2')])).toEqual(['stuck t: raised', 'stuck t: over'])
    expect(found(limit, [...two, ended('STOPPED')])).toEqual(['stuck t: raised', 'stuck t: over'])
  })
  test('a failed chunk is no progress: only completing it clears the alert, a failed run does not', () => {
    const failedChunk = {
      type: 'chunk.failed',
      table: 't',
      chunk: '1',
      worker: 0,
      error: new SluiceError('CHUNKS_FAILED', 'no').info(),
    }
    const standing = [started('1'), started('2'), 11 * MINUTE, failedChunk as EventBody] as const
    expect(found(limit, [...standing, done('2')])).toEqual(['stuck t: raised'])
    expect(found(limit, [...standing, done('2'), ended('CHUNKS_FAILED')])).toEqual(['stuck t: raised'])
    expect(found(limit, [...standing, done('2'), started('1'), done('1')])).toEqual([
      'stuck t: raised',
      'stuck t: over',
    ])
  })
  test('the alert names every stuck chunk and the time without progress', () => {
    const causes = new AlertCauses(limit)
    causes.take(started('1'), 0)
    causes.take(started('2'), MINUTE)
    expect(causes.poll(12 * MINUTE)).toEqual([
      {
        cause: 'stuck',
        table: 't',
        holds: true,
        value: 'chunks 1, 2 make no progress for 12 min',
        limit: '10 min',
        stoodMs: 12 * MINUTE,
      },
    ])
  })
  test('the cleared alert names the chunks that it was raised with, even if another chunk was the last to move', () => {
    const causes = new AlertCauses(limit)
    for (const chunk of ['1', '2']) causes.take(started(chunk), 0)
    causes.take(started('3'), 5 * MINUTE)
    causes.poll(12 * MINUTE)
    expect(causes.poll(16 * MINUTE)).toEqual([])
    causes.take(done('1'), 17 * MINUTE)
    causes.take(progress('4', 'writing', '2'), 17 * MINUTE)
    expect(causes.take(done('3'), 17 * MINUTE)).toMatchObject([
      { holds: false, value: 'chunks 1, 2 continue or are done' },
    ])
    const one = new AlertCauses(limit)
    one.take(started('2'), 0)
    one.poll(12 * MINUTE)
    expect(one.take(done('2'), 13 * MINUTE)).toMatchObject([{ holds: false, value: 'chunk 2 is done' }])
  })
  test('a paused run does not count as stuck', () => {
    const held = (paused: boolean): EventBody => ({ type: 'run.steered', paused })
    expect(found(limit, [started(), held(true), 30 * MINUTE, held(false), 9 * MINUTE])).toEqual([])
    expect(found(limit, [started(), held(true), 30 * MINUTE, held(false), 11 * MINUTE])).toEqual(['stuck t: raised'])
  })
})

test('alert causes that the command never raises, and unknown words, are refused', () => {
  const fsck = { command: 'fsck', causes: ['fsck', 'failed'] } as const
  expect(readAlert({ alert: 'failed, fsck' }, fsck)?.conditions).toEqual([{ cause: 'failed' }, { cause: 'fsck' }])
  const refused = (alert: string): unknown => {
    try {
      return readAlert({ alert }, fsck)
    } catch (error) {
      const { code, message, hint } = error as SluiceError
      return [code, message, hint]
    }
  }
  const hint = 'fsck can alert on fsck,failed'
  expect(refused('lag>30s')).toEqual([
    'BAD_FLAG',
    '--alert lag is not a cause of fsck: such an alert would never be sent',
    hint,
  ])
  expect(refused('fialed')).toEqual(['BAD_FLAG', '--alert fialed is not a condition (failed?)', hint])
  expect(refused('fsck>3')).toEqual(['BAD_FLAG', '--alert fsck>3 is not a condition', 'write it like fsck'])
  // Each cause can be written in the form that help and hints show.
  for (const cause of ALERT_CAUSES)
    expect(
      readAlert({ alert: CAUSE_FORMS[cause].form }, { command: 'x', causes: ALERT_CAUSES })?.conditions[0]?.cause,
    ).toBe(cause)
})
