/** Workers of a queue, and the runs that they share, as rows of an aligned table. */
import { visible } from '../shared/visible.ts'
import { exitCell, left, NONE, right, textCell, timeCell } from './column.ts'
import { grouped } from '../shared/figures.ts'
import { listing } from './listing.ts'

const rate = (value: string): string => (value === '0' ? NONE : `${grouped(value)}/s`)

export const WORKERS = listing('worker', [
  left('HOST', (event) => visible(event.host)),
  right('PID', (event) => event.pid),
  left('STATE', (event) => event.state),
  right('SLOTS', (event) => `${event.slots.length} of ${event.concurrency}`),
  right('RATE', (event) => rate(event.rate)),
  left('WORKS ON', (event) => (event.slots.length === 0 ? NONE : event.slots.join(' ')), { rank: 1 }),
  left('HEARD OF', (event) => timeCell(event.beatAt), { rank: 2 }),
  left('QUEUES', (event) => (event.queues.length === 0 ? NONE : visible(event.queues.join(', '))), { rank: 3 }),
  left('PROGRAM', (event) => visible(event.program), { rank: 4 }),
])

export const SHARED_RUNS = listing('shared.run', [
  left('RUN', (event) => event.run),
  left('OPERATION', (event) => visible(event.operation)),
  left('STATUS', (event) => (event.paused ? 'paused' : event.status)),
  right('EXIT', (event) => exitCell(event.exitCode)),
  right('SLOTS', tasksText),
  right('ROWS', (event) =>
    event.countedAt === undefined ? grouped(event.rows) : `${grouped(event.rows)} as of ${timeCell(event.countedAt)}`,
  ),
  right('RATE', (event) => rate(event.rate)),
  left('BEGUN', (event) => timeCell(event.begunAt), { rank: 2 }),
  left('ENDED', (event) => timeCell(event.endedAt), { rank: 1 }),
  left('ERROR', (event) => visible(event.error ?? ''), { rank: 3 }),
  left('REFUSED BY', (event) => visible((event.refusedBy ?? []).join('; ')), { rank: 4 }),
  left('COMMAND', (event) => visible(event.command), { below: true }),
])

/** `3 working, 1 queued`. */
function tasksText({ queued, working, ended }: Readonly<Record<'queued' | 'working' | 'ended', string>>): string {
  const reported = [
    [working, 'working'],
    [queued, 'queued'],
    [ended, 'ended'],
  ] as const
  return reported.flatMap(([count, word]) => (count === '0' ? [] : [`${count} ${word}`])).join(', ')
}

export const SHARED_TASKS = listing('shared.slot', [
  right('SLOT', (event) => event.slot),
  left('STATE', (event) => event.state),
  left('ABOUT', (event) => (event.about === '' ? NONE : visible(event.about)), { rank: 3 }),
  left('HOST', (event) => textCell(event.host)),
  right('ROWS', (event) => grouped(event.rows)),
  right('CHUNKS', (event) => grouped(event.chunks)),
  right('RATE', (event) => rate(event.rate)),
  right('TURNS', (event) => event.turns),
  left('HEARD OF', (event) => timeCell(event.beatAt), { rank: 1 }),
  left('RUN THERE', (event) => event.ledgerRun ?? NONE, { rank: 2 }),
  right('EXIT', (event) => exitCell(event.exitCode)),
  left('ERROR', (event) => visible(event.error ?? '')),
])
