/** A slot of a shared run in full, for the dialog that shows it. */
import type { SharedRun } from '../../../app/workbench.ts'
import type { Slot } from '../../../model/share/distributed.ts'
import { count, fullTime } from '../../../render/screen-format.ts'
import { clean } from '../../../render/screen-text.ts'
import { slotWord, type QueueShown } from '../../state/queue/queue-shown.ts'
import { heardText, rateText } from './words.ts'

const row = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** @returns lines, labels in the first column */
export function slotText(slot: Slot, run: SharedRun, queue: QueueShown): readonly string[] {
  const { about, host, workerId, turns, ledgerRun, rows, chunks, beatAt, exitCode, error } = slot
  const worker = queue.workers.find((one) => one.workerId === workerId)
  const word = slotWord(slot, run, queue)
  return [
    row('run', run.runId),
    row('slot', String(slot.no)),
    row('state', word),
    ...(about === '' ? [] : [row('about', clean(about))]),
    row('on', host === null ? 'nobody had it yet' : clean(host)),
    ...(worker === undefined ? [] : [row('process', String(worker.pid))]),
    ...(beatAt === null ? [] : [row('heard of', `${fullTime(beatAt)}, ${heardText(beatAt, queue)}`)]),
    row('turns', count(turns)),
    row('rows', count(Number(rows))),
    row('chunks', count(chunks)),
    ...(word === 'working' && slot.rate >= 0.5 ? [row('rate', rateText(slot.rate))] : []),
    ...(ledgerRun === null ? [] : [row('ledger run', ledgerRun)]),
    ...(exitCode === null ? [] : [row('exit', String(exitCode))]),
    ...(error === null
      ? []
      : [
          '',
          row('why', clean(`${error.code} ${error.message}`)),
          ...(error.reason === undefined ? [] : [row('', clean(error.reason))]),
          ...(error.where === undefined ? [] : [row('where', clean(error.where))]),
          ...(error.hint === undefined ? [] : [row('do', clean(error.hint))]),
        ]),
  ]
}
