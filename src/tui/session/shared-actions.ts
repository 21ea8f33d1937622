/** What keys do on the screens of a queue. */
import { dec, type CopyRunEvent } from '../../model/run/event.ts'
import type { Command } from '../keymap/bindings.ts'
import type { ScheduleEvent } from '../../model/share/schedule-events.ts'
import { scheduleAtCursor, slotAtCursor, workerAtCursor } from '../state/queue/queue-rows.ts'
import { shownRun } from '../state/queue/queue-open.ts'
import { pauseOf, sharedRateAfter, slotLedger, workersAfter } from '../state/queue/queue-steer.ts'
import { slotText } from '../views/queue/texts.ts'
import type { Acting } from './acting.ts'

/** @returns false for a command that is about nothing of a queue */
export function actOnShared(s: Acting, command: Command): boolean {
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
      const slot = slotAtCursor(s.state)
      const { queue } = s.state
      if (slot === null || queue === null) return true
      const dialog = {
        kind: 'text',
        title: `slot ${slot.no} of run ${runId}`,
        lines: slotText(slot, run, queue),
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

function actOnSchedule(s: Acting, command: Command, { schedule, state }: ScheduleEvent): boolean {
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

/** The page of the slot's run in the ledger of its target. */
function openLedger(s: Acting): void {
  const run = shownRun(s.state)
  const found = slotLedger(s.state)
  if (run === null || found === null) return
  const { url, ledgerRun } = found
  // What stands there until the ledger has answered.
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
