/** Workers of a queue, and the runs that they share, as rows of an aligned table. */
import { visible } from '../shared/visible.ts'
import { left, NONE, right, timeCell } from './column.ts'
import { grouped } from '../shared/figures.ts'
import type { Listing } from './listing.ts'

const rate = (value: string): string => (value === '0' ? NONE : `${grouped(value)}/s`)

export const WORKERS: Listing = {
  columns: [
    left('HOST'),
    right('PID'),
    left('STATE'),
    right('SLOTS'),
    right('RATE'),
    { ...left('WORKS ON'), rank: 1 },
    { ...left('HEARD OF'), rank: 2 },
    { ...left('QUEUES'), rank: 3 },
    { ...left('PROGRAM'), rank: 4 },
  ],
  row: (event) =>
    event.type !== 'worker'
      ? null
      : [
          visible(event.host),
          event.pid,
          event.state,
          `${event.slots.length} of ${event.concurrency}`,
          rate(event.rate),
          event.slots.length === 0 ? NONE : event.slots.join(' '),
          timeCell(event.beatAt),
          event.queues.length === 0 ? NONE : visible(event.queues.join(', ')),
          visible(event.program),
        ],
}

export const SHARED_RUNS: Listing = {
  columns: [
    left('RUN'),
    left('OPERATION'),
    left('STATUS'),
    right('EXIT'),
    right('SLOTS'),
    right('ROWS'),
    right('RATE'),
    { ...left('BEGUN'), rank: 2 },
    { ...left('ENDED'), rank: 1 },
    { ...left('ERROR'), rank: 3 },
    { ...left('REFUSED BY'), rank: 4 },
    { ...left('COMMAND'), below: true },
  ],
  row: (event) =>
    event.type !== 'shared.run'
      ? null
      : [
          event.run,
          visible(event.operation),
          event.paused ? 'paused' : event.status,
          event.exitCode === undefined ? NONE : String(event.exitCode),
          slotsText(event),
          event.countedAt === undefined
            ? grouped(event.rows)
            : `${grouped(event.rows)} as of ${timeCell(event.countedAt)}`,
          rate(event.rate),
          timeCell(event.begunAt),
          timeCell(event.endedAt),
          visible(event.error ?? ''),
          visible((event.refusedBy ?? []).join('; ')),
          visible(event.command),
        ],
}

/** `3 working, 1 queued`. */
function slotsText({ queued, working, ended }: Readonly<Record<'queued' | 'working' | 'ended', string>>): string {
  const reported = [
    [working, 'working'],
    [queued, 'queued'],
    [ended, 'ended'],
  ] as const
  return reported.flatMap(([count, word]) => (count === '0' ? [] : [`${count} ${word}`])).join(', ')
}

export const SHARED_SLOTS: Listing = {
  columns: [
    right('SLOT'),
    left('STATE'),
    { ...left('ABOUT'), rank: 3 },
    left('HOST'),
    right('ROWS'),
    right('CHUNKS'),
    right('RATE'),
    right('TURNS'),
    { ...left('HEARD OF'), rank: 1 },
    { ...left('RUN THERE'), rank: 2 },
    right('EXIT'),
    left('ERROR'),
  ],
  row: (event) =>
    event.type !== 'shared.slot'
      ? null
      : [
          event.slot,
          event.state,
          event.about === '' ? NONE : visible(event.about),
          event.host === undefined ? NONE : visible(event.host),
          grouped(event.rows),
          grouped(event.chunks),
          rate(event.rate),
          event.turns,
          timeCell(event.beatAt),
          event.ledgerRun ?? NONE,
          event.exitCode === undefined ? NONE : String(event.exitCode),
          visible(event.error ?? ''),
        ],
}
