/**
 * Distributed runs and their workers, on screens of every size: listed next to runs of this machine, steered, and never
 * shown as live after missed heartbeats.
 */
import { afterEach, expect, it } from 'vitest'
import type { QueueSeen, QueueWanted, SharedRun, Workbench } from '../../src/app/workbench.ts'
import type { RunRequests, TaskRow, WorkerRow } from '../../src/model/share/distributed.ts'
import type { ScheduleEvent } from '../../src/model/share/schedule-events.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { fakeWorkbench, NOW } from './fake-workbench.mjs'
import { openApp, type App } from './support/app.ts'
import { expectGolden } from './support/golden.ts'

let open: App[] = []
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const RUN = '1795461038380770944'
const PROGRAM = '0.1.0, ledgers 3 and 8'

const shared: SharedRun = {
  runId: RUN,
  kind: 'copy',
  commandLine: 'sluice copy --from shop --to cold --table orders --rate 3000',
  queue: null,
  source: 'postgresql://app@shop-db/shop',
  target: 'postgresql://app@cold-db/cold',
  program: PROGRAM,
  actor: 'ann',
  host: 'desk',
  begunAt: NOW - 120_000,
  endedAt: null,
  status: 'running',
  exitCode: null,
  error: null,
  wishes: {},
  rows: 195_133n,
  chunks: 96,
  countedAt: null,
  rate: 6094,
  slots: { queued: 1, working: 2, ended: 0, lost: 0, whole: 0 },
  refusals: [],
  slotRuns: ['1795461044074052928'],
  isWaiting: false,
  isUnconfirmed: false,
  about: 'orders',
  ledgerStore: 'cold',
  workersEach: 4,
}
const slot = (no: number, more: Partial<TaskRow>): TaskRow => ({
  runId: RUN,
  no,
  about: '',
  state: 'working',
  onCall: false,
  turns: 1,
  workerId: `w${no}`,
  host: `host${no}`,
  ledgerRun: `179546104407405292${no}`,
  beatAt: NOW - 1_000,
  isLost: false,
  rows: 97_000n,
  chunks: 48,
  rate: 3047,
  exitCode: null,
  error: null,
  ...more,
})
const WAITS = {
  state: 'queued',
  workerId: null,
  host: null,
  ledgerRun: null,
  beatAt: null,
  rows: 0n,
  chunks: 0,
  rate: 0,
} as const
const worker = (no: number, more: Partial<WorkerRow> = {}): WorkerRow => ({
  workerId: `w${no}`,
  host: `host${no}`,
  pid: 4710 + no,
  program: PROGRAM,
  concurrency: 1,
  queues: [],
  begunAt: NOW - 600_000,
  beatAt: NOW - 1_000,
  state: 'lives',
  slots: [{ runId: RUN, no, rate: 3047 }],
  ...more,
})

const scheduled = (schedule: string, more: Partial<ScheduleEvent>): ScheduleEvent => ({
  type: 'schedule',
  schedule,
  state: 'on',
  rule: 'each day at 03:00 (UTC)',
  catchUp: 'last',
  command: 'sluice fsck /lake/sales/orders',
  slots: '1',
  actor: 'ann',
  host: 'desk',
  addedAt: new Date(NOW - 86_400_000).toISOString(),
  ...more,
})
const at = (ms: number): string => new Date(NOW + ms).toISOString()
const SCHEDULES = [
  scheduled('lake', { nextPeriod: '2026-11-24', nextAt: at(9 * 3_600_000), lastAt: at(-3_600_000) }),
  scheduled('old-orders', {
    rule: 'each quarter from April, on day 1 at 02:30 (Europe/Berlin)',
    command: 'sluice archive run --from shop --table orders --older-than 8q',
    nextPeriod: 'Q4-FY27',
    nextAt: at(40 * 86_400_000),
    lastAt: at(-52 * 86_400_000),
    lastRun: RUN,
    lastStatus: 'ok',
    lastPeriod: 'Q3-FY27',
  }),
  scheduled('purge', {
    state: 'void',
    error: 'SCHEDULE_VOID the plan of this schedule is not the confirmed one: other values of olderThan',
    lastAt: at(-3_600_000),
    lastStatus: 'refused',
    lastRun: '1795461044074052929',
  }),
]

/** A queue that the test controls. */
function queueOf(seen: { now?: number; run?: SharedRun; slots?: readonly TaskRow[]; workers?: readonly WorkerRow[] }) {
  const reported = {
    now: NOW,
    run: shared,
    slots: [slot(1, {}), slot(2, {}), slot(3, WAITS)],
    workers: [worker(1), worker(2)],
    ...seen,
  }
  const asked: QueueWanted[] = []
  const ordered: RunRequests[] = []
  const changed: string[] = []
  let schedules: readonly ScheduleEvent[] = SCHEDULES
  let rests = 0
  let away: SluiceError | null = null
  const queue: NonNullable<Workbench['queue']> = {
    label: 'postgresql://app@queue-db/queue',
    snapshot: async (wanted: QueueWanted): Promise<QueueSeen> => {
      asked.push(wanted)
      if (away !== null) throw away
      return {
        now: reported.now,
        program: PROGRAM,
        runs: wanted.runs === 0 ? null : [reported.run],
        workers: wanted.workers ? reported.workers : null,
        schedules: wanted.schedules ? schedules : null,
        run: wanted.run === null ? null : { found: reported.run, slots: reported.slots },
      }
    },
    steer: async (_run: string, options: RunRequests): Promise<SharedRun> => {
      ordered.push(options)
      reported.run = { ...reported.run, wishes: { ...reported.run.wishes, ...options, orderedAt: reported.now } }
      return reported.run
    },
    drain: async (workerId: string): Promise<readonly WorkerRow[]> => {
      changed.push(`drain ${workerId}`)
      reported.workers = reported.workers.map((one) =>
        one.workerId === workerId ? { ...one, state: 'draining' } : one,
      )
      return reported.workers
    },
    changeSchedule: async (name: string, change: string) => {
      changed.push(`${change} ${name}`)
      const state = change === 'pause' ? 'paused' : 'on'
      schedules = schedules.map((one) => (one.schedule === name ? { ...one, state } : one))
      return { notes: ['its run continues'], schedules }
    },
    rest: () => void (rests += 1),
  }
  return {
    queue,
    told: reported,
    asked,
    ordered,
    changed,
    rests: () => rests,
    leave: (error: SluiceError | null) => void (away = error),
  }
}

function start(from: ReturnType<typeof queueOf>, columns = 80, rows = 24): App {
  const fake = Object.assign(fakeWorkbench({ hold: true }), { queue: from.queue })
  const app = openApp({ columns, rows, fake, stores: [{ name: 'cold', url: 'postgresql://app@cold-db/cold' }] })
  open.push(app)
  return app
}

const trimmed = (app: App): string => app.screen().replaceAll(/ +$/gm, '')

it('lists distributed runs next to runs of this machine, and queries the queue only while they are shown', async () => {
  const from = queueOf({})
  const app = start(from)
  await app.until('213')
  expect(from.asked).toEqual([])
  await app.press(['2'], /running +copy +orders/)
  await app.until('2 workers live')
  expectGolden('shared-runs-80x24', trimmed(app))
  app.resize(120, 40)
  await app.until('WHERE')
  expectGolden('shared-runs-120x40', trimmed(app))
  app.resize(40, 10)
  await app.until('orders · queue')
  expectGolden('shared-runs-40x10', trimmed(app))
  await app.press(['1'], 'crm/accounts')
  await expect.poll(from.rests, { timeout: 6_000 }).toBe(1)
  const { length } = from.asked
  expect(length).toBeLessThan(5)
})

it('opens a run, and shows a request until all tasks have got it', async () => {
  const from = queueOf({ slots: [slot(1, {}), slot(2, { beatAt: NOW - 12_000 }), slot(3, WAITS)] })
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['j', 'j', 'enter'], 'host2')
  await app.until('silent')
  // The rate is the sum of tasks with a recent heartbeat.
  expect(app.screen()).toMatch(/3,047\/s of 1 task/)
  expectGolden('shared-run-80x24', trimmed(app))
  await app.press(['p'], /pause: 2 of 2 tasks have not received it yet/)
  expect(from.ordered).toEqual([{ held: true }])
  expect(app.screen()).toContain('pausing')
  from.told.now += 2_000
  from.told.slots = [
    slot(1, { beatAt: NOW + 1_500, rate: 0 }),
    slot(2, { beatAt: NOW + 1_500, rate: 0 }),
    slot(3, WAITS),
  ]
  await app.until('all tasks have received it')
  await app.until('copy: paused')
  await app.press(['p'], /resume: 2 of 2 tasks/)
  await app.press(['+'], '10 chunks at once')
  await app.press(['<'], /nothing moves yet/)
  expect(from.ordered).toEqual([{ held: true }, { held: false }, { workers: 10 }])
  // A stop on all hosts needs a confirmation; enter alone stops nothing.
  await app.press(['x'], 'Workers on every host')
  await app.press(['enter'], /pause {2}\+\/-/)
  expect(from.ordered).toHaveLength(3)
  await app.press(['x'], 'Workers on every host')
  await app.press(['down', 'enter'], 'copy: stopping')
  expect(from.ordered.at(-1)).toEqual({ stop: true })
  app.resize(40, 10)
  await app.until(/stopping/)
  expectGolden('shared-run-40x10', trimmed(app))
})

it('shows the end of a run, and queues the rest only after a confirmation', async () => {
  const error = new SluiceError('DIFFERENCES', '3 rows differ', { hint: 'diff --fix mends them' }).info()
  const refusals = [
    {
      host: 'stranger',
      error: new SluiceError('BAD_CONFIG', 'the store cold of this worker is another database').info(),
    },
  ]
  const run: SharedRun = {
    ...shared,
    status: 'failed',
    exitCode: 1,
    error,
    refusals,
    endedAt: NOW - 30_000,
    rate: 0,
    slots: { queued: 0, working: 0, ended: 2, lost: 0, whole: 0 },
  }
  const from = queueOf({
    run,
    slots: [
      slot(1, { state: 'ended', exitCode: 0, rate: 0 }),
      slot(2, { state: 'ended', exitCode: 1, error, rate: 0 }),
    ],
  })
  const app = start(from, 120, 40)
  await app.until('213')
  await app.press(['2'], /failed +copy/)
  await app.press(['j', 'j', 'enter'], 'task 1')
  await app.press(['j'], 'task 2')
  await app.until('3 rows differ')
  expectGolden('shared-run-ended-120x40', trimmed(app))
  await app.press(['p'], 'Queue the rest of the run')
  await app.press(['enter'], 'host1')
  expect(from.ordered).toEqual([])
})

it('shows workers by their last heartbeat, and opens the run of a worker', async () => {
  const workers = [
    worker(1, { concurrency: 2 }),
    worker(2, { beatAt: NOW - 14_000 }),
    worker(3, { state: 'draining', slots: [], program: '9.9.9, ledgers 3 and 8' }),
    worker(4, { state: 'lost', beatAt: NOW - 90_000 }),
    worker(5, { state: 'ended', beatAt: NOW - 3_600_000, slots: [], queues: ['night'] }),
  ]
  const from = queueOf({ workers })
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['w'], 'Runs › workers')
  await app.until('host5')
  expectGolden('workers-80x24', trimmed(app))
  app.resize(120, 40)
  await app.until('QUEUES')
  expectGolden('workers-120x40', trimmed(app))
  app.resize(40, 10)
  await app.until(/HOST +STATE/)
  expectGolden('workers-40x10', trimmed(app))
  app.resize(80, 24)
  // If the queue does not answer, its older state is not shown as current.
  from.leave(new SluiceError('CONNECT_FAILED', 'the server refuses connections'))
  await app.until('is away')
  expect(app.screen()).not.toContain('lives')
  expectGolden('workers-away-80x24', trimmed(app))
  from.leave(null)
  await app.until('1 worker live')
  await app.press(['enter'], /workers ›.*770944/)
  await app.press(['esc'], 'host5')
  await app.press(['esc'], /running +copy/)
})

it('shows schedules: the times, the last result, and the error of one that does not run', async () => {
  const from = queueOf({})
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['T'], 'Runs › schedules')
  await app.until('old-orders')
  expectGolden('schedules-80x24', trimmed(app))
  await app.press(['down', 'down'], 'SCHEDULE_VOID')
  app.resize(120, 40)
  await app.until('RULE')
  expectGolden('schedules-120x40', trimmed(app))
  app.resize(40, 10)
  await app.until(/SCHEDULE +STATE/)
  expectGolden('schedules-40x10', trimmed(app))
  app.resize(80, 24)
  from.leave(new SluiceError('CONNECT_FAILED', 'the server refuses connections'))
  await app.until('is away')
  expect(app.screen()).toContain('not known')
  from.leave(null)
  await app.until('2 workers live')
  await app.press(['up'], 'each quarter from April')
  await app.press(['enter'], /schedules.*770944/)
  await app.press(['esc'], 'old-orders')
  await app.press(['esc'], /running +copy/)
})

it.each([
  [80, 24],
  [120, 40],
])('leaves a blank between columns, whatever the length of their texts, at %dx%d', async (columns, rows) => {
  const run: SharedRun = { ...shared, kind: 'partition-ensure', about: 'arc.ev' }
  const from = queueOf({ run })
  const app = start(from, columns, rows)
  /** Start of a column in the heading of the list, and in a row with this text. */
  const placeOf = (title: string, word: RegExp): readonly (number | undefined)[] => {
    const lines = app.screen().split('\n')
    const head = lines.find((line) => line.includes(` ${title}`)) ?? ''
    const found = lines.find((line) => word.test(line)) ?? ''
    return [head.indexOf(title), word.exec(found)?.index]
  }
  const stands = (title: string, word: RegExp): void => {
    const [head, row] = placeOf(title, word)
    expect([title, row]).toEqual([title, head])
  }
  await app.until('213')
  await app.press(['2'], 'arc.ev')
  stands('COMMAND', /(?<= )partition-en/)
  stands('TABLE', /(?<= )arc\.ev/)
  await app.press(['T'], 'old-orders')
  from.leave(new SluiceError('CONNECT_FAILED', 'the server refuses connections'))
  await app.until('not known')
  stands('STATE', /(?<= ). not known(?= )/)
  stands('RESULT', /(?<= ). ok(?= |$)/)
})

it('shows for each list the time of its own data if the queue is away', async () => {
  const from = queueOf({})
  const app = start(from)
  const [early, late] = [/shown is \d\d:06:00/, /shown is \d\d:16:00/]
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['j', 'j', 'enter'], 'host2')
  await app.press(['esc'], /running +copy/)
  await app.press(['T'], 'old-orders')
  app.clock.now += 600_000
  // One more answer, for this screen only.
  const { length } = from.asked
  await expect.poll(() => from.asked.length, { timeout: 6_000 }).toBeGreaterThan(length + 1)
  from.leave(new SluiceError('CONNECT_FAILED', 'the server refuses connections'))
  await app.until('is away')
  expect(app.screen()).toMatch(late)
  await app.press(['esc'], /not known +copy/)
  expect(app.screen()).toMatch(early)
  await app.press(['enter'], 'host2')
  expect(app.screen()).toMatch(early)
  await app.press(['esc'], /not known +copy/)
  await app.press(['w'], 'Runs › workers')
  expect(app.screen()).toMatch(late)
})

it('drains a worker after a confirmation; a draining worker has no such key', async () => {
  const from = queueOf({})
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['w'], 'x drain')
  await app.press(['x'], 'Drain a worker')
  expectGolden('worker-drain-80x24', trimmed(app))
  await app.press(['enter'], 'x drain')
  expect(from.changed).toEqual([])
  await app.press(['x'], 'Drain a worker')
  await app.press(['down', 'enter'], /draining/)
  expect(from.changed).toEqual(['drain w1'])
  expect(app.screen()).not.toContain('x drain')
})

it('pauses and resumes a schedule, and runs it now after a confirmation; a void schedule has no such keys', async () => {
  const from = queueOf({})
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /running +copy/)
  await app.press(['T'], 'Runs › schedules')
  await app.until('run now')
  await app.press(['p'], /is paused; its run continues/)
  await app.until(/p resume/)
  await app.press(['p'], /is resumed; its run continues/)
  await app.press(['r'], 'Run a schedule now')
  expectGolden('schedule-run-now-80x24', trimmed(app))
  await app.press(['enter'], 'SCHEDULE')
  expect(from.changed).toHaveLength(2)
  await app.press(['r'], 'Run a schedule now')
  await app.press(['down', 'enter'], /runs now/)
  const name = SCHEDULES.toSorted((a, b) => a.schedule.localeCompare(b.schedule))[0]?.schedule
  expect(from.changed).toEqual([`pause ${name}`, `resume ${name}`, `run-now ${name}`])
  await app.press(['down', 'down'], 'SCHEDULE_VOID')
  expect(app.screen()).not.toContain('run now')
  await app.press(['p', 'r'], 'SCHEDULE_VOID')
  expect(from.changed).toHaveLength(3)
})

it('shows a run as waiting if all its workers are lost, and that no worker takes its tasks', async () => {
  const lost = { beatAt: NOW - 40_000, isLost: true, rate: 0 }
  const run: SharedRun = {
    ...shared,
    wishes: { rate: 1000, orderedAt: NOW - 60_000 },
    rate: 0,
    slots: { queued: 1, working: 2, ended: 0, lost: 2, whole: 0 },
  }
  const workers = [worker(1, { state: 'lost', beatAt: NOW - 40_000 })]
  const from = queueOf({ run, workers, slots: [slot(1, lost), slot(2, lost), slot(3, WAITS)] })
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /waits +copy/)
  await app.press(['j', 'j', 'enter'], '2 lost · 1 waits')
  for (const text of [
    'copy: waits',
    'nothing moves',
    'applied by the next worker that takes a task',
    'no live worker takes it',
  ])
    expect(app.screen()).toContain(text)
})
it('shows a run from a copied queue as paused, and p confirms it', async () => {
  const run: SharedRun = {
    ...shared,
    kind: 'diff',
    isUnconfirmed: true,
    rate: 0,
    slots: { queued: 1, working: 0, ended: 0, lost: 0, whole: 0 },
  }
  const from = queueOf({ run, slots: [slot(1, WAITS)] })
  const app = start(from)
  await app.until('213')
  await app.press(['2'], /paused +diff/)
  await app.press(['j', 'j', 'enter'], 'in another database: p confirms it here')
  await app.press(['p'], /resume/)
  expect(from.ordered).toEqual([{ held: false }])
})
