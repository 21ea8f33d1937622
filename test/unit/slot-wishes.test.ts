/** Steering requests of slots: each is passed once, shared out, and leaves the state of the queue, in any order. */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { NO_REQUESTS, optionsSince, requestsOf, type SharedRequests } from '../../src/app/share/task-requests.ts'
import { isUnknownTable } from '../../src/app/share/steered-tables.ts'
import { refuseForOperation, withFullNames } from '../../src/app/share/table-orders.ts'
import { Steering } from '../../src/engine/copy/workers/steering.ts'
import type { ClaimedTask, TaskRequests } from '../../src/model/share/queue-port.ts'
import type { DistributedRun, RunRequests } from '../../src/model/share/distributed.ts'
import {
  ordersAfter,
  parseTableRequest,
  type TableOrders,
  type TableRequest,
} from '../../src/model/run/table-request.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'

const NONE: TableOrders = { holds: [], retries: [] }
const reported = ({ holds, retries }: TableOrders): SharedRequests => ({ wishes: { tables: holds, retries }, among: 1 })

describe('steering requests for single tables', () => {
  const options = fc.record({
    act: fc.constantFrom<TableRequest['act']>('pause', 'resume', 'skip', 'retry'),
    table: fc.constantFrom('a', 'b'),
    chunk: fc.option(fc.constantFrom('1', '2'), { nil: undefined }),
  })
  const whole = ({
    act,
    table,
    chunk,
  }: TableRequest | { act: TableRequest['act']; table: string; chunk: string | undefined }): TableRequest => ({
    act,
    table,
    ...(chunk === undefined ? {} : { chunk }),
  })
  const standing = (steering: Steering): unknown => {
    const { pausedTables, skippedTables } = steering.state() as Record<string, readonly string[]>
    return [pausedTables?.toSorted(), skippedTables?.toSorted()]
  }
  const steering = (): Steering => {
    const one = new Steering(1, null, undefined, new AbortController().signal)
    one.tables = ['a', 'b']
    return one
  }

  test('leave a slot in the same state as a local run, however many arrive between two heartbeats', () => {
    fc.assert(
      fc.property(fc.array(fc.array(options, { maxLength: 5 }), { maxLength: 5 }), (beats) => {
        const [direct, slot] = [steering(), steering()]
        let orders = NONE
        let before: SharedRequests = { wishes: {}, among: 1 }
        let at = 0
        for (const requests of beats) {
          for (const one of requests.map(whole)) {
            direct.honour(one)
            orders = ordersAfter(orders, one, (at += 1))
          }
          for (const one of optionsSince(before, reported(orders), false)) slot.honour(one)
          before = reported(orders)
          expect(standing(slot)).toEqual(standing(direct))
          expect(optionsSince(before, reported(orders), false)).toEqual([])
        }
        // A slot that begins now.
        const late = steering()
        for (const one of optionsSince(NO_REQUESTS, reported(orders), false)) late.honour(one)
        expect(standing(late)).toEqual(standing(direct))
        expect(late.takeRetries('a')).toEqual([])
      }),
    )
  })

  test('for a table of another slot are left to that slot', () => {
    const one = steering()
    expect(one.isForOthers({ act: 'pause', table: 'c', shared: true })).toBe(true)
    expect(one.isForOthers({ act: 'pause', table: 'a', shared: true })).toBe(false)
    expect(one.isForOthers({ act: 'pause', table: 'c' })).toBe(false)
  })
})

test('numbers apply to the whole run and are divided, except lanes, which go to the slot with the stream', () => {
  const now: SharedRequests = { wishes: { rate: 1000, workers: 8, lanes: 4, held: true }, among: 2 }
  expect(optionsSince(NO_REQUESTS, now, false)).toEqual([
    { act: 'hold', held: true },
    { act: 'rate', rate: 500 },
    { act: 'workers', workers: 4 },
    { act: 'lanes', lanes: 4 },
  ])
  expect(optionsSince(NO_REQUESTS, now, true)).not.toContainEqual({ act: 'lanes', lanes: 4 })
  expect(optionsSince(now, { ...now, among: 4 }, false)).toEqual([
    { act: 'rate', rate: 250 },
    { act: 'workers', workers: 2 },
  ])
})

test('the rate of the command is for the whole run, also if its tasks have a table each', () => {
  const rateOf = (operation: unknown, takesTurns: boolean, wishes: RunRequests = {}): unknown =>
    requestsOf({ takesTurns, operation } as ClaimedTask, { wishes, working: 3 } as TaskRequests).wishes.rate
  for (const takesTurns of [false, true]) {
    expect(rateOf({ kind: 'copy', tables: ['a'], rate: 100 }, takesTurns)).toBe(100)
    expect(rateOf({ kind: 'copy', tables: ['a'], rate: 100 }, takesTurns, { rate: null })).toBe(null)
  }
  const now = requestsOf(
    { takesTurns: false, operation: { kind: 'copy', rate: 100 } } as ClaimedTask,
    { wishes: {}, working: 3 } as TaskRequests,
  )
  expect(optionsSince(NO_REQUESTS, now, false)).toEqual([{ act: 'rate', rate: 33 }])
})

describe('the table of a request', () => {
  const run = (operation: unknown, options: RunRequests = {}): DistributedRun =>
    ({ runId: '7', program: 'p', operation, wishes: options }) as DistributedRun
  const copy = run({ kind: 'copy', tables: ['public.a', 'logs_*'] })
  const names = { names: ['public.a', 'public.logs_1', 'x.same', 'y.same'], isWhole: true }
  const early = { names: [], isWhole: false }
  const hold = (name: string): TableRequest => parseTableRequest('pause', name)

  test('gets its full name once a slot has planned, and is refused if no slot has it', () => {
    expect(withFullNames(copy, [hold('a'), hold('logs_1#3')], names)).toEqual([
      { act: 'pause', table: 'public.a' },
      { act: 'pause', table: 'public.logs_1', chunk: '3' },
    ])
    expect(sluiceErrorOf(() => withFullNames(copy, [hold('b')], names)).message).toBe('the run 7 has no table b')
    expect(sluiceErrorOf(() => withFullNames(copy, [hold('same')], names)).message).toContain('several tables')
  })

  test('is checked against the command before that, and gets its full name later', () => {
    for (const name of ['a', 'public.a', 'logs_7', 'public.logs_7'])
      expect(withFullNames(copy, [hold(name)], early)).toEqual([{ act: 'pause', table: name }])
    expect(sluiceErrorOf(() => withFullNames(copy, [hold('b')], early)).hint).toBe('its tables are public.a, logs_*')
    const noted = { ...copy, wishes: { tables: [{ table: 'a', held: 'skipped' as const }] } }
    expect(withFullNames(noted, [parseTableRequest('resume', 'a')], names)).toEqual([
      { act: 'resume', table: 'a' },
      { act: 'skip', table: 'public.a' },
      { act: 'resume', table: 'public.a' },
    ])
    expect([isUnknownTable('logs_9', names), isUnknownTable('a', names), isUnknownTable('logs_9', early)]).toEqual([
      true,
      false,
      false,
    ])
  })

  test('is refused if the run does not support it, for a follow run, and for an older queue', () => {
    const refused = (operation: unknown, options: RunRequests, tables: readonly TableRequest[]): string =>
      sluiceErrorOf(() => refuseForOperation(run(operation), options, tables)).message
    expect(refused({ kind: 'diff', tables: ['a'] }, {}, [hold('a')])).toBe(
      'diff does not support pause of single tables',
    )
    expect(refused({ kind: 'follow' }, {}, [hold('a')])).toContain('not possible in a run that replicates changes')
    expect(refused({ kind: 'copy', tables: ['a'] }, { lanes: 2 }, [])).toBe(
      'the run 7 does not replicate changes and has no apply workers',
    )
    expect(refused({ kind: 'of tomorrow' }, { lanes: 2 }, [])).toContain('belongs to another program version')
    // What a task would ignore is not accepted.
    const shared = (kind: string): string => refused({ kind, tables: ['a'] }, { held: true }, [])
    expect(shared('partition-ensure')).toBe('the run 7 (partition-ensure) does not support pause')
    for (const kind of ['sync', 'archive']) {
      expect(refused({ kind, tables: ['a'] }, { rate: 100 }, [])).toContain('does not support rate')
      expect(refused({ kind, tables: ['a'] }, { workers: 2 }, [])).toContain('does not support workers')
      refuseForOperation(run({ kind, tables: ['a'] }), { held: true }, [])
    }
    // A resume confirms a run of a copied queue, whatever its kind.
    refuseForOperation(run({ kind: 'partition-ensure', tables: ['a'] }), { held: false }, [])
    for (const kind of ['copy', 'partition-run'])
      refuseForOperation(run({ kind, tables: ['a'] }), { held: true, rate: 100, workers: 2 }, [])
    refuseForOperation(run({ kind: 'follow' }), { held: true, rate: 100, workers: 2 }, [])
    refuseForOperation(run({ kind: 'copy', tables: ['a'], follow: {} }), { lanes: 2 }, [hold('a')])
    const follows = { names: [], isWhole: true }
    expect(sluiceErrorOf(() => withFullNames(copy, [hold('a')], follows)).message).toContain(
      'not possible in a run that replicates changes',
    )
    expect(sluiceErrorOf(() => withFullNames(copy, [hold('a')], null)).message).toContain('older program')
  })
})
