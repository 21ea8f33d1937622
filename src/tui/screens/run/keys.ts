/** Keys of the Runs screen: of its list, of an open run, and of workers, schedules and shared runs. */
import * as is from '../../keymap/conditions.ts'
import { section } from '../../keymap/binding.ts'

export const RUN_KEYS = section('RUN screen', 'screen', [
  ['run.pause', ['p'], 'pause, resume', is.isPausable, { hint: 'pause', rank: 1, palette: true }],
  [
    'run.go-on',
    ['p'],
    'resume after a pause',
    is.isResumable,
    { hint: (s) => (is.sharedEnded(s) ? 'resume what is left' : 'resume'), rank: 1, palette: true, unlisted: true },
  ],
  [
    'run.more',
    ['+', '='],
    'one worker more',
    is.steersWorkers,
    {
      hint: 'workers',
      hintKeys: '+/-',
      hintWhen: is.hasSteeringHints,
      rank: 2,
      palette: true,
      help: ['+ -', 'more, fewer workers'],
    },
  ],
  ['run.fewer', ['-'], 'one worker fewer', is.steersWorkers, { palette: true, unlisted: true }],
  [
    'run.slower',
    ['<'],
    'fewer rows a second (a copy)',
    is.steersCopy,
    {
      hint: 'rate',
      hintKeys: '<>',
      hintWhen: is.hasSteeringHints,
      rank: 2,
      palette: true,
      help: ['< >', 'slower, faster (a copy)'],
    },
  ],
  ['run.faster', ['>'], 'more rows a second (a copy)', is.steersCopy, { palette: true, unlisted: true }],
  [
    'run.stop',
    ['x'],
    'stop after batch or chunks',
    is.canStop,
    {
      hint: (s) =>
        is.narrow(s)
          ? 'stop'
          : is.isArchiveRun(s)
            ? 'stop after this step'
            : is.isCopyRun(s) && !is.isLiveStream(s)
              ? s.size.columns < 100
                ? 'stop'
                : 'stop after chunks'
              : is.inBatches(s)
                ? 'stop after this batch'
                : 'stop',
      rank: 1,
      palette: true,
    },
  ],
  ['run.abort', ['X'], 'abort (asks)', is.canAbort, { hint: 'abort', rank: 2, palette: true }],
  [
    'row.pause',
    ['P'],
    'pause the row, resume it',
    is.canHold,
    {
      hint: (s) => (is.isRunHeld(s, 'paused') ? 'resume row' : 'pause row'),
      rank: 3,
      palette: true,
      help: ['P S', 'pause row, leave it out'],
    },
  ],
  [
    'row.skip',
    ['S'],
    'leave the row out, take in',
    is.canHold,
    {
      hint: (s) => (is.isRunHeld(s, 'skipped') ? 'take row in' : 'leave row out'),
      rank: 4,
      palette: true,
      unlisted: true,
    },
  ],
  [
    'worker.drain',
    ['x'],
    'drain a worker',
    is.onRunningWorker,
    { hint: 'drain', rank: 6, palette: true, unlisted: true },
  ],
  [
    'schedule.pause',
    ['p'],
    'pause a schedule, resume it',
    is.onSteerableSchedule,
    { hint: (s) => (is.onPausedSchedule(s) ? 'resume' : 'pause'), rank: 1, palette: true, unlisted: true },
  ],
  [
    'schedule.run-now',
    ['r'],
    'run a schedule now',
    is.onSteerableSchedule,
    { hint: 'run now', rank: 6, palette: true },
  ],
  ['row.retry', ['r'], 'try what failed again', is.canRetry, { hint: 'try again', rank: 2, palette: true }],
  [
    'open.chunk',
    ['enter'],
    'a chunk or table of a copy',
    is.onCopyRow,
    { hint: (s) => (is.inChunks(s) ? 'chunk' : 'table'), rank: 3 },
  ],
  ['copy.chunks', ['enter'], 'chunks of a copy', is.offCopyRow, { unlisted: true }],
  ['open.result', ['enter'], 'details, why it failed', is.hasResults, { hint: 'details', rank: 3 }],
  ['queue.ledger', ['L'], "a task's run in its ledger", is.hasTaskLedger, { hint: 'ledger', rank: 3, palette: true }],
  ['queue.workers', ['w'], 'workers of the queue', is.nearWorkers, { hint: 'workers', rank: 3, palette: true }],
  ['queue.workers', [], 'workers of the queue', is.farFromWorkers, { palette: true, unlisted: true }],
  ['queue.schedules', ['T'], 'schedules of the queue', is.nearSchedules, { hint: 'schedules', rank: 3, palette: true }],
  ['queue.schedules', [], 'schedules of the queue', is.farFromSchedules, { palette: true, unlisted: true }],
  ['errors', ['e'], 'errors only', (s) => is.runOpen(s) || is.onLog(s), { hint: 'errors', rank: 3, palette: true }],
])
