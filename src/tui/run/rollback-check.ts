/** Turns events of verify-rollback into lines of the roll back dialog. */
import { clean } from '../../render/screen-text.ts'
import type { Event } from '../../model/run/event.ts'
import type { CheckLine, Dialog } from '../dialogs/state.ts'

type RollbackDialog = Extract<Dialog, { kind: 'rollback' }>
const KEPT = 8

function lineOf(event: Event): CheckLine | null {
  switch (event.type) {
    case 'verify.check':
      return event.equal
        ? {
            label: 'safe',
            text: clean(`${event.check}: ${[event.log, event.catalog].filter((side) => side !== '').join(' = ')}`),
            tone: 'ok',
          }
        : { label: 'differs', text: clean(`${event.check}: log ${event.log}, catalog ${event.catalog}`), tone: 'bad' }
    case 'verify.mismatch':
      return {
        label: 'differs',
        text: clean(`${event.path ?? event.check} ${event.field}: log ${event.log}, catalog ${event.catalog}`),
        tone: 'bad',
      }
    case 'log':
      if (event.level === 'debug') return null
      return { label: 'note', text: clean(event.message), tone: event.level === 'error' ? 'bad' : 'plain' }
    default:
      return null
  }
}

/** The dialog after one event of its check. */
export function foldRollbackCheck(dialog: RollbackDialog, event: Event): RollbackDialog {
  if (event.type === 'run.finished') {
    const safe = event.status === 'ok' && event.exitCode === 0
    return { ...dialog, state: safe ? 'safe' : event.exitCode === 1 ? 'unsafe' : 'failed', error: event.error ?? null }
  }
  const line = lineOf(event)
  // Differences stay visible when the list is cut.
  if (line === null) return dialog
  const lines = [...dialog.lines, line]
  const bad = lines.filter((l) => l.tone === 'bad')
  return {
    ...dialog,
    lines: lines.length <= KEPT ? lines : [...bad, ...lines.filter((l) => l.tone !== 'bad')].slice(0, KEPT),
  }
}
