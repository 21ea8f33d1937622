/** `schedule print`: prints a schedule as systemd units, or as a crontab line. */
import { dec } from '../../../../model/run/event.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { parseRule } from '../../schedules/rule-text.ts'
import { crontabLine, systemdUnits } from '../../schedules/unit-files.ts'
import type { schedulePrint, SchedulePrintOperation } from './declaration.ts'

/** @throws SluiceError BAD_FLAG for times that the format cannot express */
export async function performSchedulePrint(
  operation: SchedulePrintOperation,
  run: RunOf<typeof schedulePrint>,
): Promise<Ending> {
  const { name, words, folder, as, destroys } = operation
  const printed = { name, rule: parseRule(operation.rule), words, folder }
  const files = as === 'systemd' ? systemdUnits(printed) : [crontabLine(printed)]
  for (const { file, text } of files) run.emit({ type: 'schedule.unit', file, text })
  if (destroys) {
    const message =
      'it deletes data each time, and unlike a worker of the queue, a timer does not compare its plan with the present state'
    run.emit({ type: 'log', level: 'warn', message })
  }
  return await Promise.resolve({ totals: { files: dec(files.length) } })
}
