/** Keys on the screens of a queue. */
import type { SharedRun } from '../../../app/workbench.ts'
import { dec, type CopyRunEvent } from '../../../model/run/event.ts'
import type { TaskRow } from '../../../model/share/distributed.ts'
import type { KeyCommand } from '../../keymap/bindings.ts'
import type { ScheduleEvent } from '../../../model/share/schedule-events.ts'
import { shownCount, fullTime } from '../../../render/screen-format.ts'
import { clean } from '../../../render/screen-text.ts'
import { scheduleAtCursor, taskAtCursor, workerAtCursor } from './queue-rows.ts'
import { shownRun } from './queue-open.ts'
import { taskWord, type QueueShown } from './queue-shown.ts'
import { pauseOf, sharedRateAfter, taskLedger, workersAfter } from './queue-steer.ts'
import { ageText, rateText } from './words.ts'
import type { Acting } from '../../session/acting.ts'

const labelled = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** @returns false if the command does not concern the queue */
export function actOnShared(s: Acting, command: KeyCommand): boolean {
  const schedule = scheduleAtCursor(s.state)
  if (schedule !== null) return actOnSchedule(s, command, schedule)
  const worker = workerAtCursor(s.state)?.worker
  if (worker !== undefined) {
    if (command !== 'worker.drain') return false
    s.shared.confirmDrain(worker)
    return true
  }
  const run = shownRun(s.state)
  if (run === null) return false
  const { runId } = run
  switch (command) {
    case 'run.pause':
    case 'run.go-on':
      if (pauseOf(run) === 'ended') s.shared.confirm('resume', run)
      else s.shared.order(runId, { held: command === 'run.pause' })
      return true
    case 'run.more':
    case 'run.fewer':
      s.shared.order(runId, { workers: workersAfter(run, command === 'run.more') })
      return true
    case 'run.slower':
    case 'run.faster': {
      const next = sharedRateAfter(s.state, run, command === 'run.faster')
      if ('why' in next) s.flash(next.why)
      else s.shared.order(runId, { rate: next.rate })
      return true
    }
    case 'run.stop':
      s.shared.confirm('stop', run)
      return true
    case 'queue.slot': {
      const slot = taskAtCursor(s.state)
      const { queue } = s.state
      if (slot === null || queue === null) return true
      const dialog = {
        kind: 'text',
        title: `task ${slot.no} of run ${runId}`,
        lines: taskText(slot, run, queue),
        top: 0,
      } as const
      s.store.dispatch({ type: 'dialog', dialog: { ...dialog, copy: slot.ledgerRun ?? runId } })
      return true
    }
    case 'queue.ledger':
      openLedger(s)
      return true
    default:
      return false
  }
}

/**
 * All facts about a task of a distributed run, for its dialog.
 * @returns lines with labels in the first column
 */
function taskText(slot: TaskRow, run: SharedRun, queue: QueueShown): readonly string[] {
  const { about, host, workerId, turns, ledgerRun, rows, chunks, beatAt, exitCode, error } = slot
  const worker = queue.workers.find((one) => one.workerId === workerId)
  const word = taskWord(slot, run, queue)
  return [
    labelled('run', run.runId),
    labelled('slot', String(slot.no)),
    labelled('state', word),
    ...(about === '' ? [] : [labelled('about', clean(about))]),
    labelled('on', host === null ? 'no worker took it yet' : clean(host)),
    ...(worker === undefined ? [] : [labelled('process', String(worker.pid))]),
    ...(beatAt === null ? [] : [labelled('heard of', `${fullTime(beatAt)}, ${ageText(beatAt, queue)}`)]),
    labelled('turns', shownCount(turns)),
    labelled('rows', shownCount(Number(rows))),
    labelled('chunks', shownCount(chunks)),
    ...(word === 'working' && slot.rate >= 0.5 ? [labelled('rate', rateText(slot.rate))] : []),
    ...(ledgerRun === null ? [] : [labelled('ledger run', ledgerRun)]),
    ...(exitCode === null ? [] : [labelled('exit', String(exitCode))]),
    ...(error === null
      ? []
      : [
          '',
          labelled('why', clean(`${error.code} ${error.message}`)),
          ...(error.reason === undefined ? [] : [labelled('', clean(error.reason))]),
          ...(error.where === undefined ? [] : [labelled('where', clean(error.where))]),
          ...(error.hint === undefined ? [] : [labelled('do', clean(error.hint))]),
        ]),
  ]
}

function actOnSchedule(s: Acting, command: KeyCommand, { schedule, state }: ScheduleEvent): boolean {
  switch (command) {
    case 'schedule.pause':
      s.shared.changeSchedule(schedule, state === 'paused' ? 'resume' : 'pause')
      return true
    case 'schedule.run-now':
      s.shared.confirmRun(schedule)
      return true
    default:
      return false
  }
}

/** Opens the run of a task in the ledger of its target. */
function openLedger(s: Acting): void {
  const run = shownRun(s.state)
  const found = taskLedger(s.state)
  if (run === null || found === null) return
  const { url, ledgerRun } = found
  // Shown until the ledger has answered.
  const before: CopyRunEvent = {
    type: 'copy.run',
    run: ledgerRun,
    operation: run.kind,
    source: run.source ?? '',
    target: run.target ?? url,
    status: 'reading …',
    rows: dec(0),
  }
  s.ledger.openById(before, url)
}
